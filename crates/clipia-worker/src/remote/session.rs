//! A session: what all calls of one process share.

use super::wire;
use crate::work::AttemptId;
use clipia_queue::RequestId;
use clipia_queue::lifecycle::Epoch;
use clipia_remote::{CallError, Remote, types};
use std::collections::HashSet;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// What a session is. `Debug` does not show the token.
#[derive(Clone)]
pub struct Settings {
    /// The server's URL, as [`server_url`](super::server_url) returns it.
    pub server: String,
    /// The worker's token.
    pub token: String,
    /// The executor that the session is.
    pub executor: String,
    /// What the operator sees of the session.
    pub about: About,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("server", &self.server)
            .field("executor", &self.executor)
            .field("about", &self.about)
            .finish_non_exhaustive()
    }
}

/// What a session says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The name of its machine.
    pub host: String,
    /// The names of its GPUs, as far as it knows them.
    pub gpu: Option<String>,
    /// Its version.
    pub version: String,
    /// How many jobs it runs at once.
    pub slots: NonZeroU32,
}

/// Why a server lets a session claim nothing more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Over {
    /// The server does not know the token, or has revoked it.
    #[error("the worker's token is not in force: it is unknown, or was revoked ({0})")]
    Token(String),
    /// The server does not let the worker be this executor.
    #[error("the server does not let this worker be the executor `{executor}`: {why}")]
    Executor {
        /// The executor.
        executor: String,
        /// What the server says.
        why: String,
    },
    /// The server refuses the claims.
    #[error("the server refuses to let this worker claim: {0}")]
    Refused(String),
}

/// A session.
pub(super) struct Session {
    pub(super) remote: Remote,
    pub(super) settings: Settings,
    /// Canceled when nothing more should be claimed.
    pub(super) drain: CancellationToken,
    /// Canceled when what runs should end.
    pub(super) stop: CancellationToken,
    held: Mutex<HashSet<AttemptId>>,
    over: watch::Sender<Option<Over>>,
}

impl Session {
    /// A new session.
    pub(super) fn new(
        settings: Settings,
        drain: CancellationToken,
        stop: CancellationToken,
    ) -> Result<Arc<Self>, CallError> {
        let remote = Remote::of(&settings.server, &settings.token, Uuid::new_v4())?;
        Ok(Arc::new(Self {
            remote,
            settings,
            drain,
            stop,
            held: Mutex::default(),
            over: watch::Sender::default(),
        }))
    }

    fn known(&self) -> MutexGuard<'_, HashSet<AttemptId>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an attempt until the returned value is dropped; none if the session knows of it.
    pub(super) fn hold(self: &Arc<Self>, attempt: AttemptId) -> Option<Held> {
        self.known().insert(attempt).then(|| Held { session: Arc::clone(self), attempt })
    }

    /// The attempts that the session knows of.
    pub(super) fn held(&self) -> Vec<types::AttemptName> {
        self.known().iter().map(|attempt| wire::name(*attempt)).collect()
    }

    /// The latest claim of a request that the session knows of.
    pub(super) fn epoch_of(&self, id: RequestId) -> Option<Epoch> {
        self.known().iter().filter(|attempt| attempt.id == id).map(|attempt| attempt.epoch).max()
    }

    /// Nothing more is claimed. The first reason counts.
    pub(super) fn end(&self, why: Over) {
        self.over.send_if_modified(|over| {
            let is_first = over.is_none();
            over.get_or_insert(why);
            is_first
        });
    }

    /// Waits until nothing more is claimed; returns why.
    pub(super) async fn over(&self) -> Over {
        let mut over = self.over.subscribe();
        match over.wait_for(Option::is_some).await.ok().and_then(|over| over.clone()) {
            Some(why) => why,
            // `self` owns the sender.
            None => std::future::pending().await,
        }
    }

    /// Whether nothing more is claimed.
    pub(super) fn is_over(&self) -> bool {
        self.over.borrow().is_some()
    }

    /// A call was refused with this status. Ends the session if the token is not in force; returns whether it is not.
    pub(super) fn is_revoked(&self, status: Option<u16>, why: impl fmt::Display) -> bool {
        let is_revoked = status == Some(401);
        if is_revoked {
            self.end(Over::Token(why.to_string()));
        }
        is_revoked
    }
}

/// An attempt that a session knows of.
pub(super) struct Held {
    session: Arc<Session>,
    attempt: AttemptId,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.session.known().remove(&self.attempt);
    }
}
