//! What goes on on a connection, and whether it may be closed for another's sake.
//!
//! A connection may be closed while its client is waited for: between calls at once, within a call (a body that does not come,
//! an answer that is not read) after a grace. It is never closed while the server works on a call.

use super::places::{Peer, Place, Places};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What a connection does, for those that look for one to close.
pub(super) struct Standing {
    /// [`WORKS`], [`CLOSED`], or since when the client is waited for, in microseconds, twice, and one more within a call.
    word: AtomicU64,
    spare: AtomicBool,
    media: AtomicBool,
    /// How many connections its client's address has.
    pub(super) of_peer: Arc<AtomicUsize>,
    pub(super) closing: CancellationToken,
}

/// The server is at work for the client.
const WORKS: u64 = 0;

/// Somebody has closed the connection.
const CLOSED: u64 = u64::MAX;

/// Which connections are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Among {
    /// Those that have a place.
    Places,
    /// Those in a spare place.
    Spare,
    /// Those with an answer that is a file.
    Media,
    /// All of them.
    All,
}

/// A connection that could be closed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Closable {
    /// Since when its client is waited for.
    pub(super) since: u64,
    word: u64,
}

impl Standing {
    pub(super) fn new(spare: bool, of_peer: Arc<AtomicUsize>) -> Self {
        Self {
            word: AtomicU64::new(WORKS),
            spare: AtomicBool::new(spare),
            media: AtomicBool::new(false),
            of_peer,
            closing: CancellationToken::new(),
        }
    }

    /// Whether this connection may be closed at `now`, by the patience with a client within a call and in a spare place.
    pub(super) fn closable(
        &self,
        among: Among,
        now: u64,
        grace: Duration,
        spare_age: Duration,
    ) -> Option<Closable> {
        let word = self.word.load(Ordering::SeqCst);
        if word == WORKS || word == CLOSED {
            return None;
        }
        let (since, within) = (word >> 1, word & 1 == 1);
        let spare = self.spare.load(Ordering::Relaxed);
        let grace = if within {
            grace
        } else if among == Among::Spare {
            spare_age
        } else {
            Duration::ZERO
        };
        let is_among = match among {
            Among::Places => !spare,
            Among::Spare => spare,
            Among::Media => within && self.media.load(Ordering::Relaxed),
            Among::All => true,
        };
        let over = u128::from(now.saturating_sub(since)) >= grace.as_micros();
        (is_among && over).then_some(Closable { since, word })
    }

    /// Closes the connection, unless it does something else by now.
    pub(super) fn close(&self, found: Closable) -> bool {
        let closed =
            self.word.compare_exchange(found.word, CLOSED, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        if closed {
            self.closing.cancel();
        }
        closed
    }

    /// Notes what the connection does, unless it is closed.
    fn set(&self, word: u64) -> bool {
        let noted = |current| (current != CLOSED).then_some(word);
        self.word.fetch_update(Ordering::SeqCst, Ordering::SeqCst, noted).is_ok()
    }
}

/// A connection among the others. Its own task alone calls what is here, and no call takes a lock.
pub(super) struct Slot {
    pub(super) places: Arc<Places>,
    pub(super) standing: Arc<Standing>,
    number: u64,
    /// Another one only for a connection that began in a spare place.
    place: Mutex<Place>,
    phase: AtomicU8,
    /// Since when an answer is not read; zero while all are.
    unread: AtomicU64,
}

/// Where a connection is with its calls.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(super) enum Phase {
    /// Nothing is asked.
    Idle,
    /// The server works on a call.
    Works,
    /// The server waits for the body of a call.
    Asked,
    /// An answer is sent.
    Answers,
}

impl Slot {
    pub(super) fn new(places: &Arc<Places>, peer: Peer, place: Place) -> Arc<Self> {
        let (number, standing) = places.opened(peer, place.is_spare());
        let slot = Self {
            places: Arc::clone(places),
            standing,
            number,
            place: Mutex::new(place),
            phase: AtomicU8::new(Phase::Idle as u8),
            unread: AtomicU64::new(0),
        };
        slot.enter(Phase::Idle);
        Arc::new(slot)
    }

    /// Notes where the connection is with its calls. Says whether it is still open.
    pub(super) fn enter(&self, phase: Phase) -> bool {
        self.phase.store(phase as u8, Ordering::Relaxed);
        let unread = self.unread.load(Ordering::Relaxed);
        let word = match phase {
            Phase::Works => WORKS,
            Phase::Answers if unread == 0 => WORKS,
            Phase::Idle if unread == 0 => self.places.now() << 1,
            Phase::Asked => self.places.now() << 1 | 1,
            Phase::Idle | Phase::Answers => unread << 1 | 1,
        };
        let open = self.standing.set(word);
        if word != WORKS {
            self.places.waits();
        }
        open
    }

    /// Notes whether an answer is not read.
    pub(super) fn is_unread(&self, unread: bool) {
        self.unread.store(if unread { self.places.now() } else { 0 }, Ordering::Relaxed);
        match self.phase.load(Ordering::Relaxed) {
            phase if phase == Phase::Idle as u8 => self.enter(Phase::Idle),
            phase if phase == Phase::Answers as u8 => self.enter(Phase::Answers),
            _ => true,
        };
    }

    /// Notes whether the answer is a file.
    pub(super) fn is_media(&self, media: bool) {
        self.standing.media.store(media, Ordering::Relaxed);
    }

    pub(super) fn is_spare(&self) -> bool {
        self.standing.spare.load(Ordering::Relaxed)
    }

    /// Gives up the place for another, or for none.
    pub(super) fn stand_at(&self, place: Place) {
        self.standing.spare.store(place.is_spare(), Ordering::Relaxed);
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.places.ended(self.number);
    }
}
