//! What the SDK traces, in Python's module `logging`, under the name `clipia_queue`.
//!
//! It is traced on threads that must not wait for the GIL, and so only noted there; a thread that has the GIL anyway
//! passes it on. What `logging` would not take is not even noted: its level is read at the start of each call, and
//! below that tracing costs one comparison. Long pauses are noted at any level, for the bars of `progress=True`.

use crate::deliveries;
use clipia::printable;
use clipia_cli::Pause;
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

/// Whose events are passed on: the SDK's.
const TARGET: &str = "clipia";

/// How many may wait to be passed on; those beyond are lost. That is of a thousand calls at once at the lowest level.
const NOTED_MAX: usize = 8_192;

/// What `logging` calls levels.
const TRACE: u8 = 5;
const DEBUG: u8 = 10;
const INFO: u8 = 20;
const WARNING: u8 = 30;
const ERROR: u8 = 40;

/// The level from which on `logging` takes what is told.
static TAKEN: AtomicU8 = AtomicU8::new(WARNING);

static NOTED: Mutex<VecDeque<Told>> = Mutex::new(VecDeque::new());

/// Whether nothing is noted, without the lock.
static NONE: AtomicBool = AtomicBool::new(true);

thread_local! {
    /// Held while this thread forks, so that the child finds the lock in order.
    static HELD: RefCell<Option<MutexGuard<'static, VecDeque<Told>>>> = const { RefCell::new(None) };
}

/// One event.
struct Told {
    level: u8,
    target: &'static str,
    message: String,
    /// What it tells bars of a long pause.
    pause: Option<String>,
}

/// Called when the module is imported.
pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
    let logging = py.import("logging")?;
    // A library says nothing where its user has not set up logging.
    logger(py)?.call_method1("addHandler", (logging.call_method0("NullHandler")?,))?;
    Ok(())
}

fn logger<'py>(py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
    static LOGGER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let get = || Ok::<_, PyErr>(py.import("logging")?.call_method1("getLogger", (NAME,))?.unbind());
    Ok(LOGGER.get_or_try_init(py, get)?.bind(py).clone())
}

/// Asks `logging` for its level. Called at the start of each call.
pub(crate) fn refresh(py: Python<'_>) -> PyResult<()> {
    static FORWARDING: Once = Once::new();
    // Not at the import: the program `clipia`, which this module has too, says its traces itself and never comes here.
    FORWARDING.call_once(|| drop(tracing::subscriber::set_global_default(Forward)));
    let level: i64 = logger(py)?.call_method0(pyo3::intern!(py, "getEffectiveLevel"))?.extract()?;
    let level = u8::try_from(level.max(0)).unwrap_or(u8::MAX);
    if TAKEN.swap(level, Ordering::Relaxed) != level {
        tracing::callsite::rebuild_interest_cache();
    }
    Ok(())
}

/// Passes on what was noted. Called by threads that have the GIL anyway.
pub(crate) fn flush(py: Python<'_>) {
    if NONE.load(Ordering::Relaxed) {
        return;
    }
    // Without the GIL: a thread about to fork may have the lock, and wait for one that needs the GIL.
    let noted = py.detach(|| {
        let mut noted = noted();
        NONE.store(true, Ordering::Relaxed);
        std::mem::take(&mut *noted)
    });
    for told in noted {
        // Handlers deal with their own failures; what a filter raises has nowhere to go.
        let _ = log(py, &told);
        if let Some(pause) = &told.pause {
            let _ = tell_bars(py, pause);
        }
    }
}

/// Has a pause told beside the bars that are shown.
fn tell_bars(py: Python<'_>, pause: &str) -> PyResult<()> {
    static TELL: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    TELL.import(py, "clipia_queue._progress", "tell")?.call1((pause,))?;
    Ok(())
}

/// A warning of the binding's own.
pub(crate) fn warn(py: Python<'_>, message: &str) {
    flush(py);
    let told = Told { level: WARNING, target: TARGET, message: message.to_owned(), pause: None };
    let _ = log(py, &told);
}

fn log(py: Python<'_>, told: &Told) -> PyResult<()> {
    let logger = logger(py)?;
    if logger.call_method1("isEnabledFor", (told.level,))?.is_truthy()? {
        let none = py.None();
        let record = (NAME, told.level, told.target, 0, &told.message, &none, &none);
        let record = logger.call_method1("makeRecord", record)?;
        logger.call_method1("handle", (record,))?;
    }
    Ok(())
}

/// Before a fork.
pub(crate) fn hold() {
    HELD.set(Some(noted()));
}

/// In the child: what was noted is passed on by the parent.
pub(crate) fn clear() {
    HELD.with_borrow_mut(|held| held.as_mut().map(|noted| noted.clear()));
    NONE.store(true, Ordering::Relaxed);
}

/// After it, in both.
pub(crate) fn release() {
    HELD.take();
}

fn noted() -> MutexGuard<'static, VecDeque<Told>> {
    NOTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether `logging` takes what is told at this level.
fn is_taken(level: u8) -> bool {
    level >= TAKEN.load(Ordering::Relaxed)
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

/// Notes events. Spans say nothing that the events in them do not.
struct Forward;

impl Subscriber for Forward {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && metadata.target().split("::").next() == Some(TARGET)
            && (is_taken(level(*metadata.level())) || Pause::is_reported_by(metadata))
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        // That of long pauses, or lower.
        let levels = [Level::TRACE, Level::DEBUG, Level::INFO];
        let lowest = levels.into_iter().find(|&lowest| is_taken(level(lowest)));
        Some(LevelFilter::from_level(lowest.unwrap_or(Level::INFO)))
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let pause = Pause::of(event);
        // People look at a program that stands still.
        let at_least = if pause.as_ref().is_some_and(Pause::is_long) { WARNING } else { TRACE };
        let level = level(*metadata.level()).max(at_least);
        let pause = pause.and_then(|pause| pause.line());
        if pause.is_none() && !is_taken(level) {
            return;
        }
        let mut text = Text::default();
        event.record(&mut text);
        let message = printable(&(text.message + &text.fields)).into_owned();
        let told = Told { level, target: metadata.target(), message, pause };
        let first = {
            let mut noted = noted();
            if noted.len() >= NOTED_MAX {
                return;
            }
            noted.push_back(told);
            NONE.swap(false, Ordering::Relaxed)
        };
        if first {
            deliveries::nudge();
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
