//! Which connections have a place, and which one is closed where there is none.

use super::Bounds;
pub(super) use super::standing::Among;
use super::standing::Standing;
use crate::metrics::Metrics;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};

/// An address that holds more than such a part of all places is the first to lose some. So a single stranger cannot push out
/// the others. Behind a proxy all come from one address, and are all alike.
const SHARE: usize = 8;

/// The part of all places that may wait besides, each with the head of its call.
const WAITING: usize = 4;

/// How long a connection takes to end once it is closed, on a busy machine.
const CLOSING: Duration = Duration::from_millis(100);

/// How often a call that waits for a place looks whether a client's grace is over. The grace is a few times as long.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// How long a new connection in a spare place is left alone: a round trip, after which a head is there.
const SPARE_AGE: Duration = Duration::from_millis(100);

/// How long a head may take in a spare place.
pub(super) const SPARE_HEAD: Duration = Duration::from_secs(2);

/// A place of a connection. It is free again when this is dropped.
#[derive(Debug)]
pub(super) enum Place {
    /// One of those that the bounds count.
    Own(#[expect(dead_code, reason = "held, and freed by its drop")] OwnedSemaphorePermit),
    /// One of those for the time that all others are taken.
    Spare(#[expect(dead_code, reason = "held, and freed by its drop")] OwnedSemaphorePermit),
    /// None: the connection's call waits for one.
    None,
}

impl Place {
    pub(super) fn is_spare(&self) -> bool {
        matches!(self, Self::Spare(_))
    }
}

/// Whom a connection comes from: an address, or what one customer of a provider gets of IPv6, which is a /64 at least.
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

/// The connections of a listener.
pub(super) struct Places {
    pub(super) bounds: Bounds,
    own: Arc<Semaphore>,
    spare: Arc<Semaphore>,
    media: Arc<Semaphore>,
    waiting: Semaphore,
    open: Mutex<Open>,
    /// How many calls seek a place.
    seekers: AtomicUsize,
    /// Says to them that a client is waited for that was not.
    waits: Notify,
    /// Says that a connection has ended.
    ended: Notify,
    started: Instant,
    pub(super) metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Open {
    connections: HashMap<u64, (Peer, Arc<Standing>)>,
    peers: HashMap<Peer, Arc<AtomicUsize>>,
    last: u64,
}

impl Places {
    pub(super) fn new(bounds: Bounds, metrics: Arc<Metrics>) -> Self {
        Self {
            bounds,
            own: Arc::new(Semaphore::new(bounds.connections)),
            spare: Arc::new(Semaphore::new(bounds.spare)),
            media: Arc::new(Semaphore::new(bounds.media)),
            waiting: Semaphore::new((bounds.connections / WAITING).max(1)),
            open: Mutex::default(),
            seekers: AtomicUsize::new(0),
            waits: Notify::new(),
            ended: Notify::new(),
            started: Instant::now(),
            metrics,
        }
    }

    /// A place for a new connection, within moments. Where there is none, another connection is closed, which costs a client
    /// that asks nothing a new connection at most. Where none can be closed, or calls wait for a place already, it is a spare
    /// one: so each client is heard.
    pub(super) async fn place(&self) -> Place {
        if let Ok(place) = Arc::clone(&self.own).try_acquire_owned() {
            return Place::Own(place);
        }
        if self.seekers.load(Ordering::SeqCst) == 0
            && self.close_one(Among::Places)
            && let Ok(Ok(place)) = timeout(CLOSING, Arc::clone(&self.own).acquire_owned()).await
        {
            return Place::Own(place);
        }
        loop {
            if let Ok(place) = Arc::clone(&self.spare).try_acquire_owned() {
                return Place::Spare(place);
            }
            self.close_one(Among::Spare);
            tokio::select! {
                // The semaphores are never closed.
                Ok(place) = Arc::clone(&self.spare).acquire_owned() => return Place::Spare(place),
                Ok(place) = Arc::clone(&self.own).acquire_owned() => return Place::Own(place),
                () = sleep(SPARE_AGE) => {}
            }
        }
    }

    /// A place for a call that came in a spare one, unless none is free in time or too many wait already.
    pub(super) async fn seek(&self) -> Option<Place> {
        let _waits = self.waiting.try_acquire().ok()?;
        self.seekers.fetch_add(1, Ordering::SeqCst);
        let _seeks = Seeks(&self.seekers);
        let free = Arc::clone(&self.own).acquire_owned();
        let end = sleep(self.bounds.seek);
        tokio::pin!(free, end);
        loop {
            self.close_one(Among::Places);
            tokio::select! {
                place = &mut free => return place.ok().map(Place::Own),
                () = self.waits.notified() => {}
                () = sleep(LOOK_INTERVAL) => {}
                () = &mut end => return None,
            }
        }
    }

    /// Room for an answer with a file. Where there is none, it is that of the client that has not read for longest. No call
    /// waits for it: it would hold a place.
    pub(super) async fn media(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(room) = Arc::clone(&self.media).try_acquire_owned() {
            return Some(room);
        }
        if !self.close_one(Among::Media) {
            return None;
        }
        timeout(CLOSING, Arc::clone(&self.media).acquire_owned()).await.ok()?.ok()
    }

    /// Closes the connection whose client is waited for longest, if there is any. Those of an address with more than its share
    /// go before others.
    pub(super) fn close_one(&self, among: Among) -> bool {
        let share = (self.bounds.connections / SHARE).max(1);
        let (open, now) = (self.open(), self.now());
        loop {
            let closable = open
                .connections
                .values()
                .filter_map(|(_, one)| Some((one.closable(among, now, self.bounds.grace, SPARE_AGE)?, one)));
            let first = closable
                .min_by_key(|(found, one)| (one.of_peer.load(Ordering::Relaxed) <= share, found.since));
            let Some((found, first)) = first else {
                return false;
            };
            // It may do something else by now.
            if first.close(found) {
                self.metrics.connections_evicted.inc();
                return true;
            }
        }
    }

    /// A client is waited for that was not.
    pub(super) fn waits(&self) {
        // Of this load and the store before it, and the seeker's, one sees the other: all four are `SeqCst`.
        if self.seekers.load(Ordering::SeqCst) > 0 {
            self.waits.notify_one();
        }
    }

    /// Waits until a connection ends.
    pub(super) async fn closed(&self) {
        self.ended.notified().await;
    }

    /// A number and a standing for a new connection.
    pub(super) fn opened(&self, peer: Peer, spare: bool) -> (u64, Arc<Standing>) {
        self.metrics.connections.inc();
        let mut open = self.open();
        let of_peer = Arc::clone(open.peers.entry(peer).or_default());
        of_peer.fetch_add(1, Ordering::Relaxed);
        let standing = Arc::new(Standing::new(spare, of_peer));
        open.last += 1;
        let number = open.last;
        open.connections.insert(number, (peer, Arc::clone(&standing)));
        (number, standing)
    }

    /// The connection of this number has ended.
    pub(super) fn ended(&self, number: u64) {
        let mut open = self.open();
        if let Some((peer, standing)) = open.connections.remove(&number)
            && standing.of_peer.fetch_sub(1, Ordering::Relaxed) == 1
        {
            open.peers.remove(&peer);
        }
        drop(open);
        self.metrics.connections.dec();
        self.ended.notify_waiters();
    }

    /// The time, in microseconds since the listener started, and never zero.
    pub(super) fn now(&self) -> u64 {
        // Half a million years are enough.
        self.started.elapsed().as_micros() as u64 + 1
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call seeks a place, as long as this is there.
struct Seeks<'a>(&'a AtomicUsize);

impl Drop for Seeks<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
