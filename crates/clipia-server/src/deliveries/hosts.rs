//! The hosts that deliveries go to: their circuit breakers, and which of them have postponed deliveries.

use super::statistics::DeliveryStatistics;
use crate::store::{ClaimedDeliveries, DeliveryHost, DeliveryOwner, HostRoom};
use clipia_queue::Moment;
use clipia_queue::breaker::{Breaker, Sign, Turn};
use clipia_queue::shares::{Party, Shares};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most hosts in memory. Above this number, hosts without attempts and without postponed deliveries are dropped, and their
/// failures are forgotten.
const REMEMBERED_MAX: usize = 10_000;

/// The hosts with attempts under way, with failures, or with postponed deliveries.
#[derive(Clone)]
pub(super) struct Hosts {
    known: Arc<Mutex<HashMap<DeliveryHost, Host>>>,
    /// The number of attempts started so far.
    begun: Arc<AtomicU64>,
    statistics: Arc<DeliveryStatistics>,
}

#[derive(Default)]
struct Host {
    breaker: Breaker,
    /// Whether deliveries were postponed, and wait in the store.
    waiting: bool,
    /// The number of the last attempt that was started.
    served: u64,
}

/// An attempt under way. If it is dropped before its end, as by a panic, the attempt no longer counts, and the breaker learns
/// nothing of the host.
pub(super) struct UnderWay {
    hosts: Hosts,
    host: DeliveryHost,
    turn: Option<Turn>,
}

impl Hosts {
    pub(super) fn new(statistics: Arc<DeliveryStatistics>) -> Self {
        Self { known: Arc::default(), begun: Arc::default(), statistics }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<DeliveryHost, Host>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The hosts that a claim must know. A host with fewer attempts under way comes first, and among equals the host whose last
    /// attempt is longest ago. Hosts of an owner that uses its whole share are left out, since a claim takes none of its
    /// deliveries.
    pub(super) fn rooms(&self, shares: &Shares<DeliveryOwner>, now: Moment) -> Vec<HostRoom> {
        let mut known = self.known();
        let forget = known.len() > REMEMBERED_MAX;
        known.retain(|_, host| {
            host.waiting || host.breaker.under_way() > 0 || !(forget || host.breaker.is_fresh())
        });
        let mut hosts: Vec<(u32, u64, HostRoom)> = known
            .iter()
            .filter(|(name, _)| shares.has_room(&name.owner, name.owner.share()))
            .map(|(name, host)| {
                let room = HostRoom {
                    host: name.clone(),
                    room: host.breaker.room(now),
                    room_for_replays: host.breaker.room_for_replays(),
                    waiting: host.waiting,
                };
                (host.breaker.under_way(), host.served, room)
            })
            .collect();
        self.count(&known);
        hosts.sort_by_key(|(under_way, served, _)| (*under_way, *served));
        hosts.into_iter().map(|(.., room)| room).collect()
    }

    /// Records which hosts a claim found to have postponed deliveries, or to have none any more.
    pub(super) fn note(&self, claimed: &ClaimedDeliveries) {
        let mut known = self.known();
        for host in &claimed.cleared {
            if let Some(host) = known.get_mut(host) {
                host.waiting = false;
            }
        }
        for host in &claimed.postponed {
            known.entry(host.clone()).or_default().waiting = true;
        }
        self.count(&known);
    }

    /// Records that deliveries of these hosts were postponed.
    pub(super) fn wait(&self, hosts: Vec<DeliveryHost>) {
        self.note(&ClaimedDeliveries { postponed: hosts, ..Default::default() });
    }

    /// Records the start of an attempt.
    pub(super) fn begin(&self, host: DeliveryHost) -> UnderWay {
        let number = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        let turn = {
            let mut known = self.known();
            let known = known.entry(host.clone()).or_default();
            known.served = number;
            known.breaker.begin()
        };
        UnderWay { hosts: self.clone(), host, turn: Some(turn) }
    }

    /// The time of the next probe of a host that is down and has postponed deliveries.
    pub(super) fn next_probe(&self) -> Option<Moment> {
        self.known().values().filter(|host| host.waiting).filter_map(|host| host.breaker.probe_at()).min()
    }

    fn count(&self, known: &HashMap<DeliveryHost, Host>) {
        let open = known.values().filter(|host| host.breaker.is_open()).count();
        let waiting = known.values().filter(|host| host.waiting).count();
        self.statistics.hosts(open, waiting);
    }
}

impl UnderWay {
    /// Ends the attempt, with its sign of the host's health.
    pub(super) fn end(mut self, sign: Sign, now: Moment) {
        self.finish(sign, now);
    }

    fn finish(&mut self, sign: Sign, now: Moment) {
        let Some(turn) = self.turn.take() else { return };
        let mut known = self.hosts.known();
        let Some(host) = known.get_mut(&self.host) else { return };
        let was_open = host.breaker.is_open();
        host.breaker.end(turn, sign, now);
        let is_open = host.breaker.is_open();
        let DeliveryHost { owner: DeliveryOwner { account, .. }, host: name } = &self.host;
        if is_open && !was_open {
            tracing::warn!(%account, host = name, "a webhook host is down: its deliveries wait");
        } else if was_open && !is_open {
            tracing::info!(%account, host = name, "a webhook host is back");
        }
        if was_open != is_open {
            self.hosts.count(&known);
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.finish(Sign::None, crate::clock::now());
    }
}
