//! Tests of the whole system from outside. A module has one subject. `support` starts the real program and calls it.

// Everything here is test code: a failed expectation must stop the test at its place.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod administration;
mod administration_wire;
mod architecture;
mod bounds;
mod client_program;
mod clock;
mod contract;
mod credits;
mod emulate;
mod examples;
mod executors;
mod full_disk;
mod generated;
mod generations;
mod health;
mod honesty;
#[path = "../../crates/clipia-render/tests/fuzz/hostile.rs"]
mod hostile;
mod keys;
mod large_outputs;
mod log;
mod lost_responses;
mod mcp;
mod mcp_http;
mod mcp_install;
mod media;
mod media_in_s3;
mod metrics;
mod models_check;
mod modules;
mod moving;
mod nodes;
mod operations;
mod pictures;
mod private_files;
mod program;
mod program_ends;
mod programs_of_the_guide;
mod public_address;
mod queues;
mod readme;
mod receivers;
mod refusals;
mod remote;
mod restart;
mod restore;
mod retention;
mod sdk_examples;
mod serve;
mod slow_clients;
mod store_faults;
#[path = "../support/mod.rs"]
mod support;
mod uploads;
mod webhooks;
mod worker_tokens;
mod workers_wire;
