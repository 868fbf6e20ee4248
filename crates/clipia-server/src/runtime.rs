//! The runtime of a server.

use std::io;
use tokio::runtime::{Builder, Runtime};

/// A runtime for a [`Service`](crate::Service), with a thread for each core but one. The store's writer keeps that core busy
/// when many clients submit, and another thread would only slow both down.
///
/// # Errors
/// If the system cannot start a thread.
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
