//! What a store can do, one trait a capability. Each command is one transaction: what it returns is durable, and what it refuses has
//! changed nothing. A command is decided by the present of the store's own [clock](crate::clock::Clock).

mod accounts;
mod outbox;
mod queue;
mod records;
mod search;
mod upkeep;
mod uploads;
mod workers;

pub use accounts::Accounts;
pub use outbox::Outbox;
pub use queue::Queue;
pub use records::Records;
pub use search::Search;
pub use upkeep::Upkeep;
pub use uploads::Uploads;
pub use workers::Workers;

/// Where accounts, keys, requests, credits, deliveries, workers and the records of uploads are kept: a store has every capability.
pub trait Store: Accounts + Queue + Outbox + Records + Search + Upkeep + Uploads + Workers {}

impl<S: Accounts + Queue + Outbox + Records + Search + Upkeep + Uploads + Workers> Store for S {}
