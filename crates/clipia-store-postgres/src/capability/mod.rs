//! The store as each of its capabilities: each command is a transaction, or a query beside them.

mod accounts;
mod outbox;
mod queue;
mod records;
mod search;
mod upkeep;
mod uploads;
mod workers;
