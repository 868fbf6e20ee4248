//! The metrics of the server, for Prometheus.
//!
//! A scrape costs the same however long the queue is. No label is an account, a key or a host: the program or the operator's
//! `models.toml` bounds the values of each label.

mod exposition;
mod statistics;

pub(crate) use exposition::Format;

use crate::clock::now;
use crate::deliveries::DeliveryStatistics;
use crate::log::LogWriter;
use crate::maintenance::Rounds;
use crate::store::{Store, StoreError};
use crate::supervisor::Restarts;
use clipia_worker::work::End;
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

/// The prefix of each metric's name.
const PREFIX: &str = "clipia";

/// The buckets of a call's duration, in seconds: from a read in memory to a body that arrives slowly.
const CALL_SECONDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// The buckets of a generation's duration, in seconds: from a picture on an idle server to a clip on a busy one.
const WORK_SECONDS: [f64; 11] = [0.1, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0];

/// The metrics that the server counts while it runs.
pub(crate) struct Metrics {
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
    /// Host names that are being looked up.
    pub(crate) lookups: Gauge,
    /// Generations with a preparation slot.
    pub(crate) fetches: Gauge,
    /// Claimed generations that wait for a preparation slot.
    pub(crate) fetches_waiting: Gauge,
    /// Accounts with generations that were set aside.
    pub(crate) accounts_aside: Gauge,
    ended: Family<Ended, Counter>,
    generation_seconds: Histogram,
    pauses: Family<Paused, Gauge>,
}

/// The thing that is paused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Paused {
    of: String,
}

/// A kind of call, and the status of its response.
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

/// The model and the outcome of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    model: String,
    outcome: &'static str,
}

/// Counts a running attempt. Dropping this ends the count.
pub(crate) struct Running(Gauge);

impl Drop for Running {
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
    /// The metrics of a server. Those of `log` are among them, if it is given.
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
            generation_seconds: Histogram::new(WORK_SECONDS),
            pauses: Family::default(),
        };
        metrics.register_calls(&mut registry);
        registry.register(
            "task_restarts",
            "Restarts of the server's tasks that died",
            metrics.restarts.clone(),
        );
        metrics.maintenance.register(&mut registry);
        if let Some(log) = log {
            let help = "Events of the log that could not be written";
            registry.register("log_events_dropped", help, log.dropped_counter());
        }
        metrics.register_preparation(&mut registry);
        metrics.register_generations(&mut registry);
        Self { registry, ..metrics }
    }

    fn register_calls(&self, r: &mut Registry) {
        r.register("http_requests", "Calls of the API by status", self.calls.clone());
        r.register_with_unit(
            "http_request",
            "How long calls of the API took until the head of the response",
            Unit::Seconds,
            self.call_seconds.clone(),
        );
        r.register("rate_limited", "Calls over the rate limit of their key", self.rate_limited.clone());
        r.register("connections", "Open connections", self.connections.clone());
        r.register(
            "connections_evicted",
            "Connections closed in favour of another one, because their clients were idle or too slow",
            self.connections_evicted.clone(),
        );
        r.register("calls_refused", "Calls refused for lack of capacity", self.calls_refused.clone());
    }

    fn register_preparation(&self, r: &mut Registry) {
        for (name, help, gauge) in [
            ("lookups_under_way", "Host names that are being looked up", &self.lookups),
            (
                "fetches_under_way",
                "Generations that fetch their image, or have fetched it and wait for a worker",
                &self.fetches,
            ),
            ("fetches_waiting", "Claimed generations that wait to fetch their image", &self.fetches_waiting),
            (
                "fetches_accounts_waiting",
                "Accounts that fetch as many images as they may, and have more generations queued",
                &self.accounts_aside,
            ),
        ] {
            r.register(name, help, gauge.clone());
        }
    }

    fn register_generations(&self, r: &mut Registry) {
        r.register("generations_running", "Running attempts at generations", self.running.clone());
        r.register("generations_ended", "Attempts at generations by outcome", self.ended.clone());
        r.register_with_unit(
            "generation",
            "How long completed generations took, from the start of their last attempt",
            Unit::Seconds,
            self.generation_seconds.clone(),
        );
        r.register(
            "paused",
            "Whether generations wait until media can be written, or until an executor can work again",
            self.pauses.clone(),
        );
    }

    /// Counts a call of the API.
    pub(crate) fn called(&self, route: &str, method: &http::Method, status: u16, after: Duration) {
        let call = Call { route: route.to_owned(), method: method_name(method), status };
        self.calls.get_or_create(&call).inc();
        self.call_seconds.get_or_create(&Route { route: call.route }).observe(after.as_secs_f64());
    }

    /// Counts the begin of an attempt.
    pub(crate) fn begin(&self) -> Running {
        self.running.inc();
        Running(self.running.clone())
    }

    /// Counts the end of an attempt.
    pub(crate) fn ended(&self, model: &str, end: &End, after: Duration) {
        self.ended.get_or_create(&Ended { model: model.to_owned(), outcome: end.name() }).inc();
        if matches!(end, End::Completed(_)) {
            self.generation_seconds.observe(after.as_secs_f64());
        }
    }

    /// The gauge of the pause of `of`: 1 while it is on.
    pub(crate) fn pause(&self, of: &str) -> Gauge {
        self.pauses.get_or_create(&Paused { of: of.to_owned() }).clone()
    }

    /// All metrics in an exposition format, with the current statistics of the store and of the deliveries.
    ///
    /// # Errors
    /// [`StoreError`] if the store's statistics cannot be read.
    pub(crate) async fn text(
        &self,
        store: &dyn Store,
        deliveries: &DeliveryStatistics,
        format: Format,
    ) -> Result<String, StoreError> {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode_registry(&mut text, &self.registry);
        let _ = encode_registry(&mut text, &statistics::read(store, deliveries, now()).await?);
        let _ = encode_eof(&mut text);
        Ok(match format {
            Format::OpenMetrics => text,
            Format::Prometheus => exposition::prometheus(&text),
        })
    }
}

/// The label of a method. Methods that the API does not take have one label, since a client may send any text.
pub(crate) fn method_name(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
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
    fn the_values_of_a_label_are_bounded() {
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
