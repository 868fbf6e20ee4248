//! The dispatcher, which attempts deliveries when they are due.

use super::hosts::{Hosts, UnderWay};
use super::send::send;
use super::statistics::DeliveryStatistics;
use super::tamper::Tamper;
use crate::clock::timestamp;
use crate::failpoints;
use crate::living::{Alive, Living};
use crate::outbound::Outbound;
use crate::store::{
    AfterAttempt, DeliveryAttempt, DeliveryClaim, DeliveryOwner, DueDelivery, NodeId, Reply, Store,
    StoreError,
};
use clipia_queue::Moment;
use clipia_queue::breaker::HOST_UNDER_WAY_MAX;
use clipia_queue::schedules::DELIVERY_TIMEOUT;
use clipia_queue::shares::Shares;
use clipia_worker::work::{SharedSlot, SharedSlots};
use prometheus_client::metrics::gauge::Gauge;
use reqwest::StatusCode;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use uuid::Uuid;

/// The most attempts under way at once: many times the most of one host, and well within the open files of a process. An
/// account has its share of them, and so of the name lookups that they begin with.
const UNDER_WAY_MAX: usize = 256;

/// The lease of a claimed delivery: the time-out of an attempt, and time to record it.
const LEASE: Duration = Duration::from_secs(DELIVERY_TIMEOUT.as_secs() + 20);

/// The longest pause between two claims, in case a wake-up was lost.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Attempts deliveries until it is stopped.
pub struct Dispatcher {
    node: NodeId,
    sender: Sender,
    /// Notified when deliveries may be due.
    outbox_changed: Arc<Notify>,
    slots: Arc<SharedSlots<DeliveryOwner>>,
    /// The attempts under way. They go on when the dispatcher panics.
    attempts: TaskTracker,
    /// Whether the hosts were read that had postponed deliveries when this process started.
    knows_postponed: AtomicBool,
    /// Whether it claims deliveries now.
    claims: AtomicBool,
}

/// The state that all attempts share.
#[derive(Clone)]
struct Sender {
    store: Arc<dyn Store>,
    outbound: Outbound,
    hosts: Hosts,
    statistics: Arc<DeliveryStatistics>,
    tamper: Option<Arc<dyn Tamper>>,
    /// The deliveries that are being attempted.
    living: Living<Uuid>,
    /// Notified when an attempt has ended, which frees its slot.
    attempt_ended: Arc<Notify>,
}

impl Dispatcher {
    /// A dispatcher of the process `node`. It claims again when `outbox_changed` is notified.
    pub fn new(node: NodeId, store: Arc<dyn Store>, outbound: Outbound, outbox_changed: Arc<Notify>) -> Self {
        let statistics = Arc::new(DeliveryStatistics::default());
        let hosts = Hosts::new(Arc::clone(&statistics));
        let living = Living::default();
        let attempt_ended = Arc::default();
        let sender = Sender { store, outbound, hosts, statistics, tamper: None, living, attempt_ended };
        Self {
            node,
            sender,
            outbox_changed,
            // No gauges: the statistics count the attempts, and deliveries wait for a slot in the store.
            slots: SharedSlots::new(UNDER_WAY_MAX, Gauge::default(), Gauge::default()),
            attempts: TaskTracker::new(),
            knows_postponed: AtomicBool::new(false),
            claims: AtomicBool::new(false),
        }
    }

    /// A dispatcher whose deliveries `tamper` does something to.
    pub(crate) fn tampered_with(mut self, tamper: Option<Arc<dyn Tamper>>) -> Self {
        self.sender.tamper = tamper;
        self
    }

    /// Whether no delivery is being attempted, and none is being claimed.
    pub(crate) fn is_idle(&self) -> bool {
        !self.claims.load(Ordering::SeqCst) && self.sender.living.is_empty()
    }

    /// The statistics of the deliveries.
    pub fn statistics(&self) -> Arc<DeliveryStatistics> {
        Arc::clone(&self.sender.statistics)
    }

    /// Runs until `stop`, and returns when the attempts under way have ended. It may be run again after a panic. No other
    /// dispatcher may run on the store.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let knows_postponed =
                self.knows_postponed.load(Ordering::Relaxed) || self.learn_postponed().await;
            self.claims.store(true, Ordering::SeqCst);
            let next = if knows_postponed { self.send_due().await } else { None };
            self.claims.store(false, Ordering::SeqCst);
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.outbox_changed.notified() => {}
                () = self.sender.attempt_ended.notified() => {}
                () = self.until(next) => {}
                () = tokio::time::sleep(PAUSE_MAX) => {}
            }
        }
        self.attempts.close();
        self.attempts.wait().await;
    }

    /// Reads the hosts with deliveries that an earlier process postponed; returns whether that succeeded.
    async fn learn_postponed(&self) -> bool {
        match self.sender.store.postponed_hosts().await {
            Ok(hosts) => {
                self.sender.hosts.wait(hosts);
                self.knows_postponed.store(true, Ordering::Relaxed);
                true
            }
            Err(error) => {
                tracing::error!(%error, "cannot read which deliveries were postponed");
                false
            }
        }
    }

    /// Waits until the store's clock says `next`; for good where nothing is due.
    async fn until(&self, next: Option<Moment>) {
        match next {
            Some(next) => self.sender.store.clock().until(next).await,
            None => std::future::pending().await,
        }
    }

    /// Starts an attempt at each delivery that is due and whose host and owner may have another; returns when the next may be due, if
    /// that is known.
    async fn send_due(&self) -> Option<Moment> {
        loop {
            // No other task takes slots, so each claimed delivery gets one.
            let shares = self.slots.shares();
            if shares.free() == 0 {
                return None;
            }
            let more = match self.claim(shares).await {
                Ok(more) => more,
                Err(error) => {
                    tracing::error!(%error, "cannot read the deliveries that are due");
                    return None;
                }
            };
            if !more {
                let due = self.sender.store.next_delivery().await.ok().flatten();
                let probe = self.sender.hosts.next_probe();
                return due.into_iter().chain(probe).min();
            }
        }
    }

    /// Claims as many deliveries as there are free slots, and starts their attempts; returns whether more may be due.
    async fn claim(&self, shares: Shares<DeliveryOwner>) -> Result<bool, StoreError> {
        let sender = &self.sender;
        let claim = DeliveryClaim {
            node: self.node,
            most: u32::try_from(shares.free()).unwrap_or(u32::MAX),
            most_of_host: HOST_UNDER_WAY_MAX,
            hosts: sender.hosts.rooms(&shares, sender.store.now()),
            shares,
            lease: LEASE,
            under_way: sender.living.clone(),
        };
        let claimed = sender.store.claim_deliveries(claim).await?;
        sender.hosts.note(&claimed);
        for delivery in claimed.due {
            let slot = self.slots.take(delivery.host.owner.clone());
            let alive = sender.living.enter(delivery.id);
            let under_way = sender.hosts.begin(delivery.host.clone());
            let span = tracing::info_span!(
                "delivery",
                request_id = %delivery.request,
                key_id = delivery.key_id,
                delivery_id = %delivery.id,
                attempt = delivery.number
            );
            self.attempts.spawn(sender.clone().attempt(delivery, alive, under_way, slot).instrument(span));
        }
        Ok(claimed.more)
    }
}

impl fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher").field("node", &self.node).finish_non_exhaustive()
    }
}

impl Sender {
    /// Makes one attempt at a delivery, and records it.
    async fn attempt(
        self,
        delivery: DueDelivery,
        alive: Alive<Uuid>,
        under_way: UnderWay,
        slot: SharedSlot<DeliveryOwner>,
    ) {
        let (started, clock) = (self.store.now(), Instant::now());
        let lag = (delivery.number == 1).then(|| started.since(delivery.due_at));
        let counted = self.statistics.begin(lag);
        let outcome = send(&self.outbound, &delivery, self.tamper.as_deref()).await;
        failpoints::reached("after-delivery");
        self.statistics.attempted(outcome.class);
        let of_schedule = (!delivery.replay).then_some(delivery.attempts + 1);
        let reply = match outcome.status {
            Some(status) if status.is_success() => Reply::Accepted,
            Some(StatusCode::GONE) => Reply::Gone,
            _ => Reply::Other { retry_after: outcome.retry_after },
        };
        let next = AfterAttempt::decide(of_schedule, reply, rand::random(), self.store.now());
        tracing::info!(
            class = outcome.class.name(),
            status = outcome.status.map(|status| status.as_u16()),
            error = outcome.error.as_deref(),
            seconds = clock.elapsed().as_secs_f64(),
            next = next.name(),
            next_at = next.at().map(|at| tracing::field::display(timestamp(at))),
            "webhook attempted"
        );
        if next == AfterAttempt::GiveUp {
            self.statistics.gave_up(1);
        }
        let sign = outcome.sign();
        let attempt = DeliveryAttempt {
            delivery: delivery.id,
            number: delivery.number,
            of_schedule,
            started,
            status: outcome.status.map(|status| status.as_u16()),
            duration: clock.elapsed(),
            class: outcome.class,
            error: outcome.error,
            reply: outcome.reply,
            next,
        };
        if let Err(error) = self.store.record_attempt(attempt).await {
            tracing::error!(%error, "cannot record an attempt; it will be repeated");
        }
        drop(alive);
        under_way.end(sign, self.store.now());
        drop(counted);
        drop(slot);
        self.attempt_ended.notify_one();
    }
}
