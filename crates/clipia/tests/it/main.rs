//! The SDK against a peer on a real socket that does what it is told: answers, breaks, hangs and lies.

#![allow(clippy::unwrap_used)] // clippy knows no tests outside `#[test]` functions

#[cfg(feature = "blocking")]
mod blocking;
mod calls;
mod catalogue;
mod cut_short;
mod downloads;
mod environment;
mod max_cost;
mod oddities;
mod peer;
mod resume;
mod retries;
mod runtimes;
mod secrets;
mod socks;
mod untold;
mod waits;
mod webhooks;
