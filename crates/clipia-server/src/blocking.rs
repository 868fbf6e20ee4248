//! Work that blocks, on a thread of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Why such work has no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    /// The system gives the process no thread: no fault of the work's.
    #[error("no thread could be started")]
    NoThread,
    /// The runtime is shut down.
    #[error("the server is shutting down")]
    Ending,
    /// The work panicked.
    #[error("it panicked")]
    Panicked,
}

/// Runs `work` on a thread where it may block.
pub(crate) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Lost> {
    // Tokio panics where it has no thread yet and gets none.
    let started = catch_unwind(AssertUnwindSafe(|| tokio::task::spawn_blocking(work)));
    let task = started.map_err(|_| Lost::NoThread)?;
    task.await.map_err(|error| if error.is_panic() { Lost::Panicked } else { Lost::Ending })
}
