//! The two clocks of a server, and its moments as the wire spells them.
//!
//! [`now`] is steady: every lease, schedule, limit and other duration is decided by it, in memory and in the store.
//! [`wall`] is the system's clock, which may be set: people and peers see its time. A moment that is stored to be shown is
//! converted by [`wall_at`] when its row is written, since another process has another steady clock.

use crate::failpoints;
use async_trait::async_trait;
use clipia_queue::Moment;
use clipia_queue::commands::Now;
use std::fmt;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;

/// The steady clock of a store, which is given to it when it is opened. A server waits by the clock of its store.
#[async_trait]
pub trait Clock: fmt::Debug + Send + Sync {
    /// The present.
    fn now(&self) -> Moment;
    /// Moves the clock on to `latest`, if it is behind. Returns how far it was.
    fn not_before(&self, latest: Moment) -> Duration;

    /// The present of callers and receivers, who do not live by another clock than this one but where a server only plays that time
    /// passes. Their budgets of calls are counted by it.
    fn real(&self) -> Moment {
        self.now()
    }

    /// Waits until the clock says `at`, when something is due.
    async fn until(&self, at: Moment) {
        tokio::time::sleep(at.since(self.now())).await;
    }

    /// Waits between two rounds of a task that looks whether there is something to do. Nothing is due at the end of the pause.
    async fn pause(&self, pause: Duration) {
        tokio::time::sleep(pause).await;
    }
}

/// The steady clock of this process: [`now`] and [`not_before`].
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        now()
    }

    fn not_before(&self, latest: Moment) -> Duration {
        not_before(latest)
    }
}

/// A clock that a test moves.
#[derive(Debug)]
pub struct DrivenClock {
    now: AtomicI64,
    moved: Notify,
}

impl DrivenClock {
    /// A clock whose present is `at`.
    pub const fn new(at: Moment) -> Self {
        Self { now: AtomicI64::new(at.as_micros()), moved: Notify::const_new() }
    }

    /// Sets the clock to `at`, be it earlier or later.
    pub fn set(&self, at: Moment) {
        self.now.store(at.as_micros(), Ordering::SeqCst);
        self.moved.notify_waiters();
    }

    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        self.set(self.now() + by);
    }
}

#[async_trait]
impl Clock for DrivenClock {
    fn now(&self) -> Moment {
        Moment::from_micros(self.now.load(Ordering::SeqCst))
    }

    fn not_before(&self, latest: Moment) -> Duration {
        let behind = latest.since(self.now());
        self.now.fetch_max(latest.as_micros(), Ordering::SeqCst);
        self.moved.notify_waiters();
        behind
    }

    async fn until(&self, at: Moment) {
        loop {
            // It waits before it looks, so that no move between the two is missed.
            let mut moved = std::pin::pin!(self.moved.notified());
            moved.as_mut().enable();
            if self.now() >= at {
                return;
            }
            moved.await;
        }
    }
}

/// What the difference of the two clocks is rounded to, in microseconds. Reading both takes a moment, and two times that are shown
/// one after the other must not be in the wrong order for that.
const ROUNDED_TO: i64 = 100_000;

/// When the steady clock began, by either clock.
static START: LazyLock<(Moment, Instant)> = LazyLock::new(|| (wall(), Instant::now()));

/// How far [`not_before`] has moved the steady clock, in microseconds.
static AHEAD: AtomicI64 = AtomicI64::new(0);

/// The present by the steady clock: the system's clock as it was when the process began, and the time since. It does not
/// jump when that one is set. Linux and macOS stop it while the machine sleeps.
pub fn now() -> Moment {
    since_start() + Duration::from_micros(AHEAD.load(Ordering::Relaxed).unsigned_abs())
}

fn since_start() -> Moment {
    let (wall, start) = *START;
    wall + start.elapsed()
}

/// Moves the steady clock on to `latest`, if it is behind. Returns how far it was. A process that begins after the system's clock
/// was set back goes on where the last one ended. Nothing that runs may depend on the clock yet.
pub fn not_before(latest: Moment) -> Duration {
    let behind = latest.since(now());
    let ahead = latest.since(since_start()).as_micros();
    AHEAD.fetch_max(i64::try_from(ahead).unwrap_or(i64::MAX), Ordering::Relaxed);
    behind
}

/// The present by the system's clock.
pub fn wall() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let micros = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
    Moment::from_micros(micros.saturating_add(failpoints::wall_offset()))
}

/// A moment of this process's steady clock, by both clocks.
pub fn both(at: Moment) -> Now {
    Now { steady: at, wall: wall_at(at) }
}

/// A moment of this process's steady clock by the system's clock, unless that is set before.
pub fn wall_at(at: Moment) -> Moment {
    beside(at, wall().as_micros().saturating_sub(now().as_micros()))
}

fn beside(at: Moment, difference: i64) -> Moment {
    let rounded = difference.saturating_add(ROUNDED_TO / 2).div_euclid(ROUNDED_TO) * ROUNDED_TO;
    Moment::from_micros(at.as_micros().saturating_add(rounded))
}

/// A moment as the wire spells it.
pub fn timestamp(at: Moment) -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(at.as_micros()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_differs_only_where_the_clock_was_set() {
        let at = Moment::from_micros(1_700_000_000_000_000);
        for (difference, shown) in [
            (0, 0),
            (49_999, 0),
            (-50_000, 0),
            (-3_600_000_003, -3_600_000_000),
            (3_600_049_000, 3_600_000_000),
        ] {
            assert_eq!(beside(at, difference).as_micros() - at.as_micros(), shown, "{difference}");
        }
    }

    #[tokio::test]
    async fn a_wait_ends_when_the_clock_was_moved_so_far() {
        let clock = DrivenClock::new(Moment::from_micros(0));
        let at = clock.now() + Duration::from_secs(7_200);
        let move_on = async {
            clock.advance(Duration::from_secs(7_199));
            tokio::task::yield_now().await;
            clock.advance(Duration::from_secs(1));
        };
        tokio::join!(clock.until(at), move_on);
        clock.until(at).await;
    }

    #[test]
    fn the_steady_clock_never_goes_back() {
        let before = now();
        assert_eq!(not_before(before - Duration::from_secs(3_600)), Duration::ZERO);
        assert!(now() >= before && wall().since(now()) < Duration::from_secs(60));
    }
}
