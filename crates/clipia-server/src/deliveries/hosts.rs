//! What is known of the hosts that deliveries go to.

use super::statistics::Statistics;
use crate::store::{ClaimedDeliveries, DeliveryHost, DeliveryOwner, HostRoom};
use clipia_queue::Moment;
use clipia_queue::breaker::{Breaker, Sign, Turn};
use clipia_queue::shares::Shares;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Hosts that are remembered for their failures alone. Beyond that they are forgotten, and have to fail anew.
const REMEMBERED_MAX: usize = 10_000;

/// Every host with attempts under way, with failures, or with deliveries that wait.
#[derive(Clone)]
pub(super) struct Hosts {
    known: Arc<Mutex<HashMap<DeliveryHost, Host>>>,
    /// Attempts begun so far.
    begun: Arc<AtomicU64>,
    statistics: Arc<Statistics>,
}

#[derive(Default)]
struct Host {
    breaker: Breaker,
    /// Deliveries were postponed, and wait in the store.
    waiting: bool,
    /// The number of the attempt that began last.
    served: u64,
}

/// An attempt under way. Dropped before it has ended, as by a panic, it makes way and tells nothing of the host.
pub(super) struct UnderWay {
    hosts: Hosts,
    host: DeliveryHost,
    turn: Option<Turn>,
}

impl Hosts {
    pub(super) fn new(statistics: Arc<Statistics>) -> Self {
        Self { known: Arc::default(), begun: Arc::default(), statistics }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<DeliveryHost, Host>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The hosts that a claim must know of. Those with the fewest attempts under way come first, and of them those that
    /// were served the longest ago. Of an owner that has its whole share none is served: its hosts are left out, however
    /// many they are.
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

    /// What a claim found out of who waits.
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

    /// Deliveries of these hosts wait.
    pub(super) fn wait(&self, hosts: Vec<DeliveryHost>) {
        self.note(&ClaimedDeliveries { postponed: hosts, ..Default::default() });
    }

    /// An attempt begins.
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

    /// When the next host may be probed for which deliveries wait.
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
    /// The attempt has ended.
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
