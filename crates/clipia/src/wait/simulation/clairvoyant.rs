//! The client that knows every end beforehand.

use super::fleet::Fleet;
use super::server::Server;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

/// The times at which a clairvoyant client knows the ends, if its bucket begins with `burst` tokens. It knows every end
/// beforehand, submits first, and polls each generation once. What clients that die have submitted is not polled.
pub(super) fn clairvoyant(fleet: &Fleet) -> Vec<f64> {
    let lifetime = |number: usize| fleet.clients[fleet.client_of(number)];
    let mut submits: Vec<(Duration, usize)> =
        (0..fleet.durations.len()).map(|number| (lifetime(number).begins, number)).collect();
    submits.sort();
    let mut submits: VecDeque<_> = submits.into();
    let mut ends: BinaryHeap<Reverse<(Duration, usize)>> = BinaryHeap::new();
    let (mut now, mut known) = (Duration::ZERO, Vec::new());
    let mut server = Server::new(fleet.server.burst as u32, true);
    loop {
        let (submit, end) = (submits.front().copied(), ends.peek().map(|end| end.0));
        let Some(first) = [submit, end].into_iter().flatten().map(|(at, _)| at).min() else { break };
        now = now.max(first).max(server.whole_at());
        let submit = submit.filter(|(at, _)| *at <= now);
        if let Some((_, number)) = submit {
            submits.pop_front();
            if lifetime(number).dies.is_some_and(|dies| dies <= now) {
                continue;
            }
            let end = now + fleet.durations[number];
            if fleet.deliveries.is_some() {
                known.push(end.as_secs_f64());
            } else if lifetime(number).dies.is_none_or(|dies| dies > end) {
                ends.push(Reverse((end, number)));
            }
        } else {
            ends.pop();
            known.push(now.as_secs_f64());
        }
        assert!(server.accept(now).0);
    }
    known
}
