//! The runtime of the blocking calls. The threads that call drive it themselves: a response that another thread reads
//! costs two switches between threads. While nobody calls, a thread of its own drives it, because connections close,
//! timers pass and waits go on between calls too.

use crate::asyncio_futures::{self, Completer};
use pyo3::prelude::*;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

/// How long nobody has called when the keeper begins to drive. A thread that calls again sooner finds the runtime free.
const IDLE: Duration = Duration::from_millis(10);

/// The driver, which lives as long as the process. The mutex is only locked by a thread that has the GIL. A thread that
/// forks has it, too, so a forked process finds the mutex unlocked.
static DRIVER: Mutex<Option<&'static Driver>> = Mutex::new(None);

/// The runtime and who drives it. It has no lock of its own that a forked process could find locked.
pub(crate) struct Driver {
    runtime: Runtime,
    /// The number of calls under way.
    calls: AtomicUsize,
    /// The number of calls that have begun, of which the keeper sees whether there was a new one.
    begun: AtomicUsize,
    /// The thread that drives while nobody calls.
    keeper: OnceLock<Thread>,
    /// Whether the keeper drives, or is about to.
    keeping: AtomicBool,
    /// Has the keeper stop driving.
    stop_keeping: Notify,
}

/// The driver. The first call starts it.
pub(crate) fn get(py: Python<'_>) -> PyResult<&'static Driver> {
    let mut driver = DRIVER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(driver) = *driver {
        return Ok(driver);
    }
    Ok(*driver.insert(Driver::start(asyncio_futures::get(py))?))
}

/// Called in a process that was just forked, which has no keeper.
pub(crate) fn forget(_: Python<'_>) {
    *DRIVER.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

impl Driver {
    fn start(completer: &'static Completer) -> std::io::Result<&'static Self> {
        let on_thread_start = move || asyncio_futures::on_runtime_thread(completer);
        let runtime = Builder::new_current_thread().enable_all().on_thread_start(on_thread_start).build()?;
        let driver: &'static Self = Box::leak(Box::new(Self {
            runtime,
            calls: AtomicUsize::new(0),
            begun: AtomicUsize::new(0),
            keeper: OnceLock::new(),
            keeping: AtomicBool::new(false),
            stop_keeping: Notify::new(),
        }));
        let keep = move || {
            on_thread_start();
            driver.keep();
        };
        let keeper = thread::Builder::new().name("clipia-idle".to_owned()).spawn(keep)?;
        driver.keeper.get_or_init(|| keeper.thread().clone());
        Ok(driver)
    }

    /// Begins a call, for whose length the keeper leaves the runtime to the threads that call.
    pub(crate) fn begin(&self) -> Call<'_> {
        let begun = Instant::now();
        self.calls.fetch_add(1, SeqCst);
        self.begun.fetch_add(1, SeqCst);
        if self.keeping.load(SeqCst) {
            self.stop_keeping.notify_one();
        }
        Call { driver: self, begun }
    }

    /// Drives the runtime while nobody calls.
    fn keep(&self) {
        let mut begun = self.begun.load(SeqCst);
        loop {
            let since = Instant::now();
            while since.elapsed() < IDLE {
                thread::park_timeout(IDLE.saturating_sub(since.elapsed()));
            }
            let before = std::mem::replace(&mut begun, self.begun.load(SeqCst));
            if begun != before {
                continue;
            }
            if self.calls.load(SeqCst) > 0 {
                // All calls are older than `IDLE`, and the last of them to end wakes this thread.
                thread::park();
                continue;
            }
            self.keeping.store(true, SeqCst);
            // A call that begins from here on sees that this thread keeps.
            if self.calls.load(SeqCst) == 0 {
                self.runtime.block_on(self.stop_keeping.notified());
            }
            self.keeping.store(false, SeqCst);
        }
    }
}

/// A call under way.
pub(crate) struct Call<'a> {
    driver: &'a Driver,
    begun: Instant,
}

impl Call<'_> {
    /// Drives a future of the call on this thread, for some time at most.
    pub(crate) fn drive_for<F: Future>(&self, time: Duration, future: F) -> Option<F::Output> {
        self.driver.runtime.block_on(async { tokio::time::timeout(time, future).await.ok() })
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let is_last = self.driver.calls.fetch_sub(1, SeqCst) == 1;
        // After a shorter call the keeper looks by itself.
        if is_last
            && self.begun.elapsed() >= IDLE
            && let Some(keeper) = self.driver.keeper.get()
        {
            keeper.unpark();
        }
    }
}
