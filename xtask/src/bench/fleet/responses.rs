//! The responses of a server, counted from its own trace events.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// The target of the event that a server traces after each response, with the `status`.
const TARGET: &str = "clipia_server::http::observe";

/// A subscriber that counts the responses of the server on its threads.
#[derive(Clone, Debug, Default)]
pub(in crate::bench) struct Responses(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    all: AtomicU64,
    refused: AtomicU64,
}

impl Responses {
    /// The number of all responses.
    pub(in crate::bench) fn all(&self) -> u64 {
        self.0.all.load(Ordering::Relaxed)
    }

    /// The number of responses with 429.
    pub(in crate::bench) fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }
}

impl Subscriber for Responses {
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
