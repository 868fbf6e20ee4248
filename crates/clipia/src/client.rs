//! The state of a client: one key, one request budget, shared by its clones. The calls of a client are methods in the files that
//! are named after them: `submit`, `generation`, `catalogue`, `account`, `upload`, `webhooks`.

use crate::catalogue_cache::CatalogueCache;
use crate::connection::Connection;
use crate::delivered_ids::DeliveredIds;
use crate::settings::Settings;
use crate::wait::Scheduler;
use std::fmt;
use std::sync::{Arc, Mutex};

/// A client of the queue API.
///
/// Make one per key and clone it freely. Clones share connections, the schedule of their waits, and the request budget
/// of the key. Thousands of generations wait on one client without any tuning.
///
/// A client needs a Tokio runtime with I/O and time enabled, and may be used from several runtimes. Every
/// call is retried while that may help (see [`Error::is_retryable`](crate::Error::is_retryable),
/// [`Builder::max_retries`](crate::Builder::max_retries) and [`Builder::retry_within`](crate::Builder::retry_within)).
#[derive(Clone)]
pub struct Clipia(pub(crate) Arc<Inner>);

/// The state that clones share.
pub(crate) struct Inner {
    pub(crate) connection: Arc<Connection>,
    pub(crate) scheduler: Arc<Scheduler>,
    pub(crate) catalogue: CatalogueCache,
    /// The requests whose deliveries have arrived.
    pub(crate) delivered: DeliveredIds,
    /// The settings from which the client was built.
    pub(crate) settings: Settings,
    /// The id of the process that built the client.
    pub(crate) process: u32,
    /// The client that replaces this one in a forked process.
    pub(crate) forked: Mutex<Option<Clipia>>,
}

impl Clipia {
    /// The base URL of the API.
    pub fn base_url(&self) -> &str {
        self.0.connection.base_url.as_str()
    }
}

impl fmt::Debug for Clipia {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clipia")
            .field("base_url", &self.0.connection.base_url.as_str())
            .field("key", &self.0.connection.key)
            .finish()
    }
}
