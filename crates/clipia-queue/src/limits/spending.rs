//! The budget of a key that several nodes spend.
//!
//! Each node decides by what it knows. Twice a second it tells what it spent, and hears what all have spent together. So nodes
//! together allow what one would, and at most what came within about a second beside it: what a node spent half a second ago at most is
//! told, and what was told half a second ago at most is heard.

use super::{Decision, RateLimit};
use crate::Moment;
use std::time::Duration;

/// How often a node tells and hears.
pub const TOLD_EVERY: Duration = Duration::from_millis(500);

/// What a node knows of a key's budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spending {
    arrival: Moment,
    untold: Option<Spent>,
}

/// What a node has spent of a key's budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// When it spent the first of it.
    pub began: Moment,
    /// How much: the time in which as much comes back.
    pub time: Duration,
}

impl Spent {
    /// The arrival time of a key, once this was spent too: the rule by which a store adds up what its nodes tell. It is never later than
    /// that of one node which decided everything.
    pub fn arrival_after(self, arrival: Moment) -> Moment {
        arrival.max(self.began) + self.time
    }

    fn and(self, other: Self) -> Self {
        Self { began: self.began.min(other.began), time: self.time + other.time }
    }
}

impl Spending {
    /// Spends one request, if one is left.
    pub fn spend(&mut self, limit: RateLimit, now: Moment) -> Decision {
        let decision = limit.decide(self.arrival, now);
        let time = decision.arrival.since(self.arrival.max(now));
        self.arrival = decision.arrival;
        if !time.is_zero() {
            self.untell(Spent { began: now, time });
        }
        decision
    }

    /// Whether the budget is whole: nothing would change if this was forgotten.
    pub fn is_whole(&self, now: Moment) -> bool {
        self.arrival <= now
    }

    /// What was spent since this was last called: it is told now.
    pub fn tell(&mut self) -> Option<Spent> {
        self.untold.take()
    }

    /// What was to be told was not.
    pub fn untell(&mut self, spent: Spent) {
        self.untold = Some(self.untold.map_or(spent, |untold| untold.and(spent)));
    }

    /// All nodes together have come to this arrival time, with all that was told.
    pub fn hear(&mut self, arrival: Moment) {
        let untold = self.untold.map_or(Duration::ZERO, |spent| spent.time);
        self.arrival = self.arrival.max(arrival + untold);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The store of some nodes, and their knowledge.
    struct Nodes {
        limit: RateLimit,
        arrival: Moment,
        nodes: Vec<(Spending, Moment)>,
    }

    impl Nodes {
        fn tell_and_hear(&mut self, now: Moment) {
            for (node, told_at) in &mut self.nodes {
                if now.since(*told_at) < TOLD_EVERY {
                    continue;
                }
                *told_at = now;
                if let Some(spent) = node.tell() {
                    self.arrival = spent.arrival_after(self.arrival);
                }
                node.hear(self.arrival);
            }
        }

        fn spend(&mut self, node: usize, now: Moment) -> bool {
            self.nodes[node].0.spend(self.limit, now).refused_for.is_none()
        }
    }

    #[test]
    fn a_node_alone_decides_as_without_a_store() {
        let limit = RateLimit::per_minute(120);
        let mut now = Moment::from_micros(1_000_000_000);
        let mut nodes = Nodes { limit, arrival: Moment::default(), nodes: vec![Default::default()] };
        let mut arrival = Moment::default();
        for gap in (0..2_000).map(|number: u64| number * 7_919 % 600) {
            now = now + Duration::from_millis(gap);
            nodes.tell_and_hear(now);
            let decision = limit.decide(arrival, now);
            arrival = decision.arrival;
            assert_eq!(nodes.nodes[0].0.spend(limit, now), decision);
        }
    }

    #[test]
    fn what_was_not_told_is_told_later() {
        let (limit, now) = (RateLimit::per_minute(60), Moment::from_micros(1_000_000_000));
        let mut node = Spending::default();
        assert_eq!(node.tell(), None);
        node.spend(limit, now);
        let spent = node.tell().unwrap();
        assert_eq!(spent, Spent { began: now, time: Duration::from_secs(1) });
        node.spend(limit, now + Duration::from_millis(200));
        node.untell(spent);
        assert!(!node.is_whole(now + Duration::from_secs(1)));
        assert_eq!(node.tell(), Some(Spent { began: now, time: Duration::from_secs(2) }));
        assert!(node.is_whole(now + Duration::from_secs(60)));
        // A limit that is lifted has nothing to tell.
        node.spend(RateLimit::per_minute(0), now);
        assert_eq!(node.tell(), None);
    }

    proptest! {
        #[test]
        fn nodes_together_allow_the_limit_and_what_came_within_a_second(
            per_minute in 1u32..2_000,
            count in 1usize..5,
            calls in proptest::collection::vec((0u64..300_000, 0usize..5), 1..600),
        ) {
            let limit = RateLimit::per_minute(per_minute);
            let start = Moment::from_micros(1_000_000_000);
            let mut nodes = Nodes { limit, arrival: Moment::default(), nodes: vec![Default::default(); count] };
            let (mut now, mut allowed, mut came) = (start, 0u64, Vec::new());
            for (gap, node) in calls {
                let then = now + Duration::from_micros(gap);
                // Nodes tell and hear whether calls come or not, each at its own time.
                while now + Duration::from_millis(50) < then {
                    now = now + Duration::from_millis(50);
                    nodes.tell_and_hear(now);
                }
                now = then;
                nodes.tell_and_hear(now);
                came.push(now);
                allowed += u64::from(nodes.spend(node % count, now));
                // Half a second until it is told, half a second until it is heard, and what a step of this test adds to each.
                let lag = 2 * (TOLD_EVERY + Duration::from_millis(50));
                let lately = came.iter().filter(|at| now.since(**at) <= lag).count();
                let time = now.since(start) + lag;
                let share = time.as_secs_f64() * f64::from(per_minute) / 60.0 + f64::from(limit.burst());
                let most = share + 1.0 + if count > 1 { lately as f64 } else { 0.0 };
                prop_assert!(allowed as f64 <= most, "{allowed} of {most}");
            }
        }
    }
}
