//! The dispatcher with real receivers.

#![allow(clippy::unwrap_used)] // test code, helpers of tests included: a failed expectation stops the test

mod addresses;
mod isolation;
mod receiver;
mod sending;
mod support;
