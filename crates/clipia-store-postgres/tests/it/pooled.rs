//! The conformance suite behind PgBouncer in transaction mode: each transaction may have another session.

use crate::direct;
use crate::server::Database;
use clipia_store::clock::Clock;
use clipia_store::conformance::Opened;
use std::sync::Arc;

clipia_store::conformance!(crate::pooled::open);

pub(crate) fn open(clock: Arc<dyn Clock>) -> Option<Opened> {
    let database = Database::new()?;
    let address = database.address_behind_pooler()?;
    Some((direct::store(&address, clock), Box::new(database)))
}
