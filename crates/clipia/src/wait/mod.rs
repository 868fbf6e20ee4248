//! Waiting: every `wait`, `updates` and `subscribe` of a client is a waiter, and one scheduler polls for all of them.
//!
//! - When is this generation polled next? `next_poll` decides, by the `durations` of its model.
//! - What is the next token for? `runtime_queues` chooses between calls, submits and polls.
//! - What does a response change? `waiters` passes it to all waiters of the generation.
//! - Who sends? `scheduler`: one task for each Tokio runtime. `handle` is the side of the futures.
//!
//! All but `scheduler` and `handle` is pure: the time and the budget are arguments.

mod deliveries;
mod durations;
mod handle;
mod model_durations;
mod next_poll;
mod runtime_queues;
mod scheduler;
#[cfg(any(test, feature = "simulation"))]
pub(crate) mod simulation;
mod token_queue;
mod waiter;
mod waiters;

pub(crate) use handle::{Hint, WaitHandle};
pub(crate) use scheduler::{Scheduler, token};
pub(crate) use waiter::{Goal, WaitEnd, WaitEvent};
