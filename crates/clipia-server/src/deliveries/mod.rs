//! Telling callers how their generations ended.
//!
//! A delivery is written in the transaction that ends the generation; from then on it is attempted until it arrives or
//! the schedule is over. At least once: a receiver handles repeats by the request's id.

pub mod body;
mod dispatch;

pub use dispatch::Dispatcher;
