//! Prints on stderr what a long pause of the SDK waits for. The SDK reports each pause as a trace event.

use crate::output;
use clipia::printable;
use indicatif::MultiProgress;
use std::fmt::Debug;
use std::sync::OnceLock;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// The length up to which a pause is not printed, in milliseconds.
const PAUSE_LONG_MS: u64 = 5_000;

/// The progress bars on the terminal. Lines are printed above them.
static BARS: OnceLock<MultiProgress> = OnceLock::new();

/// Starts printing pauses, unless this process has a tracing subscriber already.
pub(crate) fn start() {
    // The call fails in a Python process, whose own subscriber reports the pauses.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Pauses));
}

/// Prints further lines above `bars`.
pub(crate) fn above(bars: &MultiProgress) {
    let _ = BARS.set(bars.clone());
}

struct Pauses;

impl<S: Subscriber> Layer<S> for Pauses {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.is_event() && metadata.target().starts_with("clipia::") && Pause::is_reported_by(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let Some(line) = Pause::of(event).and_then(|pause| pause.line()) else { return };
        match BARS.get().filter(|bars| !bars.is_hidden()) {
            // `suspend` would panic if the terminal is gone.
            Some(bars) => drop(bars.println(printable(&format!("  {line}")))),
            None => output::say(format_args!("  {line}")),
        }
    }
}

/// A pause of the SDK, as its trace event reports it.
#[derive(Debug, Default)]
pub struct Pause {
    waits_for: String,
    /// The length in milliseconds; `None` if it is not known.
    pause_ms: Option<u64>,
}

impl Pause {
    /// Whether events with this metadata report a pause.
    pub fn is_reported_by(metadata: &Metadata<'_>) -> bool {
        metadata.fields().field("waits_for").is_some()
    }

    /// The pause that `event` reports, if it reports one.
    pub fn of(event: &Event<'_>) -> Option<Self> {
        Self::is_reported_by(event.metadata()).then(|| {
            let mut pause = Self::default();
            event.record(&mut pause);
            pause
        })
    }

    /// Whether the pause is known to last longer than five seconds.
    pub fn is_long(&self) -> bool {
        self.pause_ms.is_some_and(|pause_ms| pause_ms > PAUSE_LONG_MS)
    }

    /// The line that people read; `None` for a short pause.
    pub fn line(&self) -> Option<String> {
        match self.pause_ms {
            None => Some(format!("waiting for {}", self.waits_for)),
            Some(pause_ms) => self
                .is_long()
                .then(|| format!("waiting for {}, {} s", self.waits_for, pause_ms.div_ceil(1_000))),
        }
    }
}

impl Visit for Pause {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "pause_ms" {
            self.pause_ms = Some(value);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "waits_for" {
            value.clone_into(&mut self.waits_for);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_pause_says_what_it_waits_for() {
        for (pause_ms, line) in [
            (Some(5_000), None),
            (Some(29_100), Some("waiting for the rate limit, 30 s")),
            (None, Some("waiting for the rate limit")),
        ] {
            let pause = Pause { waits_for: "the rate limit".to_owned(), pause_ms };
            assert_eq!(pause.line().as_deref(), line);
        }
    }
}
