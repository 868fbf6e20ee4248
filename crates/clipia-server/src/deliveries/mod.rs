//! Telling callers how their generations ended.
//!
//! A delivery is written in the transaction that ends the generation; from then on it is attempted until it arrives or
//! the schedule is over. At least once: a receiver handles repeats by the request's id.
//!
//! `dispatch` takes what is due and records what came of it, `send` makes one attempt, `hosts` knows who has room for
//! more: a host that hangs or is down keeps its own deliveries waiting, and nobody else's.

mod dispatch;
mod hosts;
mod send;
mod statistics;

pub use dispatch::Dispatcher;
pub use statistics::{LAG_BUCKETS, Lag, Statistics};
