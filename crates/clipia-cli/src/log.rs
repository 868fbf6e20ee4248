//! The server's log: its trace events on stderr.

use anyhow::anyhow;
use clipia::printable;
use clipia_server::{LogFormat, LogWriter};
use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt;
use std::io::{IsTerminal, Write};
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::time::Duration;
use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::reload::Handle;

/// The longest time that the end of the process waits for the last events to be written.
const LAST_EVENTS: Duration = Duration::from_secs(1);

/// The log of this process, once [`start`] has started it.
static LOG: OnceLock<LogWriter> = OnceLock::new();

/// Starts writing events to stderr: as text for people, as JSON for a log collector. Panics become events too: the standard
/// library would write them to stderr directly, and a full pipe would block the thread that panicked.
pub(crate) fn start(format: LogFormat) -> anyhow::Result<LogWriter> {
    start_from(format, "info")
}

/// The same for a program whose own output is what matters: only errors are written, unless `RUST_LOG` says otherwise.
pub(crate) fn start_quiet(format: LogFormat) -> anyhow::Result<LogWriter> {
    start_from(format, "error")
}

fn start_from(format: LogFormat, level: &str) -> anyhow::Result<LogWriter> {
    let log = LogWriter::start(std::io::stderr())?;
    let writer = log.clone();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let terminal = std::io::stderr().is_terminal();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || writer.clone())
        // `tracing-subscriber` would print them with `eprintln!`, which panics if stderr is broken.
        .log_internal_errors(false);
    let text = match format {
        LogFormat::Auto => terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    // What is logged can be changed while the server runs.
    let started = if text {
        let subscriber = subscriber
            .fmt_fields(printable_fields())
            .with_ansi(terminal && std::env::var_os("NO_COLOR").is_none())
            .with_filter_reloading();
        set_by(&log, subscriber.reload_handle());
        subscriber.try_init()
    } else {
        let subscriber = subscriber.json().flatten_event(true).with_span_list(false).with_filter_reloading();
        set_by(&log, subscriber.reload_handle());
        subscriber.try_init()
    };
    started.map_err(|error| anyhow!("cannot start the log: {error}"))?;
    std::panic::set_hook(Box::new(panicked));
    Ok(LOG.get_or_init(|| log).clone())
}

/// Has the level of the log be changed through `handle`.
fn set_by<S: 'static>(log: &LogWriter, handle: Handle<EnvFilter, S>) {
    log.on_level(move |filter| {
        let filter = EnvFilter::try_new(filter).map_err(|error| error.to_string())?;
        handle.reload(filter).map_err(|error| error.to_string())
    });
}

/// Writes a line between events. Returns false if this process has no log.
pub(crate) fn say(line: &str) -> bool {
    let Some(mut log) = LOG.get().cloned() else { return false };
    // `LogWriter` never fails: it drops what it cannot take.
    let _ = log.write_all(format!("{line}\n").as_bytes());
    true
}

/// Waits until all events so far are written, for [`LAST_EVENTS`] at most: stderr may have no reader.
pub(crate) fn finish() {
    if let Some(log) = LOG.get() {
        log.flush(LAST_EVENTS);
    }
}

fn panicked(panic: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let backtrace = Backtrace::capture();
    tracing::error!(
        panic = panic.payload_as_str(),
        at = panic.location().map(tracing::field::display),
        thread = thread.name(),
        backtrace =
            (backtrace.status() == BacktraceStatus::Captured).then(|| tracing::field::display(&backtrace)),
        "a thread panicked"
    );
    // A panic of the main thread may end the process.
    if thread.name() == Some("main") {
        finish();
    }
}

/// The fields of an event as text, with control characters escaped: fields hold text of strangers, which must not control
/// the terminal. `tracing-subscriber` itself escapes some of them in the message, and none in the other fields.
fn printable_fields() -> impl for<'writer> FormatFields<'writer> {
    let write = |writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug| {
        let value = format!("{value:?}");
        let value = printable(&value);
        match (field.name(), writer.has_ansi_escapes()) {
            ("message", _) => write!(writer, "{value}"),
            (name, true) => write!(writer, "\x1b[3m{name}\x1b[0m\x1b[2m=\x1b[0m{value}"),
            (name, false) => write!(writer, "{name}={value}"),
        }
    };
    debug_fn(write).delimited(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex, PoisonError};

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn control_characters_in_an_event_are_escaped() {
        let hostile = "too\u{1b}]0;owned\u{7}\r\u{9b}2K\u{202e}dark";
        for (ansi, equals) in [(false, "="), (true, "\u{1b}[2m=\u{1b}[0m")] {
            let written = Written::default();
            let writer = written.clone();
            let subscriber = tracing_subscriber::fmt()
                .fmt_fields(printable_fields())
                .with_ansi(ansi)
                .with_writer(move || writer.clone())
                .finish();
            tracing::subscriber::with_default(subscriber, || {
                tracing::info!(error = %hostile, attempt = 2, "{hostile}");
            });
            let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
            assert!(
                text.ends_with(&format!(
                    "attempt{}2\n",
                    if ansi { "\u{1b}[0m\u{1b}[2m=\u{1b}[0m" } else { "=" }
                )),
                "{text:?}"
            );
            assert!(
                text.contains(&format!("{equals}too\\u001b]0;owned\\u0007\\u000d\\u009b2K\\u202edark")),
                "{text:?}"
            );
            assert!(
                !text.contains(['\u{7}', '\r', '\u{9b}', '\u{202e}']) && !text.contains("\u{1b}]"),
                "{text:?}"
            );
        }
    }
}
