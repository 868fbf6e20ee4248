//! Headers and a timeout of one call.

use crate::error::Error;
use crate::headers;
use clipia_api::per_call::PerCall;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Headers and a timeout of one call, in addition to those of the client.
///
/// ```no_run
/// # async fn run() -> Result<(), clipia::Error> {
/// use clipia::{CallOptions, Clipia};
/// use std::time::Duration;
///
/// let clipia = Clipia::from_env()?;
/// let options = CallOptions::new().header("X-Trace", "fox-7").timeout(Duration::from_secs(2));
/// let status = clipia.status_with("0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de", options).await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
#[must_use = "pass it to a call"]
pub struct CallOptions {
    headers: Vec<(String, String)>,
    timeout: Option<Duration>,
}

impl CallOptions {
    /// No options.
    pub fn new() -> Self {
        Self::default()
    }

    /// A header of each attempt of the call; it replaces an earlier one, or one of the client, of the same name. The value is never shown.
    /// A header that the client itself sets is refused with [`Error::Input`] when the call is made.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The timeout of each attempt of the call, in place of [`Builder::timeout`](crate::Builder::timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// What the generated client takes; `None` if there are no options.
    pub(crate) fn read(&self) -> Result<Option<Arc<PerCall>>, Error> {
        if self.headers.is_empty() && self.timeout.is_none() {
            return Ok(None);
        }
        let headers = headers::read(&self.headers)?;
        Ok(Some(Arc::new(PerCall { headers, timeout: self.timeout })))
    }
}

impl fmt::Debug for CallOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("CallOptions").field("headers", &names).field("timeout", &self.timeout).finish()
    }
}
