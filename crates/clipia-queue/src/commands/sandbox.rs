//! How many requests of the sandbox are kept, which costs its callers nothing.

use crate::limits::SANDBOX_KEPT;

/// The room for one more request of an account in the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There is room. So many are kept then.
    Free(u32),
    /// There is none. The account's oldest request of the sandbox is forgotten with its delivery and its attempts: a submit
    /// that is free must not fill the disk.
    ForgetOldest,
}

/// The room for one more where `kept` are kept.
pub const fn room(kept: u32) -> Room {
    if kept < SANDBOX_KEPT { Room::Free(kept + 1) } else { Room::ForgetOldest }
}
