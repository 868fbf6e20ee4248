//! The events of the SDK in Python's module `logging`, under the name `clipia_queue`.
//!
//! Events come from threads that must not wait for the GIL. So an event is only queued, and a thread that has the GIL
//! anyway flushes the queue. Events below the level of the logger are not queued: the level is read at the start of
//! each call, and below it tracing costs one comparison. Long pauses are queued at any level, for the bars of
//! `progress=True`.

use crate::asyncio_futures;
use clipia::printable;
use clipia_cli::Pause;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::{Debug, Write};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

const NAME: &str = "clipia_queue";

/// The target of the SDK's events.
const TARGET: &str = "clipia";

/// Records that are queued at most; further ones are lost. A thousand simultaneous calls make so many at the lowest
/// level.
const QUEUE_MAX: usize = 8_192;

/// The levels of `logging`.
const TRACE: u8 = 5;
const DEBUG: u8 = 10;
const INFO: u8 = 20;
const WARNING: u8 = 30;
const ERROR: u8 = 40;

/// The level of the logger.
static LEVEL: AtomicU8 = AtomicU8::new(WARNING);

static QUEUE: Mutex<VecDeque<LogRecord>> = Mutex::new(VecDeque::new());

/// Whether the queue is empty, readable without the lock.
static IS_EMPTY: AtomicBool = AtomicBool::new(true);

thread_local! {
    /// Held while this thread forks, so that the child finds the queue unlocked and intact.
    static HELD: RefCell<Option<MutexGuard<'static, VecDeque<LogRecord>>>> = const { RefCell::new(None) };
}

/// A queued record.
struct LogRecord {
    level: u8,
    target: &'static str,
    message: String,
    /// The text of a long pause, which is shown beside progress bars.
    pause: Option<String>,
}

/// Called when the module is imported.
pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
    let logging = py.import("logging")?;
    // A library must be silent until its user sets up logging.
    logger(py)?.call_method1("addHandler", (logging.call_method0("NullHandler")?,))?;
    Ok(())
}

fn logger<'py>(py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
    static LOGGER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let get = || Ok::<_, PyErr>(py.import("logging")?.call_method1("getLogger", (NAME,))?.unbind());
    Ok(LOGGER.get_or_try_init(py, get)?.bind(py).clone())
}

/// Reads the level of the logger. Called at the start of each call.
pub(crate) fn refresh(py: Python<'_>) -> PyResult<()> {
    static FORWARDING: Once = Once::new();
    // Not done at the import, because the program `clipia`, which this module contains, has a subscriber of its own.
    FORWARDING.call_once(|| drop(tracing::subscriber::set_global_default(Forward)));
    let level: i64 = logger(py)?.call_method0(pyo3::intern!(py, "getEffectiveLevel"))?.extract()?;
    let level = u8::try_from(level.max(0)).unwrap_or(u8::MAX);
    if LEVEL.swap(level, Ordering::Relaxed) != level {
        tracing::callsite::rebuild_interest_cache();
    }
    Ok(())
}

/// Passes the queued records to `logging`. Called by threads that have the GIL anyway.
///
/// # Errors
/// What interrupts the thread while a record is logged, such as Ctrl-C. All records were passed then.
pub(crate) fn flush(py: Python<'_>) -> PyResult<()> {
    if IS_EMPTY.load(Ordering::Relaxed) {
        return Ok(());
    }
    // Without the GIL, because a thread that is about to fork may hold the lock and wait for a thread that needs the
    // GIL.
    let records = py.detach(|| {
        let mut queue = queue();
        IS_EMPTY.store(true, Ordering::Relaxed);
        std::mem::take(&mut *queue)
    });
    let mut interruption = None;
    for record in records {
        let shown = record.pause.as_ref().map_or(Ok(()), |pause| show_beside_bars(py, pause));
        for failed in [log(py, &record), shown].into_iter().filter_map(Result::err) {
            // Handlers handle their own errors. The exception of a filter cannot be raised anywhere.
            if !failed.is_instance_of::<PyException>(py) {
                interruption.get_or_insert(failed);
            }
        }
    }
    interruption.map_or(Ok(()), Err)
}

/// Shows a pause beside the progress bars.
fn show_beside_bars(py: Python<'_>, pause: &str) -> PyResult<()> {
    static SHOW: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    SHOW.import(py, "clipia_queue._progress", "show_beside_bars")?.call1((pause,))?;
    Ok(())
}

/// Logs a warning of the bindings. What interrupts it is ignored: an exception is on its way already.
pub(crate) fn warn(py: Python<'_>, message: &str) {
    let _ = flush(py);
    let record = LogRecord { level: WARNING, target: TARGET, message: message.to_owned(), pause: None };
    let _ = log(py, &record);
}

fn log(py: Python<'_>, record: &LogRecord) -> PyResult<()> {
    let logger = logger(py)?;
    if logger.call_method1("isEnabledFor", (record.level,))?.is_truthy()? {
        let none = py.None();
        let arguments = (NAME, record.level, record.target, 0, &record.message, &none, &none);
        let record = logger.call_method1("makeRecord", arguments)?;
        logger.call_method1("handle", (record,))?;
    }
    Ok(())
}

/// Called before a fork.
pub(crate) fn hold() {
    HELD.set(Some(queue()));
}

/// Called in the child of a fork. The parent flushes the records of before.
pub(crate) fn clear() {
    HELD.with_borrow_mut(|held| held.as_mut().map(|queue| queue.clear()));
    IS_EMPTY.store(true, Ordering::Relaxed);
}

/// Called after a fork, in both processes.
pub(crate) fn release() {
    HELD.take();
}

fn queue() -> MutexGuard<'static, VecDeque<LogRecord>> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the logger takes records of this level.
fn is_enabled(level: u8) -> bool {
    level >= LEVEL.load(Ordering::Relaxed)
}

fn level(level: Level) -> u8 {
    match level {
        Level::ERROR => ERROR,
        Level::WARN => WARNING,
        Level::INFO => INFO,
        Level::DEBUG => DEBUG,
        Level::TRACE => TRACE,
    }
}

/// Queues events. Spans are ignored, because their fields are in their events, too.
struct Forward;

impl Subscriber for Forward {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && metadata.target().split("::").next() == Some(TARGET)
            && (is_enabled(level(*metadata.level())) || Pause::is_reported_by(metadata))
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        // The level of long pauses, or a lower one.
        let levels = [Level::TRACE, Level::DEBUG, Level::INFO];
        let lowest = levels.into_iter().find(|&lowest| is_enabled(level(lowest)));
        Some(LevelFilter::from_level(lowest.unwrap_or(Level::INFO)))
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let pause = Pause::of(event);
        // A long pause is a warning, because the program seems to hang.
        let at_least = if pause.as_ref().is_some_and(Pause::is_long) { WARNING } else { TRACE };
        let level = level(*metadata.level()).max(at_least);
        let pause = pause.and_then(|pause| pause.line());
        if pause.is_none() && !is_enabled(level) {
            return;
        }
        let mut text = Text::default();
        event.record(&mut text);
        let message = printable(&(text.message + &text.fields)).into_owned();
        let record = LogRecord { level, target: metadata.target(), message, pause };
        let first = {
            let mut queue = queue();
            if queue.len() >= QUEUE_MAX {
                return;
            }
            queue.push_back(record);
            IS_EMPTY.swap(false, Ordering::Relaxed)
        };
        if first {
            asyncio_futures::flush_log();
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// An event as a line: `tried operation=status http_status=200`.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}
