//! One command, one file.

pub(crate) mod accounts;
pub(crate) mod demo;
pub(crate) mod generate;
pub(crate) mod keys;
pub(crate) mod serve;
