//! The store in PostgreSQL: the conformance suite, and what concerns the database and its nodes.

#![allow(clippy::unwrap_used)] // test code, helpers of tests included: a failed expectation stops the test

mod direct;
mod import;
mod months;
mod nodes;
mod pooled;
mod server;
