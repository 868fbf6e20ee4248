//! The store as each of its capabilities: each command is handed to the writer, or read beside it.

mod accounts;
mod outbox;
mod queue;
mod records;
mod search;
mod upkeep;
mod uploads;
mod workers;
