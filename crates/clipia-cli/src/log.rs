//! What the server traces, on stderr.

use clipia::printable;
use clipia_server::LogFormat;
use std::fmt;
use std::io::IsTerminal;
use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

/// Writes events to stderr: as text for eyes, as JSON for whatever gathers logs.
pub(crate) fn write(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let terminal = std::io::stderr().is_terminal();
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let text = match format {
        LogFormat::Auto => terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    if text {
        subscriber
            .fmt_fields(printable_fields())
            .with_ansi(terminal && std::env::var_os("NO_COLOR").is_none())
            .init();
    } else {
        subscriber.json().flatten_event(true).with_span_list(false).init();
    }
}

/// The fields of an event as text, without what a terminal would obey: they hold what strangers sent. By itself
/// `tracing-subscriber` takes some of that out of an event's message, and nothing out of the other fields.
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
    fn an_event_gives_the_terminal_no_orders() {
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
