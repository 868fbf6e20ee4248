//! What a server answered, counted from its own log.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Where a server logs each call that it has answered, with the `status`.
const TARGET: &str = "clipia_server::http::observe";

/// Counts the answers of the server that runs on the threads it is the subscriber of.
#[derive(Clone, Debug, Default)]
pub(in crate::bench) struct Answers(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    all: AtomicU64,
    refused: AtomicU64,
}

impl Answers {
    /// Requests answered.
    pub(in crate::bench) fn all(&self) -> u64 {
        self.0.all.load(Ordering::Relaxed)
    }

    /// Those answered with 429.
    pub(in crate::bench) fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }
}

impl Subscriber for Answers {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target() == TARGET
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Status(&self.0));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Status<'a>(&'a Counts);

impl Visit for Status<'_> {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "status" {
            self.0.all.fetch_add(1, Ordering::Relaxed);
            self.0.refused.fetch_add((value == 429).into(), Ordering::Relaxed);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}
