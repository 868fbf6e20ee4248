//! The conformance suite, without a pooler.

use crate::server::Database;
use clipia_store::clock::Clock;
use clipia_store::conformance::Opened;
use clipia_store_postgres::PostgresStore;
use std::sync::Arc;
use tokio::runtime::Handle;

clipia_store::conformance!(crate::direct::open);

pub(crate) fn open(clock: Arc<dyn Clock>) -> Option<Opened> {
    let database = Database::new()?;
    let address = database.address();
    let open = async { PostgresStore::open_with_clock(&address, clock).await.unwrap() };
    let store = tokio::task::block_in_place(|| Handle::current().block_on(open));
    Some((Arc::new(store), Box::new(database)))
}
