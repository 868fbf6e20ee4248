//! What the store and the deliveries count themselves, read at a scrape. It costs the same however long the queue is.

use crate::deliveries::{self, LAG_BUCKETS};
use crate::metrics::PREFIX;
use crate::store::{self, Store, StoreError};
use clipia_queue::Moment;
use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::{Registry, Unit};
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Queue {
    queue: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Class {
    class: &'static str,
}

/// A histogram that somebody else keeps. The last bucket is of what is above all bounds: a quantile needs its `+Inf`.
#[derive(Debug)]
struct Counted {
    buckets: Vec<(f64, u64)>,
    sum: f64,
}

impl EncodeMetric for Counted {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        let count = self.buckets.iter().map(|(_, count)| count).sum();
        encoder.encode_histogram::<NoLabelSet>(self.sum, count, &self.buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

impl Counted {
    /// `units` of the histogram's are one of the metric's. Multiplied by a fraction a bound would read 0.09999999999999999.
    fn of(histogram: &store::Histogram, units: f64) -> Self {
        let bounds = histogram.bounds.iter().map(|bound| *bound as f64 / units).chain([f64::INFINITY]);
        Self {
            buckets: bounds.zip(histogram.counts.iter().copied()).collect(),
            sum: histogram.sum as f64 / units,
        }
    }

    fn lag(lag: &deliveries::Lag) -> Self {
        let within = lag.within.iter().copied().chain([lag.count]);
        let mut before = 0;
        let counts = within.map(|within| within - std::mem::replace(&mut before, within));
        Self {
            buckets: LAG_BUCKETS.into_iter().chain([f64::INFINITY]).zip(counts).collect(),
            sum: lag.seconds,
        }
    }
}

/// What is known at `now`.
///
/// # Errors
/// [`StoreError`] where the store does not answer.
pub(crate) async fn read(
    store: &dyn Store,
    deliveries: &deliveries::Statistics,
    now: Moment,
) -> Result<Registry, StoreError> {
    let mut registry = Registry::with_prefix(PREFIX);
    of_store(&mut registry, &store.statistics().await?, now);
    let due = store.next_delivery().await?.filter(|due| *due < now);
    registry.register_with_unit(
        "delivery_overdue",
        "How long the delivery that is most overdue has been due",
        Unit::Seconds,
        ConstGauge::new(due.map_or(Duration::ZERO, |due| now.since(due)).as_secs_f64()),
    );
    of_deliveries(&mut registry, deliveries);
    Ok(registry)
}

fn of_store(registry: &mut Registry, statistics: &store::Statistics, now: Moment) {
    let (depth, oldest) =
        (Family::<Queue, Gauge>::default(), Family::<Queue, Gauge<f64, AtomicU64>>::default());
    for line in &statistics.queues {
        let queue = Queue { queue: line.queue.clone() };
        depth.get_or_create(&queue).set(i64::try_from(line.waiting).unwrap_or(i64::MAX));
        let age = line.oldest.map_or(Duration::ZERO, |oldest| now.since(oldest));
        oldest.get_or_create(&queue).set(age.as_secs_f64());
    }
    registry.register("queue_depth", "Generations in line", depth);
    let help = "How long the oldest of those that are next in line has waited";
    registry.register_with_unit("queue_oldest_age", help, Unit::Seconds, oldest);
    let waits = Counted::of(&statistics.wait_micros, 1e6);
    let help = "How long generations stood in line before their first turn";
    registry.register_with_unit("queue_wait", help, Unit::Seconds, waits);
    let batches = Counted::of(&statistics.batches, 1.0);
    registry.register("commit_commands", "Commands that shared a commit", batches);
    let commits = Counted::of(&statistics.commit_micros, 1e6);
    registry.register_with_unit("commit", "How long commits took", Unit::Seconds, commits);
    let help = "Deliveries of a restored store that wait for a word of the operator";
    registry.register("deliveries_held", help, ConstGauge::new(statistics.deliveries_held));
    let help = "How large the log of the store is: a long read keeps it from being cut";
    registry.register_with_unit("store_log", help, Unit::Bytes, ConstGauge::new(statistics.log_bytes));
    for (name, help, count) in [
        ("generations_canceled", "Generations that were called off", statistics.canceled),
        ("leases_lost", "Leases of workers that fell silent", statistics.leases_lost),
        ("stale_writes_refused", "Words of workers that had lost their lease", statistics.stale_refused),
    ] {
        registry.register(name, help, ConstCounter::new(count));
    }
}

fn of_deliveries(registry: &mut Registry, statistics: &deliveries::Statistics) {
    let attempts = Family::<Class, Counter>::default();
    for (class, count) in statistics.attempts() {
        attempts.get_or_create(&Class { class: class.name() }).inc_by(count);
    }
    registry.register("delivery_attempts", "Attempts at deliveries by what became of them", attempts);
    let help = "How long after the end of their generation deliveries were first attempted";
    registry.register_with_unit("delivery_lag", help, Unit::Seconds, Counted::lag(&statistics.lag()));
    for (name, help, value) in [
        ("deliveries_under_way", "Attempts at deliveries under way", statistics.under_way()),
        ("delivery_hosts_down", "Hosts that are left alone for now", statistics.open_breakers()),
        ("delivery_hosts_waiting", "Hosts whose deliveries wait for room", statistics.waiting_hosts()),
    ] {
        registry.register(name, help, ConstGauge::new(value));
    }
    let given_up = ConstCounter::new(statistics.given_up());
    registry.register("deliveries_given_up", "Deliveries that were given up", given_up);
}
