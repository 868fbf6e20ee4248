//! What is let go of requests that have ended.

use clipia_queue::RequestId;

/// Requests that were looked at for a part that may be let go, in the order of their submits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DuePage {
    /// Those whose part has had its time.
    pub due: Vec<RequestId>,
    /// Those whose part has not, though they are as old: they run still, or a delivery of theirs may still be sent.
    pub late: Vec<RequestId>,
    /// Where to look on; nothing where no other is as old.
    pub next: Option<RequestId>,
}

/// Which requests are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DueOf {
    /// Those submitted after this one, `limit` at most.
    After {
        /// The request before the first; nothing to begin with the oldest.
        after: Option<RequestId>,
        /// How many at most.
        limit: usize,
    },
    /// These.
    These(Vec<RequestId>),
}

/// Space that a store has given back to the system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GivenBack {
    /// In bytes.
    pub bytes: u64,
    /// Whether there is more to give back.
    pub more: bool,
}
