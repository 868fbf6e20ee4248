//! Work that blocks, on a thread of its own.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// The priority of a thread for long computations, as `nice` counts it: a tenth of the processor that a thread for calls gets
/// where both want it, and all that nobody else wants.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// The threads for long computations. The runtime is there for them: nothing asynchronous runs on it.
static LONG: LazyLock<io::Result<Runtime>> = LazyLock::new(|| {
    Builder::new_current_thread().thread_name("clipia-long").on_thread_start(give_way).build()
});

/// Lets other threads have the processor first. Elsewhere than on Linux this would be the whole process.
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICE) {
        tracing::debug!(%error, "a thread for long computations runs at the priority of all others");
    }
}

/// Why such work has no result.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
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
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Lost> {
    wait(|| tokio::task::spawn_blocking(work)).await
}

/// Runs `work` that computes for milliseconds or more, on a thread that gives way to those that answer calls. With as many
/// computing threads as cores, each call would otherwise wait for the scheduler's next time slice, some 3 ms.
pub async fn compute<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Lost> {
    let long = LONG.as_ref().map_err(|_| Lost::NoThread)?;
    wait(|| long.spawn_blocking(work)).await
}

async fn wait<T>(start: impl FnOnce() -> JoinHandle<T>) -> Result<T, Lost> {
    // Tokio panics where it has no thread yet and gets none.
    let started = catch_unwind(AssertUnwindSafe(start));
    let task = started.map_err(|_| Lost::NoThread)?;
    task.await.map_err(|error| if error.is_panic() { Lost::Panicked } else { Lost::Ending })
}
