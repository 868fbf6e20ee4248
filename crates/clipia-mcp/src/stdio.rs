//! The tools over stdin and stdout, for a client that starts this program itself.

use crate::callers::{Caller, Callers};
use crate::files::Files;
use crate::handler::Handler;
use crate::settings::Settings;
use clipia::Clipia;
use rmcp::service::{ServerInitializeError, serve_server_with_ct};
use rmcp::transport::io::stdio_pipes;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Why the tools cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A directory of [`Settings`] cannot be used.
    #[error("cannot use the directory `{}`: {cause}", .path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The error of the operating system.
        cause: io::Error,
    },
    /// The client does not speak the protocol.
    #[error("the client does not speak the protocol: {0}")]
    Protocol(Box<ServerInitializeError>),
    /// The server broke off.
    #[error("the server of the tools broke off: {0}")]
    Broken(String),
}

/// Serves the tools over stdin and stdout until stdin ends or `stop` is canceled. Calls go through `clipia`; `key` is its key, with which
/// confirmations are sealed.
///
/// Nothing but frames of the protocol is written to stdout. The process should log to stderr alone, and its panics too.
///
/// # Errors
/// [`ServeError`].
pub async fn serve_stdio(
    clipia: Clipia,
    key: &str,
    settings: Settings,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let files = Files::new(&settings).map_err(|(path, cause)| ServeError::Directory { path, cause })?;
    let caller = Callers::One(Arc::new(Caller::new(clipia, key)));
    let handler = Handler::new(caller, settings, Some(files), stop.clone());
    let running = match serve_server_with_ct(handler, stdio_pipes(), stop).await {
        Ok(running) => running,
        // The client went before it said anything.
        Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => return Ok(()),
        Err(error) => return Err(ServeError::Protocol(Box::new(error))),
    };
    running.waiting().await.map(drop).map_err(|error| ServeError::Broken(error.to_string()))
}
