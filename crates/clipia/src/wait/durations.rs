//! How long a model takes, as far as this client has seen. Pure.
//!
//! [`Durations::survival`] is the chance `S(t)` that a generation lasts longer than `t`. It is learned from the last
//! [`KEPT`] exact durations (`completed_at − created_at`) and from what still runs: one last seen running at the age `a`
//! says that it lasts longer than `a`. To leave that out would be to believe, while a fleet runs, that all of it is as
//! quick as its quickest; what weight each duration then has is told by Kaplan and Meier, "Nonparametric Estimation from
//! Incomplete Observations" (1958). Each is smoothed over its neighbourhood in log time, so that nothing is averaged
//! which has two ways of working (draft or full quality).
//!
//! What is believed before anything was seen counts as one observation: `S(t) = (0.1 s / t)^0.35`. A local server is
//! done in tenths of a second, a clip takes minutes, and one that has run for a minute is likely to run for another. The
//! chance of having ended since the last ask then grows with the ratio of the ages alone: to ask at one in ten is to ask
//! at ages that grow by `0.9^(−1/0.35) ≈ 1.35`, about sixteen times in the first thirty seconds. Whatever outlives all
//! durations seen is believed to be of that kind, with a tail that falls the faster the more was seen.

use std::collections::VecDeque;
use std::time::Duration;

/// Durations kept of one model.
const KEPT: usize = 64;

/// The prior's tail: `(PRIOR_FROM / t)^PRIOR_POWER`.
const PRIOR_FROM: f64 = 0.1;
const PRIOR_POWER: f64 = 0.35;

/// How far one duration speaks for others, in log time: from two percent to a quarter, as one without neighbours does.
const WIDTH_MIN: f64 = 0.02;
const WIDTH_MAX: f64 = 0.25;

/// What a smoothing width is times, so that the kernel below has the spread of a normal one of that width.
const KERNEL_REACH: f64 = 2.236_067_977_499_79; // √5

/// Ages are looked for within these, in seconds: a hundredth and about a month.
const AGE_MIN: f64 = 0.01;
const AGE_MAX: f64 = 2.6e6;

/// Halvings of that range, in log time: down to a thousandth of the age.
const HALVINGS: u32 = 16;

/// How far the belief must have moved for what was planned by it to be planned anew.
const MOVED: f64 = 0.1;

/// The power of the tail beyond all durations seen, where many were.
const TAIL_POWER: f64 = 1.5;

/// Of how many durations the tail has come half of the way from [`PRIOR_POWER`] to that.
const TAIL_HALF: f64 = 4.0;

/// What was too soon to give up a delivery for lost grows by this.
const PATIENCE_GAIN: f64 = 2.0;

/// The belief is computed anew when so small a part of what it goes by has changed.
const CHANGED: usize = 16;

#[derive(Clone, Debug, Default)]
pub(crate) struct Durations {
    /// Log seconds, in the order they came.
    kept: VecDeque<f64>,
    /// How many there ever were.
    seen: usize,
    /// The ages in log seconds at which what runs was last seen running, in order.
    running: Vec<f64>,
    /// See [`Durations::patience`].
    patience: f64,
    /// Changes that the belief does not know of.
    changes: usize,
    belief: Belief,
    /// What was believed when plans were last made.
    planned: Belief,
}

/// A distribution of durations.
#[derive(Clone, Debug, Default)]
struct Belief {
    /// In the order of their centers.
    kernels: Vec<Kernel>,
    /// The mass of what outlives them all, and from which age in log seconds on it is believed to end: not before that
    /// at which half of what runs beyond them was last seen running.
    rest: f64,
    rest_from: f64,
}

/// A duration, smoothed.
#[derive(Clone, Copy, Debug)]
struct Kernel {
    /// In log seconds, as its reach to either side.
    center: f64,
    reach: f64,
    /// How much of all durations it speaks for, from 0 to 1.
    mass: f64,
}

impl Durations {
    /// A generation of this model took so long. Whether what was planned before should be planned anew.
    pub(crate) fn learn(&mut self, duration: Duration) -> bool {
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(log(duration.as_secs_f64()));
        self.seen = self.seen.saturating_add(1);
        self.believe()
    }

    /// One was seen running at the age `now` in seconds, and before that at `before` if at all. The same answer.
    pub(crate) fn outlived(&mut self, before: Option<f64>, now: f64) -> bool {
        self.forget(before);
        let age = log(now);
        let at = self.running.partition_point(|other| *other < age);
        self.running.insert(at, age);
        self.changes * CHANGED >= self.running.len() + self.kept.len() && self.believe()
    }

    /// What was last seen running at that age, if at all, runs no more or is followed no more.
    pub(crate) fn forget(&mut self, age: Option<f64>) {
        self.changes += 1;
        let Some(age) = age.map(log) else { return };
        let at = self.running.partition_point(|other| *other < age);
        if self.running.get(at) == Some(&age) {
            self.running.remove(at);
        }
    }

    fn believe(&mut self) -> bool {
        self.changes = 0;
        self.belief = self.belief();
        let centers = self.belief.kernels.iter().chain(&self.planned.kernels).map(|kernel| kernel.center);
        let differ = |log: f64| (self.belief.survival(log) - self.planned.survival(log)).abs() > MOVED;
        let moved = centers.into_iter().any(differ);
        if moved {
            self.planned.clone_from(&self.belief);
        }
        moved
    }

    fn belief(&self) -> Belief {
        let mut logs: Vec<f64> = self.kept.iter().copied().collect();
        logs.sort_by(f64::total_cmp);
        let neighbours = (logs.len() as f64).sqrt().ceil() as usize;
        // Those kept stand for all that were seen, but for no more than run now: or a model that grows slower would
        // be noticed only when most have outlived what is kept.
        let stands_for = self.seen.min(logs.len().max(self.running.len())) as f64 / logs.len().max(1) as f64;
        let mut rest = 1.0;
        let mut kernels = Vec::with_capacity(logs.len());
        for (shorter, &center) in logs.iter().enumerate() {
            let longer = (logs.len() - shorter) as f64 * stands_for;
            let outlived = self.running.len() - self.running.partition_point(|age| *age < center);
            let mass = rest * stands_for / (longer + outlived as f64);
            kernels.push(Kernel { center, reach: width(&logs, center, neighbours) * KERNEL_REACH, mass });
            rest -= mass;
        }
        let longest = logs.last().copied().unwrap_or_default();
        let beyond = &self.running[self.running.partition_point(|age| *age < longest)..];
        let rest_from = beyond.get(beyond.len() / 2).copied().unwrap_or(longest);
        Belief { kernels, rest: rest.max(0.0), rest_from }
    }

    /// How many durations it goes by.
    pub(crate) fn len(&self) -> usize {
        self.kept.len()
    }

    /// One whose delivery was given up for lost still ran at that age, in seconds: others are given longer.
    pub(crate) fn too_soon(&mut self, age: f64) {
        self.patience = self.patience.max(age * PATIENCE_GAIN);
    }

    /// How long a delivery is waited for, in seconds, at least.
    pub(crate) fn patience(&self) -> f64 {
        self.patience
    }

    /// The longest of them, in seconds.
    pub(crate) fn longest(&self) -> Option<f64> {
        self.belief.kernels.last().map(|kernel| kernel.center.exp())
    }

    /// The chance of lasting longer than `age` seconds.
    pub(crate) fn survival(&self, age: f64) -> f64 {
        if age <= 0.0 { 1.0 } else { self.belief.survival(age.ln()) }
    }

    /// The chance that a generation has ended by `age`, given that it had not at `asked` (both in seconds).
    pub(crate) fn ended_since(&self, asked: f64, age: f64) -> f64 {
        if age <= asked { 0.0 } else { (1.0 - self.survival(age) / self.survival(asked)).clamp(0.0, 1.0) }
    }
}

/// The first age after `from` at which `chance`, which never falls with the age, is at least `wanted`; `None` where it
/// takes longer than a month.
pub(crate) fn age_when(from: f64, wanted: f64, chance: impl Fn(f64) -> f64) -> Option<f64> {
    if chance(AGE_MAX) < wanted {
        return None;
    }
    let (mut low, mut high) = (from.max(AGE_MIN).ln(), AGE_MAX.ln());
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if chance(middle.exp()) < wanted { low = middle } else { high = middle }
    }
    Some(high.exp())
}

impl Belief {
    /// The chance of lasting longer than an age in log seconds.
    fn survival(&self, log: f64) -> f64 {
        let seen = self.kernels.len() as f64;
        let learned: f64 = self.kernels.iter().map(|kernel| kernel.mass * kernel.above(log)).sum();
        // Beyond the longest seen, the tail falls faster.
        let beyond = self.kernels.last().map_or(0.0, |kernel| (log - kernel.center).max(0.0));
        let faster = (TAIL_POWER - PRIOR_POWER) * seen / (seen + TAIL_HALF);
        let prior = ((PRIOR_FROM.ln() - log).min(0.0) * PRIOR_POWER - beyond * faster).exp();
        let rest = self.rest * (-(log - self.rest_from).max(0.0) * (PRIOR_POWER + faster)).exp();
        (prior + seen * (learned + rest)) / (1.0 + seen)
    }
}

impl Kernel {
    /// How much of it lies above `log`: it is Epanechnikov's, which ends where it reaches.
    fn above(self, log: f64) -> f64 {
        let at = ((log - self.center) / self.reach).clamp(-1.0, 1.0);
        0.5 - 0.75 * at + 0.25 * at * at * at
    }
}

fn log(seconds: f64) -> f64 {
    seconds.clamp(AGE_MIN, AGE_MAX).ln()
}

/// How far a duration speaks: to its nearest neighbours, of which it knows more as there are more.
fn width(logs: &[f64], log: f64, neighbours: usize) -> f64 {
    if logs.len() < 2 {
        return WIDTH_MAX;
    }
    let mut distances: Vec<f64> = logs.iter().map(|other| (other - log).abs()).collect();
    distances.sort_by(f64::total_cmp);
    // The first distance is its own, of nothing.
    distances[neighbours.min(distances.len() - 1)].clamp(WIDTH_MIN, WIDTH_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn learned(seconds: &[f64]) -> Durations {
        let mut durations = Durations::default();
        for seconds in seconds {
            durations.learn(Duration::from_secs_f64(*seconds));
        }
        durations
    }

    fn asks(durations: &Durations, wanted: f64, until: f64) -> Vec<f64> {
        let (mut asked, mut asks) = (0.0, Vec::new());
        while let Some(age) = age_when(asked, wanted, |age| durations.ended_since(asked, age))
            && age < until
        {
            // As `policy` spaces them, at least.
            asked = age.max(asked * 1.01);
            asks.push(asked);
        }
        asks
    }

    #[test]
    fn knowing_nothing_it_asks_at_ages_that_grow_by_a_third() {
        let asks = asks(&Durations::default(), 0.1, 30.0);
        assert!((17..=19).contains(&asks.len()), "{asks:?}");
        assert!(asks.windows(2).all(|pair| (1.34..1.36).contains(&(pair[1] / pair[0]))), "{asks:?}");
    }

    #[test]
    fn knowing_the_duration_it_asks_about_then() {
        let durations = learned(&[30.0; 40]);
        let asks = asks(&durations, 0.1, 29.0);
        assert!(asks.len() <= 1, "{asks:?}");
        let sure = age_when(0.0, 0.95, |age| durations.ended_since(0.0, age)).unwrap();
        assert!((30.0..31.5).contains(&sure), "{sure}");
    }

    #[test]
    fn of_two_ways_of_working_it_asks_after_each() {
        let durations = learned(&[[8.0, 60.0]; 20].concat());
        let asks = asks(&durations, 0.3, 70.0);
        assert!(asks.iter().all(|age| (7.0..9.0).contains(age) || (57.0..66.0).contains(age)), "{asks:?}");
        assert!(durations.ended_since(9.0, 50.0) < 0.05);
    }

    #[test]
    fn it_follows_a_model_that_grows_slower() {
        let mut durations = learned(&[10.0; 64]);
        for _ in 0..64 {
            durations.learn(Duration::from_secs(50));
        }
        assert!(durations.ended_since(0.0, 40.0) < 0.1);
    }

    #[test]
    fn plans_are_made_anew_only_when_the_belief_has_moved() {
        let mut durations = Durations::default();
        let anew = (0..1_000).filter(|n| durations.learn(Duration::from_millis(30_000 + n % 7))).count();
        assert!(anew <= 10, "{anew}");
        assert!((0..20).any(|_| durations.learn(Duration::from_secs(300))), "it has become slower");
    }

    proptest! {
        #[test]
        fn survival_never_rises_and_never_ends(
            seconds in prop::collection::vec(0.0f64..1e5, 0..80),
            ages in prop::collection::vec(0.0f64..1e5, 2..20),
        ) {
            let durations = learned(&seconds);
            let mut ages = ages;
            ages.sort_by(f64::total_cmp);
            for pair in ages.windows(2) {
                let (early, late) = (durations.survival(pair[0]), durations.survival(pair[1]));
                prop_assert!(late <= early + 1e-9 && late > 0.0 && early <= 1.0);
                prop_assert!((0.0..=1.0).contains(&durations.ended_since(pair[0], pair[1])));
            }
        }
    }
}
