//! The runtime of a blocking client: one thread for its connections and timers, shared by its clones.

use crate::error::Error;
use std::future::Future;
use std::sync::Arc;
use tokio::runtime::{Builder, Handle};

#[derive(Clone, Debug)]
pub(super) struct Runtime {
    handle: Handle,
    _thread: Arc<Thread>,
}

/// The thread of the runtime. It ends when this is dropped.
#[derive(Debug)]
struct Thread(Option<tokio::runtime::Runtime>);

impl Runtime {
    pub(super) fn start() -> Result<Self, Error> {
        // Calling threads drive their own futures; this thread only wakes them.
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("clipia").enable_all().build();
        let runtime = runtime.map_err(|cause| Error::Setup { cause: Box::new(cause) })?;
        Ok(Self { handle: runtime.handle().clone(), _thread: Arc::new(Thread(Some(runtime))) })
    }

    /// Drives a future to its end on the calling thread.
    #[track_caller]
    pub(super) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.handle.block_on(future)
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // Does not block, so it is allowed in async code, too.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
