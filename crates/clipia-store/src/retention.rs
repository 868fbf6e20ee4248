//! Records of retention: what is due to be let go, and the space that is given back.

use clipia_queue::RequestId;

/// Requests that were looked at for a part that may be let go, in the order of their submits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DuePage {
    /// Requests whose part may be let go.
    pub due: Vec<RequestId>,
    /// Requests that are as old and whose part stays: they still run, or a delivery may still be sent.
    pub late: Vec<RequestId>,
    /// Where the next page begins; nothing where there is no other request.
    pub next: Option<RequestId>,
}

/// Which requests are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DueOf {
    /// Those submitted after one request and not after another, `limit` at most.
    After {
        /// The request before the first; nothing to begin with the oldest.
        after: Option<RequestId>,
        /// The highest id that the last can have.
        through: RequestId,
        /// How many at most.
        limit: usize,
    },
    /// These.
    These(Vec<RequestId>),
}

/// The requests of a month, which a store keeps in tables of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Month {
    /// The highest id before the month.
    pub before: RequestId,
    /// The highest id that a request of the month can have.
    pub last: RequestId,
}

/// Space that a store has given back to the system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GivenBack {
    /// In bytes.
    pub bytes: u64,
    /// Whether there is more to give back.
    pub more: bool,
}
