//! What the server counts, for Prometheus.
//!
//! A scrape costs the same however long the queue is. No label is an account, a key or a host: each is of a set that the
//! program or the operator's `models.toml` bounds.

use crate::clock::now;
use crate::exposition::{self, Format};
use crate::log::LogWriter;
use crate::maintenance::Rounds;
use crate::store::{Store, StoreError};
use crate::supervisor::Restarts;
use crate::{deliveries, readings};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;
use std::time::Duration;

/// What each name begins with.
pub(crate) const PREFIX: &str = "clipia";

/// The seconds of a call: from a read in memory to a body that trickles in.
const CALL_SECONDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// The seconds of making: from a picture on an idle server to a clip on a busy one.
const WORK_SECONDS: [f64; 11] = [0.1, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0];

/// What the server counts while it runs.
pub struct Metrics {
    registry: Registry,
    calls: Family<Call, Counter>,
    call_seconds: Family<Route, Histogram>,
    pub(crate) rate_limited: Counter,
    pub(crate) connections: Gauge,
    pub(crate) connections_evicted: Counter,
    pub(crate) calls_refused: Counter,
    running: Gauge,
    pub(crate) restarts: Restarts,
    pub(crate) maintenance: Rounds,
    /// Names that are being looked up.
    pub(crate) lookups: Gauge,
    /// Generations that fetch what they start from.
    pub(crate) fetches: Gauge,
    /// Generations that a worker has claimed, and that wait to fetch.
    pub(crate) fetches_waiting: Gauge,
    /// Accounts of which generations are passed over in line.
    pub(crate) accounts_aside: Gauge,
    ended: Family<End, Counter>,
    making_seconds: Histogram,
    pauses: Family<Paused, Gauge>,
}

/// What a pause of work is of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Paused {
    of: String,
}

/// A kind of call, and how it was answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    route: String,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

/// How a worker's turn at a generation ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct End {
    model: String,
    outcome: &'static str,
}

/// How a worker's turn at a generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With an output.
    Completed,
    /// Without one.
    Failed,
    /// Given back, as when the server stops.
    Released,
}

impl Outcome {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Released => "released",
        }
    }
}

/// A generation that is being made, until this is dropped.
pub(crate) struct Running<'a>(&'a Gauge);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Metrics {
    /// Of a server whose log goes by `log`, if anything is known of it.
    pub(crate) fn new(log: Option<&LogWriter>) -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program", version);
        let metrics = Self {
            registry: Registry::default(),
            calls: Family::default(),
            call_seconds: Family::new_with_constructor(|| Histogram::new(CALL_SECONDS)),
            rate_limited: Counter::default(),
            connections: Gauge::default(),
            connections_evicted: Counter::default(),
            calls_refused: Counter::default(),
            running: Gauge::default(),
            restarts: Restarts::default(),
            maintenance: Rounds::default(),
            lookups: Gauge::default(),
            fetches: Gauge::default(),
            fetches_waiting: Gauge::default(),
            accounts_aside: Gauge::default(),
            ended: Family::default(),
            making_seconds: Histogram::new(WORK_SECONDS),
            pauses: Family::default(),
        };
        let r = &mut registry;
        r.register("http_requests", "Calls of the API by how they were answered", metrics.calls.clone());
        r.register_with_unit(
            "http_request",
            "How long calls of the API took until the head of the answer",
            Unit::Seconds,
            metrics.call_seconds.clone(),
        );
        r.register("rate_limited", "Calls over the rate limit of their key", metrics.rate_limited.clone());
        r.register("connections", "Open connections", metrics.connections.clone());
        r.register(
            "connections_evicted",
            "Connections closed to make room for another, whose clients asked, sent or read nothing",
            metrics.connections_evicted.clone(),
        );
        r.register("calls_refused", "Calls for which there was no room", metrics.calls_refused.clone());
        r.register("generations_running", "Generations being made", metrics.running.clone());
        r.register(
            "task_restarts",
            "Tasks of the server that died and were started again",
            metrics.restarts.clone(),
        );
        metrics.maintenance.register(r);
        if let Some(log) = log {
            r.register(
                "log_events_dropped",
                "Events of the log that could not be written",
                log.dropped_counter(),
            );
        }
        for (name, help, gauge) in [
            ("lookups_under_way", "Names of hosts that are being looked up", &metrics.lookups),
            (
                "fetches_under_way",
                "Generations that fetch their image, or have it and wait for a worker",
                &metrics.fetches,
            ),
            (
                "fetches_waiting",
                "Generations that were claimed and wait to fetch their image",
                &metrics.fetches_waiting,
            ),
            (
                "fetches_accounts_waiting",
                "Accounts that fetch as many images as they may, and of which more generations wait in line",
                &metrics.accounts_aside,
            ),
        ] {
            r.register(name, help, gauge.clone());
        }
        r.register("generations_ended", "Turns of workers at generations", metrics.ended.clone());
        r.register_with_unit(
            "generation",
            "How long generations took that completed, from the start of their last turn",
            Unit::Seconds,
            metrics.making_seconds.clone(),
        );
        r.register(
            "paused",
            "Whether generations wait for room for media, or for an executor that cannot work now",
            metrics.pauses.clone(),
        );
        Self { registry, ..metrics }
    }

    /// A call of the API was answered.
    pub(crate) fn called(&self, route: &str, method: &http::Method, status: u16, after: Duration) {
        let call = Call { route: route.to_owned(), method: method_name(method), status };
        self.calls.get_or_create(&call).inc();
        self.call_seconds.get_or_create(&Route { route: call.route }).observe(after.as_secs_f64());
    }

    /// A worker's turn at a generation begins.
    pub(crate) fn begin(&self) -> Running<'_> {
        self.running.inc();
        Running(&self.running)
    }

    /// A worker's turn at a generation has ended.
    pub(crate) fn ended(&self, model: &str, outcome: Outcome, after: Duration) {
        self.ended.get_or_create(&End { model: model.to_owned(), outcome: outcome.name() }).inc();
        if outcome == Outcome::Completed {
            self.making_seconds.observe(after.as_secs_f64());
        }
    }

    /// What tells whether work pauses for the sake of `of`.
    pub(crate) fn pause(&self, of: &str) -> Gauge {
        self.pauses.get_or_create(&Paused { of: of.to_owned() }).clone()
    }

    /// All of it in a text format, with what the store and the deliveries know at this moment.
    ///
    /// # Errors
    /// [`StoreError`] where the store does not answer.
    pub(crate) async fn text(
        &self,
        store: &dyn Store,
        deliveries: &deliveries::Statistics,
        format: Format,
    ) -> Result<String, StoreError> {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode_registry(&mut text, &self.registry);
        let _ = encode_registry(&mut text, &readings::read(store, deliveries, now()).await?);
        let _ = encode_eof(&mut text);
        Ok(match format {
            Format::OpenMetrics => text,
            Format::Prometheus => exposition::prometheus(&text),
        })
    }
}

/// The methods that the API takes. Others are whatever a client likes to send.
pub(crate) fn method_name(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        _ => "other",
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_of_bounded_sets() {
        let metrics = Metrics::default();
        for method in ["GET", "BREW", "A", "B"] {
            metrics.called("/v1/account", &method.parse().unwrap(), 405, Duration::ZERO);
        }
        let mut text = String::new();
        encode_registry(&mut text, &metrics.registry).unwrap();
        let lines = text.lines().filter(|line| line.starts_with("clipia_http_requests_total{"));
        assert_eq!(lines.count(), 2, "{text}");
    }
}
