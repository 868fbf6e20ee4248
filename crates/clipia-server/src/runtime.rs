//! The threads that a server runs on.

use std::io;
use tokio::runtime::{Builder, Runtime};

/// A runtime for a [`Service`](crate::Service): it answers calls on all cores but one, which the store's own thread keeps
/// busy when many submit. More threads only take turns with that one, which costs both.
///
/// # Errors
/// Where the system gives no thread.
///
/// ```
/// let runtime = clipia_server::runtime()?;
/// assert_eq!(runtime.block_on(async { 7 }), 7);
/// # Ok::<_, std::io::Error>(())
/// ```
pub fn runtime() -> io::Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Builder::new_multi_thread().worker_threads(cores.saturating_sub(1).max(1)).enable_all().build()
}
