//! A running server: its addresses, its first keys, and its stop. [`start`] starts the parts.

mod first_keys;
mod pools;
mod start;

pub use first_keys::FirstKeys;
pub(crate) use pools::Pool;

use crate::admin::access;
use crate::blocking;
use crate::builder::Builder;
use crate::config::Config;
use crate::deliveries::Dispatcher;
use crate::media::MediaLocation;
use crate::models_file::ModelsFileError;
use crate::served_models::{Reload, ReloadRefused};
use crate::store::{NodeId, Store, StoreError};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long the last responses and delivery attempts may take, once no work runs any more.
const LAST_CALLS_MAX: Duration = Duration::from_secs(12);

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be created or used.
    #[error("cannot use the data directory `{}`: {source}", .path.display())]
    Data {
        /// The data directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The place of media cannot be written or read.
    #[error("cannot use `{location}` for media: {source}{}", .location.hint())]
    Media {
        /// The place of media.
        location: MediaLocation,
        /// The cause.
        source: io::Error,
    },
    /// The builder was given no store.
    #[error("a server needs a store: open one and give it to `Builder::store`")]
    NoStore,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file of the operator's models cannot be used.
    #[error("`models.toml`: {0}")]
    Models(#[from] ModelsFileError),
    /// The server cannot listen on an address.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: io::Error,
    },
    /// TLS for outgoing calls cannot be set up.
    #[error("cannot set up TLS for outgoing calls: {0}")]
    Tls(#[from] reqwest::Error),
}

/// A running server.
#[derive(Debug)]
pub struct Service {
    reload: Arc<Reload>,
    url: String,
    admin_url: String,
    has_dashboard: bool,
    data: PathBuf,
    drain_max: Duration,
    first_keys: Option<FirstKeys>,
    dispatcher: Arc<Dispatcher>,
    tasks: Tasks,
    store: OpenStore,
}

/// The tasks of a server, and the tokens that end them.
#[derive(Debug, Default)]
struct Tasks {
    /// Canceled first: no worker takes another request.
    drain: CancellationToken,
    /// Canceled when the drain is over: running attempts end.
    abort: CancellationToken,
    /// Canceled with `abort`: all other tasks end.
    stop: CancellationToken,
    /// The workers and their attempts.
    work: TaskTracker,
    /// All other tasks.
    others: TaskTracker,
}

/// The store, which the server closes when everything else has ended, and the server's name there.
struct OpenStore(Arc<dyn Store>, NodeId);

impl fmt::Debug for OpenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store")
    }
}

impl Service {
    /// Reads `models.toml` again, and serves its models from now on: those that were added, and others' prices and parameters.
    /// Requests that were accepted keep their prices. Returns how many models there are.
    ///
    /// # Errors
    /// [`ReloadRefused`], also where an executor changed; then the models of before are served on.
    pub async fn reload_models(&self) -> Result<usize, ReloadRefused> {
        let reload = Arc::clone(&self.reload);
        let lost = |lost| ReloadRefused::File { path: self.data.clone(), source: io::Error::other(lost) };
        blocking::run(move || reload.run()).await.map_err(lost)?
    }

    /// Starts a server on a store. The server takes calls when this returns.
    ///
    /// # Errors
    /// [`StartError`] says why the server could not start. Nothing runs then.
    pub async fn start(config: Config, store: Arc<dyn Store>) -> Result<Self, StartError> {
        Self::builder(config).store(store).start().await
    }

    /// A builder, for a server with more than a store: executors of your own, for example.
    pub fn builder(config: Config) -> Builder {
        Builder::new(config)
    }

    /// The URL of the API.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL of the administration and of the metrics.
    pub fn admin_url(&self) -> &str {
        &self.admin_url
    }

    /// Whether the administration shows the dashboard.
    pub fn has_dashboard(&self) -> bool {
        self.has_dashboard
    }

    /// The keys that the first start of this data directory made; none at a later start.
    pub fn first_keys(&self) -> Option<&FirstKeys> {
        self.first_keys.as_ref()
    }

    /// What says whether no delivery is being attempted.
    pub fn deliveries_idle(&self) -> impl Fn() -> bool + Send + Sync + use<> {
        let dispatcher = Arc::clone(&self.dispatcher);
        move || dispatcher.is_idle()
    }

    /// Stops the server: it takes no more work, lets running attempts end for a while, releases the others, and closes the
    /// store. Accepted requests go on at the next start.
    pub async fn stop(self) {
        let Tasks { drain, abort, stop, work, others } = self.tasks;
        drain.cancel();
        let ended = tokio::time::timeout(self.drain_max, work.wait()).await.is_ok();
        tracing::info!(ended, "no more work is taken");
        abort.cancel();
        stop.cancel();
        let last = async { tokio::join!(work.wait(), others.wait()) };
        if tokio::time::timeout(LAST_CALLS_MAX, last).await.is_err() {
            tracing::warn!("some calls had not ended when the server stopped");
        }
        let OpenStore(store, node) = self.store;
        if let Err(error) = store.record_minutes(node).await {
            tracing::warn!(%error, "what the queues did in the last minute is not recorded");
        }
        store.close().await;
        access::remove(&self.data);
    }
}
