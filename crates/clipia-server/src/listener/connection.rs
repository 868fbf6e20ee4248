//! The state of a connection, and whether it may be closed in favour of another one.
//!
//! A connection may be closed while it waits for its client. Between two calls it may be closed at once. Within a call, while a
//! body does not arrive or a response is not read, it may be closed after a grace. While the server works on a call, it is never
//! closed.
//!
//! The state is one atomic number, so that a full server finds the connection that has been idle for longest without a lock on
//! the path of a call.

use super::slots::{Peer, Slot, Slots};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The state of a connection, as the search for a connection to close reads it.
pub(super) struct ConnectionState {
    /// [`WORKING`], [`CLOSED`], or the time since when the connection waits for its client. That time is in microseconds, shifted
    /// left by one bit. The lowest bit is 1 within a call.
    packed: AtomicU64,
    spare: AtomicBool,
    media: AtomicBool,
    /// The number of connections of the same peer.
    pub(super) of_peer: Arc<AtomicUsize>,
    pub(super) closing: CancellationToken,
}

/// The server works on a call.
const WORKING: u64 = 0;

/// The connection was closed.
const CLOSED: u64 = u64::MAX;

/// The connections among which one is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Candidates {
    /// Connections with a regular slot.
    Regular,
    /// Connections with a spare slot.
    Spare,
    /// Connections with a response that is a file.
    Media,
    /// All connections.
    All,
}

/// The state of a connection that may be closed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Closable {
    /// Since when the connection waits for its client.
    pub(super) since: u64,
    packed: u64,
}

impl ConnectionState {
    pub(super) fn new(spare: bool, of_peer: Arc<AtomicUsize>) -> Self {
        Self {
            packed: AtomicU64::new(WORKING),
            spare: AtomicBool::new(spare),
            media: AtomicBool::new(false),
            of_peer,
            closing: CancellationToken::new(),
        }
    }

    /// The state of this connection if it may be closed at `now`. `grace` is how long it must have waited within a call, and
    /// `spare_age` how long in a spare slot.
    pub(super) fn closable(
        &self,
        candidates: Candidates,
        now: u64,
        grace: Duration,
        spare_age: Duration,
    ) -> Option<Closable> {
        let packed = self.packed.load(Ordering::SeqCst);
        if packed == WORKING || packed == CLOSED {
            return None;
        }
        let (since, within) = (packed >> 1, packed & 1 == 1);
        let spare = self.spare.load(Ordering::Relaxed);
        let grace = if within {
            grace
        } else if candidates == Candidates::Spare {
            spare_age
        } else {
            Duration::ZERO
        };
        let is_among = match candidates {
            Candidates::Regular => !spare,
            Candidates::Spare => spare,
            Candidates::Media => within && self.media.load(Ordering::Relaxed),
            Candidates::All => true,
        };
        let over = u128::from(now.saturating_sub(since)) >= grace.as_micros();
        (is_among && over).then_some(Closable { since, packed })
    }

    /// Closes the connection if its state is still `found`; returns whether it did.
    pub(super) fn close(&self, found: Closable) -> bool {
        let closed =
            self.packed.compare_exchange(found.packed, CLOSED, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        if closed {
            self.closing.cancel();
        }
        closed
    }

    /// Sets the state, unless the connection is closed; returns whether it is open.
    fn set(&self, packed: u64) -> bool {
        let noted = |current| (current != CLOSED).then_some(packed);
        self.packed.fetch_update(Ordering::SeqCst, Ordering::SeqCst, noted).is_ok()
    }
}

/// A connection. Only its own task calls these methods, and none of them takes a contended lock.
pub(super) struct Connection {
    pub(super) slots: Arc<Slots>,
    pub(super) state: Arc<ConnectionState>,
    number: u64,
    /// The slot. It changes only for a connection that began in a spare slot.
    slot: Mutex<Slot>,
    phase: AtomicU8,
    /// Since when a response is not read; zero while the client reads.
    unread: AtomicU64,
}

/// The phase of a connection's current call.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(super) enum Phase {
    /// There is no call.
    Idle,
    /// The server works on a call.
    Working,
    /// The server waits for the body of a call.
    ReadingBody,
    /// The response is being sent.
    Responding,
}

impl Connection {
    pub(super) fn new(slots: &Arc<Slots>, peer: Peer, slot: Slot) -> Arc<Self> {
        let (number, state) = slots.register(peer, slot.is_spare());
        let connection = Self {
            slots: Arc::clone(slots),
            state,
            number,
            slot: Mutex::new(slot),
            phase: AtomicU8::new(Phase::Idle as u8),
            unread: AtomicU64::new(0),
        };
        connection.enter(Phase::Idle);
        Arc::new(connection)
    }

    /// Enters a phase; returns whether the connection is still open.
    pub(super) fn enter(&self, phase: Phase) -> bool {
        self.phase.store(phase as u8, Ordering::Relaxed);
        let unread = self.unread.load(Ordering::Relaxed);
        let packed = match phase {
            Phase::Working => WORKING,
            Phase::Responding if unread == 0 => WORKING,
            Phase::Idle if unread == 0 => self.slots.now() << 1,
            Phase::ReadingBody => self.slots.now() << 1 | 1,
            Phase::Idle | Phase::Responding => unread << 1 | 1,
        };
        let open = self.state.set(packed);
        if packed != WORKING {
            self.slots.notify_closable();
        }
        open
    }

    /// Records whether the client fails to read a response.
    pub(super) fn set_unread(&self, unread: bool) {
        self.unread.store(if unread { self.slots.now() } else { 0 }, Ordering::Relaxed);
        match self.phase.load(Ordering::Relaxed) {
            phase if phase == Phase::Idle as u8 => self.enter(Phase::Idle),
            phase if phase == Phase::Responding as u8 => self.enter(Phase::Responding),
            _ => true,
        };
    }

    /// Records whether the response is a file.
    pub(super) fn set_media(&self, media: bool) {
        self.state.media.store(media, Ordering::Relaxed);
    }

    pub(super) fn is_spare(&self) -> bool {
        self.state.spare.load(Ordering::Relaxed)
    }

    /// Replaces the slot by another one, or by none.
    pub(super) fn move_to(&self, slot: Slot) {
        self.state.spare.store(slot.is_spare(), Ordering::Relaxed);
        *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = slot;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.slots.unregister(self.number);
    }
}
