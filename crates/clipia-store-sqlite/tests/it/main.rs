//! The store in one SQLite file: the conformance suite, and what concerns the file.

#![allow(clippy::unwrap_used)] // test code, helpers of tests included: a failed expectation stops the test

mod file;
mod workers;
