//! The metrics that the store and the deliveries count themselves. Each scrape reads them, at the same cost however long the
//! queue is.

use crate::deliveries::{DeliveryLag, DeliveryStatistics, LAG_BUCKETS};
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

/// A histogram that was counted elsewhere. The last bucket has the bound `+Inf`, which a quantile needs.
#[derive(Debug)]
struct CountedHistogram {
    buckets: Vec<(f64, u64)>,
    sum: f64,
}

impl EncodeMetric for CountedHistogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        let count = self.buckets.iter().map(|(_, count)| count).sum();
        encoder.encode_histogram::<NoLabelSet>(self.sum, count, &self.buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

impl CountedHistogram {
    /// A histogram of the store. One unit of the metric is `units` of the histogram. The division gives exact bounds, where a
    /// multiplication by a fraction would give 0.09999999999999999.
    fn from_store(histogram: &store::Histogram, units: f64) -> Self {
        let bounds = histogram.bounds.iter().map(|bound| *bound as f64 / units).chain([f64::INFINITY]);
        Self {
            buckets: bounds.zip(histogram.counts.iter().copied()).collect(),
            sum: histogram.sum as f64 / units,
        }
    }

    fn lag(lag: &DeliveryLag) -> Self {
        let within = lag.within.iter().copied().chain([lag.count]);
        let mut before = 0;
        let counts = within.map(|within| within - std::mem::replace(&mut before, within));
        Self {
            buckets: LAG_BUCKETS.into_iter().chain([f64::INFINITY]).zip(counts).collect(),
            sum: lag.seconds,
        }
    }
}

/// A registry of the metrics at `now`.
///
/// # Errors
/// [`StoreError`] if the store's statistics cannot be read.
pub(super) async fn read(
    store: &dyn Store,
    deliveries: &DeliveryStatistics,
    now: Moment,
) -> Result<Registry, StoreError> {
    let mut registry = Registry::with_prefix(PREFIX);
    of_store(&mut registry, &store.statistics().await?, now);
    let due = store.next_delivery().await?.filter(|due| *due < now);
    registry.register_with_unit(
        "delivery_overdue",
        "How long ago the most overdue delivery was due",
        Unit::Seconds,
        ConstGauge::new(due.map_or(Duration::ZERO, |due| now.since(due)).as_secs_f64()),
    );
    of_deliveries(&mut registry, deliveries);
    Ok(registry)
}

fn of_store(registry: &mut Registry, statistics: &store::Statistics, now: Moment) {
    let (depth, accounts, paused) = (
        Family::<Queue, Gauge>::default(),
        Family::<Queue, Gauge>::default(),
        Family::<Queue, Gauge>::default(),
    );
    let oldest = Family::<Queue, Gauge<f64, AtomicU64>>::default();
    for counted in &statistics.queues {
        let queue = Queue { queue: counted.queue.clone() };
        depth.get_or_create(&queue).set(i64::try_from(counted.waiting).unwrap_or(i64::MAX));
        accounts.get_or_create(&queue).set(i64::try_from(counted.accounts).unwrap_or(i64::MAX));
        paused.get_or_create(&queue).set(i64::from(counted.paused_at.is_some()));
        let age = counted.oldest.map_or(Duration::ZERO, |oldest| now.since(oldest));
        oldest.get_or_create(&queue).set(age.as_secs_f64());
    }
    registry.register("queue_depth", "Queued generations", depth);
    let help = "Accounts with generations that wait for their first attempt";
    registry.register("queue_accounts", help, accounts);
    registry.register("queue_paused", "Whether an operator has paused the queue", paused);
    let help = "How long the oldest of the next generations has been queued";
    registry.register_with_unit("queue_oldest_age", help, Unit::Seconds, oldest);
    let waits = CountedHistogram::from_store(&statistics.wait_micros, 1e6);
    let help = "How long generations were queued before their first attempt";
    registry.register_with_unit("queue_wait", help, Unit::Seconds, waits);
    let batches = CountedHistogram::from_store(&statistics.batches, 1.0);
    registry.register("commit_commands", "Commands that shared a commit", batches);
    let commits = CountedHistogram::from_store(&statistics.commit_micros, 1e6);
    registry.register_with_unit("commit", "How long commits took", Unit::Seconds, commits);
    let help = "Deliveries of a restored store that the operator must resume or abandon";
    registry.register("deliveries_held", help, ConstGauge::new(statistics.deliveries_held));
    let help = "Size of the store's write-ahead log: a long read keeps it from being truncated";
    registry.register_with_unit("store_log", help, Unit::Bytes, ConstGauge::new(statistics.log_bytes));
    for (name, help, count) in [
        ("generations_canceled", "Canceled generations", statistics.canceled),
        ("leases_lost", "Leases that expired", statistics.leases_lost),
        ("stale_writes_refused", "Reports of workers that had lost their lease", statistics.stale_refused),
    ] {
        registry.register(name, help, ConstCounter::new(count));
    }
}

fn of_deliveries(registry: &mut Registry, statistics: &DeliveryStatistics) {
    let attempts = Family::<Class, Counter>::default();
    for (class, count) in statistics.attempts() {
        attempts.get_or_create(&Class { class: class.name() }).inc_by(count);
    }
    registry.register("delivery_attempts", "Delivery attempts by result", attempts);
    let help = "Time from the end of a generation to the first attempt at its delivery";
    registry.register_with_unit(
        "delivery_lag",
        help,
        Unit::Seconds,
        CountedHistogram::lag(&statistics.lag()),
    );
    for (name, help, value) in [
        ("deliveries_under_way", "Delivery attempts under way", statistics.under_way()),
        (
            "delivery_hosts_down",
            "Hosts that are down and get no attempts for now",
            statistics.open_breakers(),
        ),
        (
            "delivery_hosts_waiting",
            "Hosts with deliveries that wait for a free slot",
            statistics.waiting_hosts(),
        ),
    ] {
        registry.register(name, help, ConstGauge::new(value));
    }
    let given_up = ConstCounter::new(statistics.given_up());
    registry.register("deliveries_given_up", "Deliveries that were given up", given_up);
}
