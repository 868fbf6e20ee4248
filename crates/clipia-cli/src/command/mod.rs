//! One command, one file.

pub(crate) mod accounts;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod credits;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod generate;
pub(crate) mod keys;
pub(crate) mod requests;
pub(crate) mod restore;
pub(crate) mod serve;
pub(crate) mod webhooks;
