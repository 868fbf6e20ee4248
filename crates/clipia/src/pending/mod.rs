//! The generations that a client has submitted and has not seen end.

mod entry;
mod journal;
mod kept;
mod list;

pub use entry::Pending;
pub(crate) use kept::PendingList;
