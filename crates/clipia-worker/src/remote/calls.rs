//! Calls: their time limits, and what the log says of a series of failures.

use clipia_remote::CallError;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The longest time of a call that the server does not hold open.
pub(super) const CALL_MAX: Duration = Duration::from_secs(30);

/// A call that did nothing, or whose response was lost.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallFailed {
    /// There is no response, or it says why.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The response took too long.
    #[error("the server did not respond within {} s", .0.as_secs())]
    Slow(Duration),
}

impl CallFailed {
    /// Whether the lease is not in force, or is another session's.
    pub(super) fn is_stale(&self) -> bool {
        matches!(self, Self::Call(error) if error.is_stale())
    }

    /// Whether the same call may succeed later.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Call(error) => error.is_transient(),
            Self::Slow(_) => true,
        }
    }

    /// The status with which the server refused the call.
    pub(super) fn refused(&self) -> Option<u16> {
        match self {
            Self::Call(error @ CallError::Refused { .. }) => error.status(),
            _ => None,
        }
    }

    /// The error with its causes: that of a connection says what happened only in them.
    pub(super) fn with_causes(&self) -> String {
        let mut said = self.to_string();
        let mut cause = match self {
            // Its message has that of its own error already.
            Self::Call(error) => error.source(),
            Self::Slow(_) => None,
        };
        while let Some(error) = cause {
            let text = error.to_string();
            if !said.contains(&text) {
                said = format!("{said}: {text}");
            }
            cause = error.source();
        }
        said
    }
}

/// A call with a time limit.
pub(super) async fn within<T>(
    time_max: Duration,
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallFailed> {
    match tokio::time::timeout(time_max, call).await {
        Ok(response) => Ok(response?),
        Err(_) => Err(CallFailed::Slow(time_max)),
    }
}

/// A series of failures of one kind of call. Only its first failure and its end are logged.
#[derive(Debug)]
pub(super) struct Series {
    what: &'static str,
    fails: AtomicBool,
}

impl Series {
    /// The calls by which `what` is done, as in "requests are claimed".
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, fails: AtomicBool::new(false) }
    }

    /// A call failed and will be repeated.
    pub(super) fn failed(&self, error: &CallFailed) {
        if !self.fails.swap(true, Ordering::Relaxed) {
            let error = error.with_causes();
            tracing::warn!(error, "{} cannot be called; it is tried again", self.what);
        }
    }

    /// A call succeeded.
    pub(super) fn succeeded(&self) {
        if self.fails.load(Ordering::Relaxed) && self.fails.swap(false, Ordering::Relaxed) {
            tracing::info!("{} works again", self.what);
        }
    }
}

/// An error that several attempts share.
pub(super) type Shared = Arc<dyn Error + Send + Sync>;
