//! The conformance suite, without a pooler.

use crate::server::Database;
use clipia_store::Store;
use clipia_store::clock::Clock;
use clipia_store::conformance::Opened;
use clipia_store_postgres::{Address, PostgresStore};
use std::sync::Arc;
use tokio::runtime::Handle;

clipia_store::conformance!(crate::direct::open);

pub(crate) fn open(clock: Arc<dyn Clock>) -> Option<Opened> {
    let database = Database::new()?;
    Some((store(&database.address(), clock), Box::new(database)))
}

/// The store at an address, with this clock.
pub(crate) fn store(address: &Address, clock: Arc<dyn Clock>) -> Arc<dyn Store> {
    let open = async { PostgresStore::open_with_clock(address, clock).await.unwrap() };
    Arc::new(tokio::task::block_in_place(|| Handle::current().block_on(open)))
}
