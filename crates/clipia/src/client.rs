//! The state of a client: one key, one request budget, shared by its clones. The calls of a client are methods in the files that
//! are named after them: `submit`, `generation`, `catalogue`, `account`, `upload`, `webhooks`.

use crate::catalogue_cache::CatalogueCache;
use crate::connection::Connection;
use crate::delivered_ids::DeliveredIds;
use crate::pending::Pending;
use crate::wait::Scheduler;
use std::fmt;
use std::sync::Arc;

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
}

impl Clipia {
    /// The base URL of the API.
    pub fn base_url(&self) -> &str {
        self.0.connection.base_url.as_str()
    }

    /// What this client and its clones have submitted and not seen end, in the order of the submits: also what was submitted by a
    /// call or followed by a wait that was dropped. Nothing is sent.
    ///
    /// An end is seen by a wait, by updates, by a delivery, and by a call that asks for the status or the result. A submit that was refused is not
    /// listed. The list has the latest hundred thousand, and ends with the client, unless
    /// [`Builder::pending_file`](crate::Builder::pending_file) keeps it.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), clipia::Error> {
    /// use clipia::Clipia;
    ///
    /// let clipia = Clipia::builder().key(std::env::var("CLIPIA_KEY").unwrap_or_default()).pending_file("pending.jsonl").build()?;
    /// // What an earlier run of this program has left.
    /// for pending in clipia.pending() {
    ///     if let Some(id) = pending.request_id {
    ///         clipia.generation(id).wait().await?.completed()?.download("out").await?;
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    pub fn pending(&self) -> Vec<Pending> {
        self.0.connection.pending.all()
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
