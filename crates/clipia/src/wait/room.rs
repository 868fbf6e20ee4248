//! Room for more generations in flight, where the server bounds them. Pure: the time is an argument.
//!
//! A submit that is refused for `concurrency_limit_exceeded` has room again when a generation ends. Were each refused
//! submit to try again by itself, a fleet larger than the bound would spend its budget on refusals. So the first
//! refusal holds back all submits: each end that becomes known lets one go, and where none does (others use the
//! key, too), one goes after a pause that doubles.

use std::time::{Duration, Instant};

/// The first pause, and the longest.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct Room(Option<Held>);

#[derive(Debug)]
struct Held {
    /// When one may go although no end is known.
    until: Instant,
    pause: Duration,
    /// Ends that became known since, and let nobody go yet.
    ended: u32,
    /// Whether one went although no end was known, and has no answer yet.
    trying: bool,
}

impl Room {
    pub(super) fn is_held(&self) -> bool {
        self.0.is_some()
    }

    /// Whether a submit may go at `now`.
    pub(super) fn may_go(&self, now: Instant) -> bool {
        self.0.as_ref().is_none_or(|held| held.ended > 0 || now >= held.until)
    }

    /// When one may although no end is known.
    pub(super) fn until(&self) -> Option<Instant> {
        self.0.as_ref().map(|held| held.until)
    }

    /// One goes.
    pub(super) fn goes(&mut self, now: Instant) {
        let Some(held) = &mut self.0 else { return };
        if held.ended > 0 {
            held.ended -= 1;
        } else {
            (held.until, held.trying) = (now + held.pause, true);
        }
    }

    /// One was refused, for so long if the server told.
    pub(super) fn refused(&mut self, now: Instant, told: Option<Duration>) {
        let pause = match &self.0 {
            None => PAUSE_FIRST,
            Some(Held { trying: true, pause, .. }) => (*pause * 2).min(PAUSE_MAX),
            // Those that went together are refused together, and say so once.
            Some(held) => held.pause,
        };
        let until = now + told.unwrap_or(pause).min(PAUSE_MAX);
        let ended = self.0.as_ref().map_or(0, |held| held.ended);
        self.0 = Some(Held { until, pause, ended, trying: false });
    }

    /// One was accepted. If it went although no end was known, there is room for more.
    pub(super) fn accepted(&mut self) {
        if self.0.as_ref().is_some_and(|held| held.trying) {
            self.0 = None;
        }
    }

    /// A generation has ended.
    pub(super) fn ended(&mut self) {
        if let Some(held) = &mut self.0 {
            held.ended = held.ended.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_lets_one_go_and_none_at_all_one_after_a_pause_that_doubles() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut room = Room::default();
        assert!(room.may_go(start) && !room.is_held());
        room.refused(start, None);
        room.refused(start, None);
        assert!(!room.may_go(start) && room.until() == Some(at(1)));
        room.ended();
        assert!(room.may_go(start));
        room.goes(start);
        room.accepted();
        assert!(room.is_held() && !room.may_go(start));
        for (now, pause) in [(1, 2), (3, 4), (7, 8), (15, 16), (31, 30), (61, 30)] {
            assert!(room.may_go(at(now)), "{now}");
            room.goes(at(now));
            assert!(!room.may_go(at(now)), "one at a time");
            room.refused(at(now), None);
            assert_eq!(room.until(), Some(at(now + pause)));
        }
        room.goes(at(91));
        room.accepted();
        assert!(!room.is_held(), "there is room again");
        room.refused(at(92), Some(Duration::from_secs(7)));
        assert_eq!(room.until(), Some(at(99)));
    }
}
