//! The submit gate: holds submits back while the concurrency limit is reached. Pure: the time is an argument.
//!
//! After a `concurrency_limit_exceeded` there is room for another submit when a generation ends. If each refused submit
//! retried by itself, a fleet larger than the limit would spend its budget on refusals. So the first refusal closes the
//! gate for all submits. Each end that becomes known lets one submit pass. Without a known end (other clients use the
//! key, too) one submit passes as a probe, after a pause that doubles with each refused probe.

use crate::backoff::Backoff;
use std::time::{Duration, Instant};

/// The pauses between probes.
const PROBES: Backoff = Backoff { first: Duration::from_secs(1), max: Duration::from_secs(30) };

#[derive(Debug, Default)]
pub(crate) struct SubmitGate(Option<Closed>);

#[derive(Debug)]
struct Closed {
    /// When a probe may pass.
    probe_at: Instant,
    /// The number of refusals, those of submits that were sent together counted once.
    refusals: u32,
    /// Known ends for which no submit has passed yet.
    ended: u32,
    /// Whether a probe has passed and has no response yet.
    probing: bool,
}

impl SubmitGate {
    pub(crate) fn is_closed(&self) -> bool {
        self.0.is_some()
    }

    /// Whether a submit may pass at `now`.
    pub(crate) fn may_pass(&self, now: Instant) -> bool {
        self.0.as_ref().is_none_or(|closed| closed.ended > 0 || now >= closed.probe_at)
    }

    /// When a probe may pass, if the gate is closed.
    pub(crate) fn probe_at(&self) -> Option<Instant> {
        self.0.as_ref().map(|closed| closed.probe_at)
    }

    /// Counts a submit that passes.
    pub(crate) fn passed(&mut self, now: Instant) {
        let Some(closed) = &mut self.0 else { return };
        if closed.ended > 0 {
            closed.ended -= 1;
        } else {
            (closed.probe_at, closed.probing) = (now + PROBES.pause(closed.refusals), true);
        }
    }

    /// Counts a submit that was refused; `retry_after` is from the response.
    pub(crate) fn refused(&mut self, now: Instant, retry_after: Option<Duration>) {
        let refusals = match &self.0 {
            None => 1,
            Some(Closed { probing: true, refusals, .. }) => refusals.saturating_add(1),
            // Submits that were sent together are refused together.
            Some(closed) => closed.refusals,
        };
        let pause = retry_after.unwrap_or_else(|| PROBES.pause(refusals)).min(PROBES.max);
        let ended = self.0.as_ref().map_or(0, |closed| closed.ended);
        self.0 = Some(Closed { probe_at: now + pause, refusals, ended, probing: false });
    }

    /// Counts a submit that was accepted. If it was a probe, the gate opens.
    pub(crate) fn accepted(&mut self) {
        if self.0.as_ref().is_some_and(|closed| closed.probing) {
            self.0 = None;
        }
    }

    /// Counts a generation that has ended.
    pub(crate) fn ended(&mut self) {
        if let Some(closed) = &mut self.0 {
            closed.ended = closed.ended.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_lets_one_submit_pass_and_without_ends_probes_pass_after_doubling_pauses() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut gate = SubmitGate::default();
        assert!(gate.may_pass(start) && !gate.is_closed());
        gate.refused(start, None);
        gate.refused(start, None);
        assert!(!gate.may_pass(start) && gate.probe_at() == Some(at(1)));
        gate.ended();
        assert!(gate.may_pass(start));
        gate.passed(start);
        gate.accepted();
        assert!(gate.is_closed() && !gate.may_pass(start));
        for (now, pause) in [(1, 2), (3, 4), (7, 8), (15, 16), (31, 30), (61, 30)] {
            assert!(gate.may_pass(at(now)), "{now}");
            gate.passed(at(now));
            assert!(!gate.may_pass(at(now)), "one at a time");
            gate.refused(at(now), None);
            assert_eq!(gate.probe_at(), Some(at(now + pause)));
        }
        gate.passed(at(91));
        gate.accepted();
        assert!(!gate.is_closed(), "there is room again");
        gate.refused(at(92), Some(Duration::from_secs(7)));
        assert_eq!(gate.probe_at(), Some(at(99)));
    }
}
