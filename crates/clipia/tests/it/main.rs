//! The SDK against the emulator of this repository, and against a scripted peer on a real socket, which also lies.

#![allow(clippy::unwrap_used)] // clippy does not see that functions outside `#[test]` are tests

#[cfg(feature = "blocking")]
mod blocking;
mod calls;
mod catalogue;
mod cut_short;
mod downloads;
mod emulated;
mod environment;
mod max_cost;
mod media_files;
mod no_status;
mod oddities;
mod peer;
mod pending;
mod resume;
mod retries;
mod runtimes;
mod secrets;
mod socks;
mod uploads;
mod waits;
mod webhooks;
