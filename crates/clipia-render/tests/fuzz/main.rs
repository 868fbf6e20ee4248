//! Fuzz tests of images from strangers. `cargo xtask fuzz` runs a million cases of each.

// Everything here is test code, helpers included: a failed expectation should stop the test where it stands.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod hostile;
mod pictures;
