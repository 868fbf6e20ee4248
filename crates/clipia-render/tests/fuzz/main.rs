//! The decoding of images from outside. `cargo xtask fuzz` runs these tests with a million cases each.

// Everything here is test code: a failed expectation must stop the test at its place.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod hostile;
mod pictures;
