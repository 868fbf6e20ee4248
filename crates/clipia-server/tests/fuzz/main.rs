//! What strangers send to be decoded. `cargo xtask fuzz` runs these with a million cases each.

// Everything here is test code, helpers included: a failed expectation should stop the test where it stands.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod config;
