//! The stores: what all must do (`conformance`), and what is one's own.

#![allow(clippy::unwrap_used)] // test code, helpers of tests included: a failed expectation stops the test

mod conformance;
mod sqlite;
