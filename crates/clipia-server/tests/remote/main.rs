//! Workers on other machines, over real HTTP on a real store.

#![allow(clippy::unwrap_used)] // test code, helpers of tests included: a failed expectation stops the test

mod authorization;
mod beats;
mod claims;
mod ends;
mod inputs;
mod pieces;
mod restarts;
mod support;
