//! The connection slots of a listener, and the choice of a connection to close where none is free.

use super::Limits;
pub(super) use super::connection::Candidates;
use super::connection::ConnectionState;
use crate::metrics::Metrics;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};

/// One peer's share of the regular slots: one in so many. Connections of a peer above its share are closed first, so that a single
/// stranger cannot push out the others. Behind a proxy all connections have one peer, and are equal.
const PEER_SHARE: usize = 8;

/// The most calls that wait for a slot: one for so many regular slots. Each waiting call holds its head in memory.
const WAITING_SHARE: usize = 4;

/// How long a closed connection may take to end and free its slot, on a busy machine.
const CLOSING_MAX: Duration = Duration::from_millis(100);

/// How often a call that waits for a slot checks whether the grace of some client is over. The grace is a few times as long.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// The age at which an idle connection in a spare slot may be closed: a round trip, after which its head has arrived.
const SPARE_AGE: Duration = Duration::from_millis(100);

/// How long the head of a call may take in a spare slot.
pub(super) const SPARE_HEAD: Duration = Duration::from_secs(2);

/// The slot of a connection. Dropping it frees the slot.
#[derive(Debug)]
pub(super) enum Slot {
    /// A regular slot.
    Regular(#[expect(dead_code, reason = "held, and freed by its drop")] OwnedSemaphorePermit),
    /// A spare slot, for when all regular slots are taken.
    Spare(#[expect(dead_code, reason = "held, and freed by its drop")] OwnedSemaphorePermit),
    /// No slot: the connection's call waits for a regular one.
    None,
}

impl Slot {
    pub(super) fn is_spare(&self) -> bool {
        matches!(self, Self::Spare(_))
    }
}

/// The peer of a connection: an IPv4 address, or a /64 network of IPv6, since each customer of a provider has at least a /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Peer(IpAddr);

impl From<IpAddr> for Peer {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => Self(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into()),
            v4 => Self(v4),
        }
    }
}

/// The slots and the connections of a listener.
pub(super) struct Slots {
    pub(super) limits: Limits,
    regular: Arc<Semaphore>,
    spare: Arc<Semaphore>,
    media: Arc<Semaphore>,
    waiting: Semaphore,
    open: Mutex<Open>,
    /// The number of calls that wait for a slot.
    waiting_calls: AtomicUsize,
    /// Notifies these calls that a connection may be closable now.
    became_closable: Notify,
    /// Notified when a connection has ended.
    ended: Notify,
    started: Instant,
    pub(super) metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Open {
    connections: HashMap<u64, (Peer, Arc<ConnectionState>)>,
    peers: HashMap<Peer, Arc<AtomicUsize>>,
    last: u64,
}

impl Slots {
    pub(super) fn new(limits: Limits, metrics: Arc<Metrics>) -> Self {
        Self {
            limits,
            regular: Arc::new(Semaphore::new(limits.connections)),
            spare: Arc::new(Semaphore::new(limits.spare)),
            media: Arc::new(Semaphore::new(limits.media)),
            waiting: Semaphore::new((limits.connections / WAITING_SHARE).max(1)),
            open: Mutex::default(),
            waiting_calls: AtomicUsize::new(0),
            became_closable: Notify::new(),
            ended: Notify::new(),
            started: Instant::now(),
            metrics,
        }
    }

    /// Acquires a slot for a new connection, without a long wait. Where no regular slot is free, an idle connection is closed,
    /// whose client must connect again at worst. Where none can be closed, or calls wait for a slot already, the new connection
    /// gets a spare slot. So the server reads the call of each client.
    pub(super) async fn acquire(&self) -> Slot {
        if let Ok(slot) = Arc::clone(&self.regular).try_acquire_owned() {
            return Slot::Regular(slot);
        }
        if self.waiting_calls.load(Ordering::SeqCst) == 0
            && self.close_one(Candidates::Regular)
            && let Ok(Ok(slot)) = timeout(CLOSING_MAX, Arc::clone(&self.regular).acquire_owned()).await
        {
            return Slot::Regular(slot);
        }
        loop {
            if let Ok(slot) = Arc::clone(&self.spare).try_acquire_owned() {
                return Slot::Spare(slot);
            }
            self.close_one(Candidates::Spare);
            tokio::select! {
                // The semaphores are never closed.
                Ok(slot) = Arc::clone(&self.spare).acquire_owned() => return Slot::Spare(slot),
                Ok(slot) = Arc::clone(&self.regular).acquire_owned() => return Slot::Regular(slot),
                () = sleep(SPARE_AGE) => {}
            }
        }
    }

    /// Waits for a regular slot, for a call that came in a spare one. `None` if no slot is free in time, or if too many calls wait
    /// already.
    pub(super) async fn wait(&self) -> Option<Slot> {
        let _permit = self.waiting.try_acquire().ok()?;
        self.waiting_calls.fetch_add(1, Ordering::SeqCst);
        let _waiting = WaitingCall(&self.waiting_calls);
        let free = Arc::clone(&self.regular).acquire_owned();
        let end = sleep(self.limits.slot_wait);
        tokio::pin!(free, end);
        loop {
            self.close_one(Candidates::Regular);
            tokio::select! {
                slot = &mut free => return slot.ok().map(Slot::Regular),
                () = self.became_closable.notified() => {}
                () = sleep(LOOK_INTERVAL) => {}
                () = &mut end => return None,
            }
        }
    }

    /// Acquires a permit for a response with a file. Where none is free, the connection is closed whose client has not read its
    /// file for longest. A call does not wait for a permit, since it would hold its slot meanwhile.
    pub(super) async fn acquire_media(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = Arc::clone(&self.media).try_acquire_owned() {
            return Some(permit);
        }
        if !self.close_one(Candidates::Media) {
            return None;
        }
        timeout(CLOSING_MAX, Arc::clone(&self.media).acquire_owned()).await.ok()?.ok()
    }

    /// Closes the connection that has waited for its client the longest; returns whether there was one. Connections of a peer
    /// above its share are closed before others.
    pub(super) fn close_one(&self, candidates: Candidates) -> bool {
        let share = (self.limits.connections / PEER_SHARE).max(1);
        let (open, now) = (self.open(), self.now());
        loop {
            let closable = open.connections.values().filter_map(|(_, one)| {
                Some((one.closable(candidates, now, self.limits.grace, SPARE_AGE)?, one))
            });
            let first = closable
                .min_by_key(|(found, one)| (one.of_peer.load(Ordering::Relaxed) <= share, found.since));
            let Some((found, first)) = first else {
                return false;
            };
            // Its client may have sent or read something by now.
            if first.close(found) {
                self.metrics.connections_evicted.inc();
                return true;
            }
        }
    }

    /// Notifies waiting calls that a connection waits for its client now.
    pub(super) fn notify_closable(&self) {
        // The caller has stored its state before this load. A waiting call has counted itself before it reads the states. All
        // four are `SeqCst`: so either the waiting call sees this connection, or this load sees the waiting call.
        if self.waiting_calls.load(Ordering::SeqCst) > 0 {
            self.became_closable.notify_one();
        }
    }

    /// Waits until a connection ends.
    pub(super) async fn one_ended(&self) {
        self.ended.notified().await;
    }

    /// Registers a new connection; returns its number and its state.
    pub(super) fn register(&self, peer: Peer, spare: bool) -> (u64, Arc<ConnectionState>) {
        self.metrics.connections.inc();
        let mut open = self.open();
        let of_peer = Arc::clone(open.peers.entry(peer).or_default());
        of_peer.fetch_add(1, Ordering::Relaxed);
        let state = Arc::new(ConnectionState::new(spare, of_peer));
        open.last += 1;
        let number = open.last;
        open.connections.insert(number, (peer, Arc::clone(&state)));
        (number, state)
    }

    /// Unregisters a connection that has ended.
    pub(super) fn unregister(&self, number: u64) {
        let mut open = self.open();
        if let Some((peer, state)) = open.connections.remove(&number)
            && state.of_peer.fetch_sub(1, Ordering::Relaxed) == 1
        {
            open.peers.remove(&peer);
        }
        drop(open);
        self.metrics.connections.dec();
        self.ended.notify_waiters();
    }

    /// The time in microseconds since the listener started. It is never zero.
    pub(super) fn now(&self) -> u64 {
        // 64 bits hold half a million years.
        self.started.elapsed().as_micros() as u64 + 1
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a call that waits for a slot. Dropping this ends the count.
struct WaitingCall<'a>(&'a AtomicUsize);

impl Drop for WaitingCall<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
