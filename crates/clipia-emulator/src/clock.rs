//! The clock of the emulator: the time that the queue lives by. Signatures, rate limits and `Retry-After` stay on real time, since
//! the peers live by that.

use async_trait::async_trait;
use clipia_queue::Moment;
use clipia_store::clock::{self, Clock};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// How the time of the queue passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// As real time.
    #[default]
    Real,
    /// So many times as fast.
    Times(u32),
    /// It stands until it is advanced.
    Manual,
    /// It stands, and jumps to the next moment at which something is due whenever nothing is under way.
    Auto,
}

impl Pace {
    /// Whether the clock stands between two moves.
    pub const fn stands(self) -> bool {
        matches!(self, Self::Manual | Self::Auto)
    }
}

/// Why a text names no pace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no clock: write `real`, `manual`, `auto`, or how many times as fast as `x60`")]
pub struct PaceInvalid(String);

impl FromStr for Pace {
    type Err = PaceInvalid;

    fn from_str(text: &str) -> Result<Self, PaceInvalid> {
        match text {
            "real" => Ok(Self::Real),
            "manual" => Ok(Self::Manual),
            "auto" => Ok(Self::Auto),
            _ => {
                let times = text.strip_prefix('x').and_then(|times| times.parse().ok());
                times.filter(|times| *times > 0).map(Self::Times).ok_or_else(|| PaceInvalid(text.to_owned()))
            }
        }
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Real => f.write_str("real"),
            Self::Times(times) => write!(f, "x{times}"),
            Self::Manual => f.write_str("manual"),
            Self::Auto => f.write_str("auto"),
        }
    }
}

/// What waits for a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Waits {
    /// A running attempt, which does nothing else meanwhile.
    Attempt,
    /// Anything else, such as the next attempt at a delivery.
    Other,
}

/// The clock.
pub(crate) struct EmulatedClock {
    pace: Pace,
    start: (Moment, Instant),
    /// How far a clock that passes was moved on, in microseconds.
    ahead: AtomicI64,
    /// The present of a clock that stands.
    present: watch::Sender<Moment>,
    waiting: Mutex<Waiting>,
    /// Notified when something waits for a moment.
    entered: Notify,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    moments: BTreeSet<(Moment, Waits, u64)>,
    /// The attempts that wait for something else than a moment.
    resting: usize,
}

impl EmulatedClock {
    /// A clock that begins at `start`.
    pub(crate) fn new(pace: Pace, start: Moment) -> Self {
        Self {
            pace,
            start: (start, Instant::now()),
            ahead: AtomicI64::new(0),
            present: watch::Sender::new(start),
            waiting: Mutex::default(),
            entered: Notify::new(),
        }
    }

    /// How the time passes.
    pub(crate) const fn pace(&self) -> Pace {
        self.pace
    }

    /// The first moment after the present for which something waits.
    pub(crate) fn next_due(&self) -> Option<Moment> {
        let now = self.now();
        self.waiting().moments.iter().map(|(at, ..)| *at).find(|at| *at > now)
    }

    /// Waits until something waits for a moment after the present.
    pub(crate) async fn something_waits(&self) {
        loop {
            let entered = self.entered.notified();
            if self.next_due().is_some() {
                return;
            }
            entered.await;
        }
    }

    /// Moves a clock that stands to `at`, unless it is there already. What waits until then goes on.
    pub(crate) fn move_to(&self, at: Moment) {
        self.present.send_if_modified(|present| {
            let moves = *present < at;
            *present = at.max(*present);
            moves
        });
    }

    /// How many running attempts do nothing until the clock is moved or somebody does something.
    pub(crate) fn attempts_at_rest(&self) -> usize {
        let (now, waiting) = (self.now(), self.waiting());
        let until = waiting.moments.iter().filter(|(at, waits, _)| *at > now && *waits == Waits::Attempt);
        until.count() + waiting.resting
    }

    /// Waits in a running attempt until the clock says `at`.
    pub(crate) async fn rest_until(&self, at: Moment) {
        self.wait(at, Waits::Attempt).await;
    }

    /// A running attempt that waits for something else than the clock, until the value is dropped.
    pub(crate) fn rest(&self) -> Rest<'_> {
        self.waiting().resting += 1;
        Rest(self)
    }

    /// The present of a clock that passes `times` as fast as real time, but for how far it was moved on.
    fn passed(&self, times: u32) -> Moment {
        let (start, began) = self.start;
        start + began.elapsed() * times
    }

    /// How far it was moved on.
    fn ahead(&self) -> Duration {
        Duration::from_micros(self.ahead.load(Ordering::Relaxed).unsigned_abs())
    }

    async fn wait(&self, at: Moment, waits: Waits) {
        let _entry = Entry::new(self, at, waits);
        match self.pace {
            Pace::Real => tokio::time::sleep(at.since(self.now())).await,
            Pace::Times(times) => tokio::time::sleep(at.since(self.now()) / times).await,
            Pace::Manual | Pace::Auto => {
                // The sender is a part of this clock.
                let _ = self.present.subscribe().wait_for(|present| *present >= at).await;
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for EmulatedClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmulatedClock")
            .field("pace", &self.pace)
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Clock for EmulatedClock {
    fn now(&self) -> Moment {
        match self.pace {
            Pace::Real => self.passed(1) + self.ahead(),
            Pace::Times(times) => self.passed(times) + self.ahead(),
            Pace::Manual | Pace::Auto => *self.present.borrow(),
        }
    }

    // A directory that is kept may be of a clock that was ahead, as is nothing wrong here: it is not said how far.
    fn not_before(&self, latest: Moment) -> Duration {
        let passed = match self.pace {
            Pace::Real => self.passed(1),
            Pace::Times(times) => self.passed(times),
            Pace::Manual | Pace::Auto => {
                self.move_to(latest);
                return Duration::ZERO;
            }
        };
        let ahead = latest.since(passed).as_micros();
        self.ahead.fetch_max(i64::try_from(ahead).unwrap_or(i64::MAX), Ordering::Relaxed);
        Duration::ZERO
    }

    fn real(&self) -> Moment {
        clock::now()
    }

    async fn until(&self, at: Moment) {
        self.wait(at, Waits::Other).await;
    }

    async fn pause(&self, pause: Duration) {
        match self.pace {
            Pace::Real => tokio::time::sleep(pause).await,
            Pace::Times(times) => tokio::time::sleep(pause / times).await,
            Pace::Manual | Pace::Auto => {
                let end = self.now() + pause;
                let _ = self.present.subscribe().wait_for(|present| *present >= end).await;
            }
        }
    }
}

/// A running attempt that waits for something else than the clock.
#[must_use = "the attempt rests until this is dropped"]
pub(crate) struct Rest<'c>(&'c EmulatedClock);

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        self.0.waiting().resting -= 1;
    }
}

/// A moment for which something waits, until the value is dropped.
struct Entry<'c> {
    clock: &'c EmulatedClock,
    key: (Moment, Waits, u64),
}

impl<'c> Entry<'c> {
    fn new(clock: &'c EmulatedClock, at: Moment, waits: Waits) -> Self {
        let mut waiting = clock.waiting();
        waiting.next += 1;
        let key = (at, waits, waiting.next);
        waiting.moments.insert(key);
        drop(waiting);
        clock.entered.notify_one();
        Self { clock, key }
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.clock.waiting().moments.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment::from_micros(1_767_225_600_000_000);

    fn after(seconds: u64) -> Moment {
        START + Duration::from_secs(seconds)
    }

    #[test]
    fn a_pace_is_written_as_it_is_read() {
        for text in ["real", "x60", "manual", "auto"] {
            assert_eq!(text.parse::<Pace>().unwrap().to_string(), text);
        }
        for text in ["", "x0", "x", "60", "fast", "x-1"] {
            assert!(text.parse::<Pace>().is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn a_clock_that_stands_goes_on_when_it_is_moved() {
        let clock = EmulatedClock::new(Pace::Manual, START);
        let waits = async {
            tokio::join!(clock.rest_until(after(30)), clock.until(after(7_200)));
            clock.now()
        };
        let moves = async {
            tokio::task::yield_now().await;
            assert_eq!((clock.next_due(), clock.attempts_at_rest()), (Some(after(30)), 1));
            clock.move_to(after(30));
            // The attempt does not rest any more, though its task has not run yet.
            assert_eq!((clock.next_due(), clock.attempts_at_rest()), (Some(after(7_200)), 0));
            clock.move_to(after(10));
            assert_eq!(clock.now(), after(30));
            clock.move_to(after(9_000));
        };
        let (ended, ()) = tokio::join!(waits, moves);
        assert_eq!((ended, clock.next_due()), (after(9_000), None));
    }

    #[tokio::test]
    async fn a_pause_is_nothing_that_is_due() {
        let clock = EmulatedClock::new(Pace::Auto, START);
        let moves = async {
            tokio::task::yield_now().await;
            assert_eq!(clock.next_due(), None);
            clock.move_to(after(5));
        };
        tokio::join!(clock.pause(Duration::from_secs(5)), moves);
    }

    #[test]
    fn an_attempt_rests_until_it_goes_on() {
        let clock = EmulatedClock::new(Pace::Auto, START);
        let rest = clock.rest();
        assert_eq!(clock.attempts_at_rest(), 1);
        drop(rest);
        assert_eq!(clock.attempts_at_rest(), 0);
    }

    #[test]
    fn every_clock_goes_on_from_a_store_that_was_ahead() {
        for pace in ["real", "x60", "manual", "auto"] {
            let clock = EmulatedClock::new(pace.parse().unwrap(), START);
            let _ = clock.not_before(after(7_200));
            let now = clock.now();
            assert!((after(7_200)..after(7_300)).contains(&now), "{pace}: {now:?}");
            // It does not go back.
            let _ = clock.not_before(after(60));
            assert!(clock.now() >= now, "{pace}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_fast_clock_waits_a_fraction_of_the_time() {
        let clock = EmulatedClock::new(Pace::Times(3_600), clock::now());
        let start = tokio::time::Instant::now();
        clock.until(clock.now() + Duration::from_secs(7_200)).await;
        assert!(start.elapsed() <= Duration::from_secs(2), "{:?}", start.elapsed());
    }
}
