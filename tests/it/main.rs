//! The whole system from outside. One module a subject; `support` starts the real program and speaks to it.

// Everything here is test code, helpers included: a failed expectation should stop the test where it stands.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod administration;
mod administration_wire;
mod apart;
mod architecture;
mod clock;
mod contract;
mod credits;
mod examples;
mod generated;
mod generations;
#[path = "../../crates/clipia-render/tests/fuzz/hostile.rs"]
mod hostile;
mod input;
mod log;
mod lost_answers;
mod media;
mod metrics;
mod no_room;
mod operations;
mod pictures;
mod private_files;
mod program;
mod readme;
mod refusals;
mod restart;
mod restore;
mod retention;
mod sdk_examples;
mod serve;
mod slow_clients;
mod store_trouble;
mod strangers;
#[path = "../support/mod.rs"]
mod support;
mod webhooks;
