//! The breaker of a receiver's host: when the host is called, and when it is left alone.
//!
//! A host has a few attempts under way at a time. Once so many in a row went unanswered that it must be down, the
//! breaker opens: its deliveries wait and spend no attempt, until one of them may find out whether it is back.
//!
//! ```text
//!            FAILURES_MAX in a row             the pause is over
//!   closed ───────────────────────▶ open ────────────────────────▶ one probe under way
//!     ▲  ▲      any success           ▲            it fails: a longer pause    │ │
//!     │  └──────────────────────────  └────────────────────────────────────────┘ │
//!     └───────────────────────────────────────────────────────────────────────────┘
//!                                      it succeeds
//! ```

use crate::Moment;
use std::time::Duration;

/// Attempts under way to one host: enough for a receiver that answers slowly, too few to be an attack on it.
pub const HOST_UNDER_WAY_MAX: u32 = 16;

/// Failures in a row after which a host counts as down.
pub const FAILURES_MAX: u32 = 10;

/// How long a host is left alone at first.
pub const PAUSE_MIN: Duration = Duration::from_secs(30);

/// How long at most: a host that is back is found so much later.
pub const PAUSE_MAX: Duration = Duration::from_secs(5 * 60);

/// What is known of one host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    under_way: u32,
    /// Failures since the last success.
    failures: u32,
    open: Option<Open>,
    /// How often it has opened: distinguishes the probe of this opening from one of an earlier.
    openings: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    until: Moment,
    pause: Duration,
    probing: bool,
}

/// An attempt that has begun, to be handed back when it ends.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "an attempt that is not ended takes up room for ever"]
pub struct Turn {
    probe_of: Option<u64>,
}

/// What an attempt shows of its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// The host responded, be it with a refusal: another path of it may work.
    Alive,
    /// The host did not respond, or responded that it cannot.
    Down,
    /// Nothing: this side ended the attempt.
    None,
}

impl Breaker {
    /// How many attempts may begin now.
    pub fn room(&self, now: Moment) -> u32 {
        match self.open {
            None => self.room_while_closed(),
            Some(open) => u32::from(!open.probing && open.until <= now),
        }
    }

    /// How many attempts may begin that an operator asked for: they find out whether the host is back, without waiting
    /// for the pause to end.
    pub fn room_for_replays(&self) -> u32 {
        match self.open {
            None => self.room_while_closed(),
            Some(open) => u32::from(!open.probing),
        }
    }

    /// A host in doubt gets no more than it takes to find out: what begins now may be an attempt lost.
    fn room_while_closed(&self) -> u32 {
        let most = match self.failures {
            0 => HOST_UNDER_WAY_MAX,
            failures => HOST_UNDER_WAY_MAX.min(FAILURES_MAX.saturating_sub(failures)),
        };
        most.saturating_sub(self.under_way)
    }

    /// An attempt begins. The caller has seen that there is room; one for which there is none counts as well.
    pub fn begin(&mut self) -> Turn {
        self.under_way += 1;
        let probe_of = match &mut self.open {
            Some(open) if !open.probing => {
                open.probing = true;
                Some(self.openings)
            }
            _ => None,
        };
        Turn { probe_of }
    }

    /// An attempt ends. One that began before the breaker opened can still close it, but not prolong it.
    pub fn end(&mut self, turn: Turn, sign: Sign, now: Moment) {
        self.under_way = self.under_way.saturating_sub(1);
        let is_probe = self.open.is_some() && turn.probe_of == Some(self.openings);
        match (sign, &mut self.open) {
            (Sign::Alive, _) => {
                self.failures = 0;
                self.open = None;
            }
            (Sign::Down, Some(open)) if is_probe => {
                let pause = (open.pause * 2).min(PAUSE_MAX);
                *open = Open { until: now + pause, pause, probing: false };
            }
            (Sign::None, Some(open)) if is_probe => open.probing = false,
            (Sign::Down, None) => {
                self.failures += 1;
                if self.failures >= FAILURES_MAX {
                    self.openings += 1;
                    self.open = Some(Open { until: now + PAUSE_MIN, pause: PAUSE_MIN, probing: false });
                }
            }
            (Sign::Down | Sign::None, _) => {}
        }
    }

    /// Whether the host counts as down.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// When the next probe may begin, where the host counts as down and none is under way.
    pub fn probe_at(&self) -> Option<Moment> {
        self.open.filter(|open| !open.probing).map(|open| open.until)
    }

    /// How many attempts are under way.
    pub fn under_way(&self) -> u32 {
        self.under_way
    }

    /// Whether nothing is known that a new one would not know.
    pub fn is_fresh(&self) -> bool {
        self.under_way == 0 && self.failures == 0 && self.open.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: Moment = Moment::from_micros(0);

    /// A breaker that has just opened.
    fn open() -> Breaker {
        let mut host = Breaker::default();
        for _ in 0..FAILURES_MAX {
            let turn = host.begin();
            host.end(turn, Sign::Down, START);
        }
        host
    }

    #[test]
    fn opens_after_failures_in_a_row_only() {
        let mut host = Breaker::default();
        for round in 0..FAILURES_MAX * 3 {
            let turn = host.begin();
            host.end(turn, if round % 9 == 8 { Sign::Alive } else { Sign::Down }, START);
            assert!(!host.is_open());
        }
        assert!(open().is_open());
    }

    #[test]
    fn a_host_that_goes_down_costs_no_more_attempts_than_were_under_way() {
        let mut host = Breaker::default();
        let mut turns: Vec<Turn> = Vec::new();
        let mut begun = 0;
        while !host.is_open() {
            while host.room(START) > 0 {
                turns.push(host.begin());
                begun += 1;
            }
            host.end(turns.remove(0), Sign::Down, START);
        }
        assert_eq!(begun, HOST_UNDER_WAY_MAX);
    }

    #[test]
    fn one_probe_at_a_time_further_and_further_apart() {
        let mut host = open();
        let mut now = START;
        for seconds in [30, 60, 120, 240, 300, 300] {
            now = now + Duration::from_secs(seconds);
            assert_eq!(host.probe_at(), Some(now));
            assert_eq!(host.room(now - Duration::from_micros(1)), 0);
            assert_eq!(host.room(now), 1);
            let turn = host.begin();
            assert_eq!((host.room(now), host.room_for_replays(), host.probe_at()), (0, 0, None));
            host.end(turn, Sign::Down, now);
        }
        let turn = host.begin();
        host.end(turn, Sign::Alive, now);
        assert!(host.is_fresh());
    }

    #[test]
    fn an_operator_need_not_wait_for_the_pause() {
        let mut host = open();
        assert_eq!((host.room(START), host.room_for_replays()), (0, 1));
        let turn = host.begin();
        assert_eq!(host.room_for_replays(), 0);
        host.end(turn, Sign::Alive, START);
        assert_eq!(host.room(START), HOST_UNDER_WAY_MAX);
    }

    #[test]
    fn stragglers_of_before_close_it_but_do_not_prolong_it() {
        let mut host = Breaker::default();
        let mut stragglers: Vec<Turn> = (0..3).map(|_| host.begin()).collect();
        for _ in 0..FAILURES_MAX {
            let turn = host.begin();
            host.end(turn, Sign::Down, START);
        }
        let opened = host.probe_at();
        host.end(stragglers.pop().unwrap(), Sign::Down, START + PAUSE_MAX);
        assert_eq!(host.probe_at(), opened);
        host.end(stragglers.pop().unwrap(), Sign::Alive, START);
        assert!(!host.is_open());
    }

    #[test]
    fn a_probe_that_tells_nothing_makes_way_for_another() {
        let mut host = open();
        let now = START + PAUSE_MIN;
        let turn = host.begin();
        host.end(turn, Sign::None, now);
        assert_eq!(host.room(now), 1);
    }

    proptest! {
        /// Whatever happens in whatever order: never more under way than may be, never more than one probe in a pause,
        /// and never alone for longer than the longest pause.
        #[test]
        fn a_host_is_neither_flooded_nor_forgotten(steps in proptest::collection::vec((0..5u8, 0..400u64), 0..300)) {
            let mut host = Breaker::default();
            let mut turns: Vec<Turn> = Vec::new();
            let mut now = START;
            let mut last_success = 0;
            for (step, number) in steps {
                match step {
                    0 | 1 => if host.room(now) > 0 {
                        let was_open = host.is_open();
                        turns.push(host.begin());
                        prop_assert!(!was_open || host.room(now) == 0, "a second probe may begin");
                    },
                    2 | 3 if !turns.is_empty() => {
                        let turn = turns.swap_remove(usize::try_from(number).unwrap() % turns.len());
                        let was_open = host.is_open();
                        let sign = [Sign::Down, Sign::Down, Sign::Down, Sign::Alive, Sign::None][usize::try_from(number % 5).unwrap()];
                        host.end(turn, sign, now);
                        last_success = match sign { Sign::Alive => 0, Sign::Down => last_success + 1, Sign::None => last_success };
                        prop_assert!(was_open || !host.is_open() || last_success >= FAILURES_MAX);
                        prop_assert!(sign != Sign::Alive || !host.is_open());
                    }
                    _ => now = now + Duration::from_secs(number),
                }
                prop_assert_eq!(usize::try_from(host.under_way()).unwrap(), turns.len());
                prop_assert!(host.under_way() <= HOST_UNDER_WAY_MAX + 1, "the probe is the only one beyond");
                if let Some(at) = host.probe_at() {
                    prop_assert!(at <= now + PAUSE_MAX);
                    prop_assert!(host.room(at) == 1);
                }
            }
            for turn in turns.drain(..) {
                host.end(turn, Sign::Alive, now);
            }
            prop_assert!(host.is_fresh() || host.room(now + PAUSE_MAX) > 0);
        }
    }
}
