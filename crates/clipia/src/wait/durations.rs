//! The durations of a model, as far as this client has seen them. Pure.
//!
//! [`Durations::survival`] is the chance `S(t)` that a generation lasts longer than `t`. It is learned from the last
//! [`DURATIONS_MAX`] exact durations (`completed_at − created_at`), and from the generations that still run: one that
//! was last seen running at the age `a` lasts longer than `a`. Without the latter, a client would believe while a fleet
//! runs that all of it is as quick as its quickest. The weight of each duration is that of Kaplan and Meier,
//! "Nonparametric Estimation from Incomplete Observations" (1958). Each duration is smoothed over its neighbourhood in
//! log time, so that a model with two modes (draft and full quality) keeps them apart.
//!
//! The prior counts as one observation. A local server needs tenths of a second, a clip takes minutes, and a generation
//! that has run for a minute is likely to run for another: six parts in a hundred end within tenths of a second, and the
//! others by `S(t) = (1 + t / 12 s)^−0.45`. By the prior alone, a lone generation is polled about eight times in the
//! first thirty seconds. Beyond all durations seen the tail has the same form, and falls faster the more durations were
//! seen.
//!
//! Until the first duration of a model is known, the generations that run tell of each other: if one still runs, the
//! others most likely do. So one poll serves them all, and each is polled less ([`Durations::first_is_worth`]).

use std::collections::VecDeque;
use std::time::Duration;

/// Durations kept of one model.
const DURATIONS_MAX: usize = 64;

/// The prior: the usual durations, with their scale in seconds and the power of their tail; and the part of the quick
/// ones, with their scale.
const PRIOR_SCALE: f64 = 12.0;
const PRIOR_POWER: f64 = 0.45;
const PRIOR_QUICK: f64 = 0.06;
const PRIOR_QUICK_SCALE: f64 = 0.3;

/// Generations that run count as so many observations at most, until the first duration of their model is known.
const RUNNING_MAX: usize = 4;

/// Fewer generations than this are few: a token that is kept for them is worth little.
const FEW: usize = 8;

/// So many running generations make the first duration of their model worth one poll more, up to the bound.
const WORTH_EACH: f64 = 3.6;
const WORTH_MAX: f64 = 4.0;

/// The smallest and the largest smoothing width of a duration, in log time: two percent; and a quarter, which is also
/// the width of a lone duration.
const WIDTH_MIN: f64 = 0.02;
const WIDTH_MAX: f64 = 0.25;

/// The reach of a kernel as a multiple of its width. With this factor it has the spread of a normal distribution.
const KERNEL_REACH: f64 = 2.236_067_977_499_79; // √5

/// The range of ages that are considered, in seconds: from a hundredth to about a month.
const AGE_MIN: f64 = 0.01;
const AGE_MAX: f64 = 2.6e6;

/// Bisections of that range, in log time: down to a thousandth of the age.
const HALVINGS: u32 = 16;

/// The smallest change of a survival chance after which waits are planned again.
const CHANGE_MIN: f64 = 0.1;

/// The same for the age of the oldest generation that runs, in log time, until the first duration is known.
const CHANGE_MIN_UNKNOWN: f64 = 0.04;

/// The power of the tail beyond all durations, if many were seen.
const TAIL_POWER: f64 = 1.5;

/// The number of durations for which the tail's power is halfway between [`PRIOR_POWER`] and [`TAIL_POWER`].
const TAIL_HALF: f64 = 4.0;

/// After declaring a delivery lost too early, the client waits this many times longer for the next ones.
const PATIENCE_GAIN: f64 = 2.0;

/// The distribution is updated when one observation in so many has changed.
const UPDATE_PART: usize = 16;

#[derive(Clone, Debug, Default)]
pub(crate) struct Durations {
    /// The latest durations in log seconds, in the order of their arrival.
    latest: VecDeque<f64>,
    /// The number of all durations.
    seen: usize,
    /// The ages at which running generations were last seen, in log seconds, sorted.
    running: Vec<f64>,
    /// See [`Durations::delivery_patience`].
    delivery_patience: f64,
    /// Changes since the last update of the distribution.
    changes: usize,
    distribution: Distribution,
    /// The distribution by which waits were last planned.
    planned: Distribution,
}

/// A distribution of durations.
#[derive(Clone, Debug, Default)]
struct Distribution {
    /// Sorted by their centers.
    kernels: Vec<Kernel>,
    /// The chance of outlasting every observed duration, and the log age where that tail begins: not before the age at
    /// which half of the generations running beyond the kernels were last seen.
    tail: f64,
    tail_from: f64,
    /// The number of observations that the prior is weighed against.
    observed: usize,
}

/// A smoothed duration.
#[derive(Clone, Copy, Debug)]
struct Kernel {
    /// In log seconds. The reach is to either side.
    center: f64,
    reach: f64,
    /// The kernel's part of all durations, from 0 to 1.
    mass: f64,
}

impl Durations {
    /// Adds the duration of a generation that has ended. Returns whether waits should be planned again.
    pub(crate) fn learn(&mut self, duration: Duration) -> bool {
        if self.latest.len() == DURATIONS_MAX {
            self.latest.pop_front();
        }
        self.latest.push_back(log(duration.as_secs_f64()));
        self.seen = self.seen.saturating_add(1);
        self.update()
    }

    /// Counts a generation that was seen running at the age `now` in seconds, and before that at the age `before`, if
    /// at all. Returns whether waits should be planned again.
    pub(crate) fn add_running(&mut self, before: Option<f64>, now: f64) -> bool {
        self.remove_running(before);
        let age = log(now);
        let at = self.running.partition_point(|other| *other < age);
        self.running.insert(at, age);
        self.changes * UPDATE_PART >= self.running.len() + self.latest.len() && self.update()
    }

    /// Removes a generation that was last seen running at this age, because it has ended or nobody follows it.
    pub(crate) fn remove_running(&mut self, age: Option<f64>) {
        self.changes += 1;
        let Some(age) = age.map(log) else { return };
        let at = self.running.partition_point(|other| *other < age);
        if self.running.get(at) == Some(&age) {
            self.running.remove(at);
        }
    }

    fn update(&mut self) -> bool {
        self.changes = 0;
        self.distribution = self.estimate();
        let change = |log: f64| (self.distribution.survival(log) - self.planned.survival(log)).abs();
        let mut kernels = self.distribution.kernels.iter().chain(&self.planned.kernels);
        let later = self.distribution.tail_from - self.planned.tail_from;
        // Behind its center, where a kernel has become narrower.
        let changed = kernels.any(|kernel| change(kernel.center + kernel.reach / 2.0) > CHANGE_MIN)
            || self.latest.is_empty()
                && (later > CHANGE_MIN_UNKNOWN || self.distribution.observed != self.planned.observed);
        if changed {
            self.planned.clone_from(&self.distribution);
        }
        changed
    }

    fn estimate(&self) -> Distribution {
        let mut logs: Vec<f64> = self.latest.iter().copied().collect();
        logs.sort_by(f64::total_cmp);
        let neighbours = (logs.len() as f64).sqrt().ceil() as usize;
        // The latest durations represent all that were seen, but no more than run now. Otherwise a model that became
        // slower would be noticed only when most generations have outlasted the latest durations.
        let weight = self.seen.min(logs.len().max(self.running.len())) as f64 / logs.len().max(1) as f64;
        let mut tail = 1.0;
        let mut kernels = Vec::with_capacity(logs.len());
        for (shorter, &center) in logs.iter().enumerate() {
            let longer = (logs.len() - shorter) as f64 * weight;
            let outlived = self.running.len() - self.running.partition_point(|age| *age < center);
            let mass = tail * weight / (longer + outlived as f64);
            kernels.push(Kernel { center, reach: width(&logs, center, neighbours) * KERNEL_REACH, mass });
            tail -= mass;
        }
        let longest = logs.last().copied().unwrap_or(AGE_MIN.ln());
        let beyond = &self.running[self.running.partition_point(|age| *age < longest)..];
        // Nothing has ended yet: the generation that has run longest speaks for all.
        let speaks = if kernels.is_empty() { beyond.last() } else { beyond.get(beyond.len() / 2) };
        let tail_from = speaks.copied().unwrap_or(longest);
        let observed = if kernels.is_empty() {
            self.running.len().saturating_sub(1).min(RUNNING_MAX)
        } else {
            kernels.len()
        };
        Distribution { kernels, tail: tail.max(0.0), tail_from, observed }
    }

    /// Whether nothing is known: no duration, and no generation that was seen running.
    pub(crate) fn is_unknown(&self) -> bool {
        self.latest.is_empty() && self.running.is_empty()
    }

    /// How many times more a poll is worth because the duration that it may find would be the first of its model, and
    /// would say when to poll all others.
    pub(crate) fn first_is_worth(&self) -> f64 {
        (self.running.len() as f64 / WORTH_EACH).clamp(1.0, WORTH_MAX)
    }

    /// Whether few generations run, and few durations are known.
    pub(crate) fn are_few(&self) -> bool {
        self.running.len() < FEW && self.latest.len() < FEW
    }

    /// The number of durations in the distribution.
    pub(crate) fn len(&self) -> usize {
        self.latest.len()
    }

    /// Learns that a delivery was declared lost although its generation still ran at this age, in seconds. From now on
    /// deliveries are waited for longer.
    pub(crate) fn declared_lost_too_early(&mut self, age: f64) {
        self.delivery_patience = self.delivery_patience.max(age * PATIENCE_GAIN);
    }

    /// The age in seconds up to which no delivery is declared lost.
    pub(crate) fn delivery_patience(&self) -> f64 {
        self.delivery_patience
    }

    /// The longest duration in the distribution, in seconds.
    pub(crate) fn longest(&self) -> Option<f64> {
        self.distribution.kernels.last().map(|kernel| kernel.center.exp())
    }

    /// The chance of lasting longer than `age` seconds.
    pub(crate) fn survival(&self, age: f64) -> f64 {
        if age <= 0.0 { 1.0 } else { self.distribution.survival(age.ln()) }
    }

    /// The chance that a generation has ended by `age`, given that it still ran at `seen` (both in seconds).
    pub(crate) fn ended_since(&self, seen: f64, age: f64) -> f64 {
        if age <= seen { 0.0 } else { (1.0 - self.survival(age) / self.survival(seen)).clamp(0.0, 1.0) }
    }
}

/// The first age after `from` at which `chance`, which must not fall with the age, is at least `wanted`; `None` if that
/// is not within a month.
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

/// The chance by the prior of lasting longer than this age in log seconds.
fn prior_survival(log: f64) -> f64 {
    let seconds = log.exp();
    let usual = (1.0 + seconds / PRIOR_SCALE).powf(-PRIOR_POWER);
    (1.0 - PRIOR_QUICK) * usual + PRIOR_QUICK / (1.0 + seconds / PRIOR_QUICK_SCALE)
}

impl Distribution {
    /// The chance of lasting longer than this age in log seconds.
    fn survival(&self, log: f64) -> f64 {
        let seen = self.kernels.len() as f64;
        let learned: f64 = self.kernels.iter().map(|kernel| kernel.mass * kernel.above(log)).sum();
        // Beyond the longest duration the tail falls faster.
        let beyond = self.kernels.last().map_or(0.0, |kernel| (log - kernel.center).max(0.0));
        let faster = (TAIL_POWER - PRIOR_POWER) * seen / (seen + TAIL_HALF);
        let prior = prior_survival(log) * (-beyond * faster).exp();
        let since_tail = (prior_survival(log) / prior_survival(self.tail_from)).min(1.0);
        let tail = self.tail * since_tail * (-(log - self.tail_from).max(0.0) * faster).exp();
        // Masses that add up to 1 can add up to slightly more in floating point.
        let observed = self.observed as f64;
        ((prior + observed * (learned + tail)) / (1.0 + observed)).min(1.0)
    }
}

impl Kernel {
    /// The part of the kernel above `log`. The kernel is Epanechnikov's, which is zero beyond its reach.
    fn above(self, log: f64) -> f64 {
        let at = ((log - self.center) / self.reach).clamp(-1.0, 1.0);
        0.5 - 0.75 * at + 0.25 * at * at * at
    }
}

fn log(seconds: f64) -> f64 {
    seconds.clamp(AGE_MIN, AGE_MAX).ln()
}

/// The smoothing width of a duration: the distance to its neighbours. The more durations, the more neighbours count.
fn width(logs: &[f64], log: f64, neighbours: usize) -> f64 {
    if logs.len() < 2 {
        return WIDTH_MAX;
    }
    let mut distances: Vec<f64> = logs.iter().map(|other| (other - log).abs()).collect();
    distances.sort_by(f64::total_cmp);
    // The first distance is that of the duration to itself.
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

    fn polls(durations: &Durations, wanted: f64, until: f64) -> Vec<f64> {
        let (mut polled, mut polls) = (0.0, Vec::new());
        while let Some(age) = age_when(polled, wanted, |age| durations.ended_since(polled, age))
            && age < until
        {
            // The smallest distance that `policy` allows.
            polled = age.max(polled * 1.01);
            polls.push(polled);
        }
        polls
    }

    #[test]
    fn by_the_prior_a_lone_generation_is_polled_ever_more_rarely() {
        let polls = polls(&Durations::default(), 0.08, 300.0);
        assert!(polls.iter().filter(|age| **age <= 30.0).count() <= 8, "{polls:?}");
        assert!(polls.windows(2).all(|pair| (1.2..4.0).contains(&(pair[1] / pair[0]))), "{polls:?}");
    }

    #[test]
    fn until_a_first_duration_generations_that_run_tell_of_each_other() {
        let mut durations = Durations::default();
        let alone = durations.ended_since(2.0, 20.0);
        (0..5).for_each(|_| _ = durations.add_running(None, 20.0));
        let among_five = durations.ended_since(2.0, 20.0);
        assert!(among_five * 2.0 < alone, "{among_five} and {alone}");
        assert!(
            (durations.ended_since(20.0, 40.0) - Durations::default().ended_since(20.0, 40.0)).abs() < 0.01
        );
    }

    #[test]
    fn with_a_known_duration_polls_are_about_then() {
        let durations = learned(&[30.0; 40]);
        let polls = polls(&durations, 0.1, 29.0);
        assert!(polls.len() <= 1, "{polls:?}");
        let sure = age_when(0.0, 0.95, |age| durations.ended_since(0.0, age)).unwrap();
        assert!((30.0..31.5).contains(&sure), "{sure}");
    }

    #[test]
    fn with_two_modes_polls_follow_each() {
        let durations = learned(&[[8.0, 60.0]; 20].concat());
        let polls = polls(&durations, 0.3, 70.0);
        assert!(polls.iter().all(|age| (7.0..9.0).contains(age) || (57.0..66.0).contains(age)), "{polls:?}");
        assert!(durations.ended_since(9.0, 50.0) < 0.05);
    }

    #[test]
    fn a_model_that_becomes_slower_is_noticed() {
        let mut durations = learned(&[10.0; 64]);
        for _ in 0..64 {
            durations.learn(Duration::from_secs(50));
        }
        assert!(durations.ended_since(0.0, 40.0) < 0.1);
    }

    #[test]
    fn waits_are_planned_again_only_when_the_distribution_has_changed() {
        let mut durations = Durations::default();
        let again = (0..1_000).filter(|n| durations.learn(Duration::from_millis(30_000 + n % 7))).count();
        assert!(again <= 10, "{again}");
        assert!((0..20).any(|_| durations.learn(Duration::from_secs(300))), "the model became slower");
    }

    #[test]
    fn rounding_never_makes_survival_more_than_certain() {
        let durations = learned(&[
            57986.61831023592,
            14608.770474509975,
            30269.511880256898,
            86228.1965516061,
            1772.1235910504013,
            38928.63688353001,
            34380.908579016104,
            69554.39237752685,
            28765.36328728212,
            93606.08599079179,
            25278.91414333719,
            80212.5883352094,
            11130.940838922841,
        ]);
        assert!(durations.survival(0.03975027633602209) <= 1.0);
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
