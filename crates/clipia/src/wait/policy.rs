//! When to ask for a generation next. Pure: the time is an argument.
//!
//! # The model
//!
//! Nobody tells when a generation ends. A request to it either finds it ended, or is wasted. [`Durations`] gives the
//! chance `S(t)` that one lasts longer than `t`; for one last seen running at the age `a` and now of age `t`, the
//! chance that an ask finds its end is `p = 1 − S(t) / S(a)` ([`Known::chance`]). A budget is spent best on the largest
//! `p`, and a token kept has a worth too: the emptier the bucket, the surer an ask must be. So each free token goes to
//!
//! 1. a call of the user's own;
//! 2. every fourth to an entry that is overdue ([`Known::overdue_at`]), whatever its chance, so that none starves;
//! 3. an ask that almost surely finds an end (`p ≥ 0.95`) or a submit: one goes before the other by turns, two and two;
//! 4. an entry that is overdue;
//! 5. the ask with the largest `p`, if `p ≥ 0.9 · (1 − fullness of the bucket)`, and never below 0.065, so that a lone
//!    generation is not asked for twenty times for nothing.
//!
//! Submits before doubtful asks let the server begin. Sure asks serve early generations while the rest of a fleet is
//! still being submitted; by turns, since what is submitted last would end last. Among doubtful asks of equal `p` the
//! youngest goes first: each costs the same, and the others come nearer to a time at which an ask is sure. But where
//! nothing is known of a model yet the oldest does. Asks of the lowest level come in equal steps of the hazard
//! `−ln S(t)`, and each entry stands elsewhere within a step ([`Known::numbered`]): generations which were submitted
//! together are then explored at ages that are evenly spread, and the first that is found ended tells of the others.
//!
//! Instead of computing `p` of every entry for every token, an entry climbs [`LEVELS`]: the time at which it reaches the
//! next one is computed when it is asked, and when what is known of its model has moved. A decision is `O(log n)`.
//!
//! Position and progress bend `p` and never replace it, for servers are wrong about both: they have a weight, which
//! halves with each time that what they foretold did not come ([`Known::answered`]).
//!
//! # What it achieves
//!
//! In simulated time on a default key (120 requests a minute, burst 30; see `simulation`), fleets that are all submitted
//! at once by a client that knows nothing yet, as ratios to a clairvoyant who knows every end, submits first and asks
//! once for each. On average of several fleets, but for the worst. Below one: early generations were asked for
//! before the last were submitted.
//!
#![doc = include_str!("achieved.md")]
//!
//! # The bound
//!
//! An entry that was last seen running at the age `a` is overdue at the age `a + max(66 s, a)` (later only after failures
//! and where the server says `Retry-After`), and every fourth token goes to the one overdue longest. Of `n` entries on a
//! budget of `r` requests a second, each is therefore asked for again within `max(66 s, a) + 4 n / r`, beside what calls
//! of the user's own take. And the times to known of a fleet come to at most 1.75 times the clairvoyant's in all, and two
//! seconds each. Property tests in `simulation` hold both for fleets of any durations.

use super::durations::{Durations, age_when};
use crate::error::Error;
use clipia_api::{Progress, Status};
use std::time::{Duration, Instant};

/// The chances at which an entry climbs.
pub(crate) const LEVELS: [f64; 7] = [0.065, 0.15, 0.25, 0.45, 0.65, 0.85, 0.95];

/// The least part of a step of the lowest level.
const STEP_MIN: f64 = 0.5;

/// The level of an ask that almost surely finds an end.
pub(crate) const SURE: usize = LEVELS.len() - 1;

/// The level at which somebody who watches is due a look.
const LOOK: usize = 3;

/// The chance that a bucket asks for when it is empty.
const CHANCE_EMPTY: f64 = 0.9;

/// The least time between two asks: a local server is done in well under a second.
pub(crate) const INTERVAL_MIN: Duration = Duration::from_millis(100);

/// The longest that a caller can ask for: a clock cannot count any number of years.
const INTERVAL_LONGEST: Duration = Duration::from_secs(86_400);

/// And the least share of its age between two asks of one generation.
const INTERVAL_SHARE: f64 = 0.01;

/// Somebody who watches is due a look when the age has grown by this share, within these bounds.
const LOOK_SHARE: f64 = 0.25;
const LOOK_MAX: Duration = Duration::from_secs(3);

/// An entry is overdue no sooner than this after it was last asked for. Not a round number, as durations often are: an ask
/// just before the end is the most useless.
pub(crate) const OVERDUE_MIN: Duration = Duration::from_secs(66);

/// Tokens in a round: one goes to an entry that is overdue, and in half of it submits go before sure asks.
pub(crate) const ROUND: u32 = 4;

/// The weight of what position and progress foretell, at first.
const TRUST: f64 = 0.7;

/// How sharply the end is expected when progress foretells it: the chance is a half at the foretold time, and a tenth
/// and nine tenths at a fifth of the way before and after.
const FORETOLD_SHARPNESS: i32 = 10;

/// So many times the age at which a place in line was told, it says nothing any more of what is ahead.
const PLACE_HOLDS: f64 = 2.0;

/// What has run so much longer than the longest of its model so far has probably lost its delivery.
const DELIVERY_LATE: f64 = 1.5;

/// How many durations it takes to say so.
const DELIVERY_KNOWN: usize = 3;

/// A generation with a webhook is overdue no sooner than this after it was last asked for.
const OVERDUE_MIN_DELIVERY: Duration = Duration::from_secs(120);

/// The longest `Retry-After` that one entry sits out.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// The longest pause after a failure.
const FAILURE_PAUSE_MAX: Duration = Duration::from_secs(15);

/// How many answers in a row may be none of the API's (a page of a proxy, JSON that cannot be read). At the pace of
/// failures that is about a minute, longer than a deployment takes; a wrong address does not wait for ever.
const FOREIGN_MAX: u32 = 9;

/// How long a generation that is known to exist may be answered 404 on end: a replica of the server may lag behind
/// the one that accepted it. Also the age up to which a submit is taken for known to exist.
const MISSING_MAX: Duration = Duration::from_secs(60);

/// How full the bucket must be, from 0 to 1, for an ask of this level.
pub(crate) fn fullness(level: usize) -> f64 {
    let chance = LEVELS.get(level).copied().unwrap_or(1.0);
    (1.0 - chance / CHANCE_EMPTY).max(0.0)
}

/// What is known of one generation.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// When this process began to follow it, and how old it was then, if that is known.
    since: Instant,
    age_then: Option<Duration>,
    watched: bool,
    /// Whether a delivery will tell of its end.
    delivery: bool,
    /// Where between two steps of its lowest level it is asked for, from 0 to 1.
    phase: f64,
    /// The least time between two asks that its caller wants.
    interval: Duration,
    /// Something has become of it since it was last asked for.
    suspect: bool,
    /// Its age when it was last seen running, in seconds.
    asked: Option<f64>,
    status: Option<Status>,
    /// The first and the latest position in the queue, and the ages then.
    position: Option<[(f64, u64); 2]>,
    /// The first and the latest progress in percent, and the ages then.
    progress: Option<[(f64, u8); 2]>,
    /// The weight of what these foretell.
    trust: f64,
    /// Failures in a row.
    failures: u32,
    /// Answers in a row that were not the API's.
    foreign: u32,
    /// The first of the 404s since the last other answer.
    missing: Option<Instant>,
    /// After a failure: not before then.
    not_before: Option<Instant>,
}

impl Known {
    /// Nothing but its age, if that is known, of a generation that this process follows `since` then.
    pub(crate) fn new(since: Instant, age_then: Option<Duration>, watched: bool) -> Self {
        Self {
            since,
            age_then,
            watched,
            delivery: false,
            phase: 0.0,
            interval: Duration::ZERO,
            suspect: false,
            asked: None,
            status: None,
            position: None,
            progress: None,
            trust: TRUST,
            failures: 0,
            foreign: 0,
            missing: None,
            not_before: None,
        }
    }

    /// The same, not to be asked for twice within so long.
    pub(crate) fn rests(self, interval: Duration) -> Self {
        Self { interval: interval.min(INTERVAL_LONGEST), ..self }
    }

    /// Its age, counted from when this process first heard of it where no more is known.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        self.age_then.unwrap_or_default() + now.saturating_duration_since(self.since)
    }

    /// Whether its end is known, so that only what came out is missing.
    fn has_ended(&self) -> bool {
        self.status.as_ref().is_some_and(Status::is_terminal)
    }

    /// Its age, if more than that is known.
    pub(crate) fn exact_age(&self, now: Instant) -> Option<Duration> {
        self.age_then.map(|_| self.age(now))
    }

    /// The age in seconds at which it was last seen running, if more than that is known.
    pub(crate) fn outlived(&self) -> Option<f64> {
        self.age_then.and(self.asked).filter(|_| !self.has_ended())
    }

    /// Whether a delivery is to tell of its end, so that asking is a safety net. Not where somebody watches, for a
    /// delivery tells of nothing but the end.
    pub(crate) fn awaits_delivery(&self) -> bool {
        self.delivery && !self.watched && !self.suspect && !self.has_ended()
    }

    /// Whether a delivery is to tell of its end.
    pub(crate) fn expects(&mut self, delivery: bool) {
        self.delivery = delivery;
    }

    /// It is the `number`th that is followed: those which were submitted together are asked for at different ages,
    /// evenly spread, and the first that is found ended tells of the others.
    pub(crate) fn numbered(&mut self, number: u64) {
        // Multiples of the golden ratio fall evenly between 0 and 1, however many there are.
        self.phase = (number as f64 * 0.618_033_988_749_895).fract();
    }

    /// The chance at which it reaches a level.
    fn wanted(&self, durations: &Durations, level: usize) -> Option<f64> {
        let chance = *LEVELS.get(level)?;
        if level > 0 {
            return Some(chance);
        }
        let step = -f64::ln_1p(-chance);
        let hazard = -self.asked.map_or(1.0, |asked| durations.survival(asked)).ln();
        if !hazard.is_finite() {
            return Some(chance);
        }
        let steps = hazard / step - self.phase;
        let next = (steps + STEP_MIN).floor() + 1.0;
        Some(-f64::exp_m1(-(next - steps) * step))
    }

    /// Something has become of it, and asking will tell what.
    pub(crate) fn suspect(&mut self) {
        self.suspect = true;
    }

    /// What the answer to its submit said.
    pub(crate) fn submitted(mut self, status: &Status, position: Option<u64>) -> Self {
        self.status = Some(status.clone());
        self.place(0.0, position);
        self
    }

    /// It was asked for at `sent`, and this is where it stood.
    pub(crate) fn answered(
        &mut self,
        sent: Instant,
        status: &Status,
        position: Option<u64>,
        progress: Option<Progress>,
    ) {
        (self.failures, self.foreign, self.missing) = (0, 0, None);
        (self.not_before, self.suspect) = (None, false);
        let age = self.age(sent).as_secs_f64();
        if self.by_progress(age).is_some_and(|chance| chance > 0.5) {
            self.trust /= 2.0;
        }
        if self.status.as_ref() != Some(status) {
            // A new attempt starts its progress anew.
            (self.position, self.progress) = (None, None);
            self.status = Some(status.clone());
        }
        self.asked = Some(age);
        self.place(age, position);
        if let Some(percent) = progress.map(Progress::percent) {
            let begun = self.progress.filter(|[_, (_, last)]| percent >= *last).map(|[first, _]| first);
            self.progress = Some([begun.unwrap_or((age, percent)), (age, percent)]);
        }
    }

    fn place(&mut self, age: f64, position: Option<u64>) {
        let position = position.filter(|_| self.status == Some(Status::InQueue));
        self.position = position
            .map(|position| [self.position.map_or((age, position), |[first, _]| first), (age, position)]);
    }

    /// It was asked for at `now`, and the answer was none. Whether that ends the wait.
    pub(crate) fn failed(&mut self, now: Instant, error: &Error) -> Verdict {
        self.failures = self.failures.saturating_add(1);
        let doubled = INTERVAL_MIN.saturating_mul(1 << self.failures.min(16)).min(FAILURE_PAUSE_MAX);
        let told = error.retry_after().unwrap_or_default().min(RETRY_AFTER_MAX);
        self.not_before = Some(now + doubled.max(told));
        let definite = match error.api() {
            _ if matches!(error, Error::NotFound(_)) => self.is_missing(now),
            Some(api) if api.is_genuine() => !error.is_retryable(),
            _ if error.is_retryable() => false,
            _ => {
                self.foreign += 1;
                self.foreign >= FOREIGN_MAX
            }
        };
        if definite { Verdict::GiveUp } else { Verdict::AskAgain }
    }

    /// Whether 404 ends the wait. A generation that an answer has told of, or that was submitted in the last minute, is
    /// asked for until every answer of a minute was 404.
    fn is_missing(&mut self, now: Instant) -> bool {
        let exists = self.status.is_some() || self.exact_age(now).is_some_and(|age| age <= MISSING_MAX);
        match self.missing {
            Some(since) => now.saturating_duration_since(since) >= MISSING_MAX,
            None => {
                self.missing = Some(now);
                !exists
            }
        }
    }

    /// How long the pause after a failure still is.
    pub(crate) fn pause(&self, now: Instant) -> Duration {
        self.not_before.map_or(Duration::ZERO, |not_before| not_before.saturating_duration_since(now))
    }

    /// The chance that an ask at this age finds its end.
    fn chance(&self, durations: &Durations, age: f64) -> f64 {
        if self.has_ended() || self.suspect {
            return 1.0;
        }
        let nothing = Durations::default();
        let (durations, asked) = match (self.age_then, self.asked) {
            // An id from elsewhere may have ended long ago.
            (None, None) => return 1.0,
            // And if not, nobody knows when it began.
            (None, Some(asked)) => (&nothing, asked),
            (Some(_), asked) => (durations, asked.unwrap_or(0.0)),
        };
        let by_durations = durations.ended_since(asked, age);
        let foretold = self.by_progress(age).or_else(|| self.by_position(durations, age));
        foretold.map_or(by_durations, |foretold| self.trust * foretold + (1.0 - self.trust) * by_durations)
    }

    /// The same chance by its progress alone, if that has grown.
    fn by_progress(&self, age: f64) -> Option<f64> {
        let [(begun, first), (at, last)] = self.progress.filter(|[(_, first), (_, last)]| last > first)?;
        let rest = (at - begun) * f64::from(100 - last) / f64::from(last - first);
        let share = ((age - at) / rest.max(1e-3)).max(0.0);
        Some(1.0 - 1.0 / (1.0 + share.powi(FORETOLD_SHARPNESS)))
    }

    /// The same chance by its place in line alone: nothing ends while others are ahead of it.
    fn by_position(&self, durations: &Durations, age: f64) -> Option<f64> {
        let [(begun, first), (at, last)] = self.position.filter(|[_, (_, last)]| *last > 0)?;
        let fallen = first.saturating_sub(last) as f64;
        if fallen == 0.0 {
            // How fast the line moves is not known yet: the place tells of the near future only.
            return (age < PLACE_HOLDS * at + 1.0).then_some(0.0);
        }
        let starts = at + (at - begun) * last as f64 / fallen;
        Some(durations.ended_since(0.0, age - starts))
    }

    /// The highest level that it has reached at `now`, if any.
    pub(crate) fn level(&self, durations: &Durations, now: Instant) -> Option<usize> {
        if self.not_before.is_some_and(|not_before| now < not_before) || now < self.rested() {
            return None;
        }
        if self.awaits_delivery() {
            return None;
        }
        let chance = self.chance(durations, self.age(now).as_secs_f64());
        let level = (0..LEVELS.len())
            .rev()
            .find(|level| self.wanted(durations, *level).is_some_and(|wanted| chance >= wanted));
        if self.watched && now >= self.look_at() { level.max(Some(LOOK)) } else { level }
    }

    /// When it reaches a level higher than what it has `reached` at `now`, if it will within a month.
    pub(crate) fn rises_at(
        &self,
        durations: &Durations,
        now: Instant,
        reached: Option<usize>,
    ) -> Option<Instant> {
        let earliest = self.rested().max(self.not_before.unwrap_or(self.since));
        if self.awaits_delivery() {
            return None;
        }
        if now < earliest {
            return Some(earliest);
        }
        let next = reached.map_or(0, |level| level + 1);
        let from = self.age(now).as_secs_f64();
        let wanted = self.wanted(durations, next)?;
        let age = age_when(from, wanted, |age| self.chance(durations, age));
        let rises = age.map(|age| now + Duration::from_secs_f64((age - from).max(0.0)));
        let look = (self.watched && reached < Some(LOOK)).then(|| self.look_at());
        // Not now again, however the numbers were rounded.
        let soonest = now + Duration::from_millis(1);
        [rises, look].into_iter().flatten().min().map(|at| at.max(soonest))
    }

    /// When it is to be asked for whatever its chance.
    pub(crate) fn overdue_at(&self, durations: &Durations) -> Instant {
        let asked = self.asked.unwrap_or(0.0);
        let overdue = if self.awaits_delivery() {
            let longest =
                durations.longest().filter(|_| durations.len() >= DELIVERY_KNOWN).unwrap_or_default();
            let late =
                (longest * DELIVERY_LATE).max(durations.patience()).max(OVERDUE_MIN_DELIVERY.as_secs_f64());
            if late > asked { late } else { asked * 2.0 }
        } else {
            asked + OVERDUE_MIN.as_secs_f64().max(asked)
        };
        let then = self.age_then.unwrap_or_default().as_secs_f64();
        let at = self.since + Duration::from_secs_f64((overdue - then).max(0.0));
        at.max(self.not_before.unwrap_or(at)).max(self.rested())
    }

    /// When it may be asked for again.
    fn rested(&self) -> Instant {
        let Some(asked) = self.asked.filter(|_| !self.has_ended()) else { return self.since };
        self.at(asked) + Duration::from_secs_f64(asked * INTERVAL_SHARE).max(INTERVAL_MIN).max(self.interval)
    }

    /// When somebody who watches is due a look.
    fn look_at(&self) -> Instant {
        let asked = self.asked.unwrap_or(0.0);
        self.at(asked) + Duration::from_secs_f64(asked * LOOK_SHARE).clamp(INTERVAL_MIN, LOOK_MAX)
    }

    /// When it was of an age that it has had in this process.
    fn at(&self, age: f64) -> Instant {
        let then = self.age_then.unwrap_or_default().as_secs_f64();
        self.since + Duration::from_secs_f64((age - then).max(0.0))
    }
}

/// What a failed ask means for its wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    AskAgain,
    GiveUp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ApiError;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// The ages at which a generation is asked for, with a full bucket, that answers nothing but this.
    fn asks(
        mut known: Known,
        durations: &Durations,
        until: f64,
        answer: impl Fn(f64) -> (Status, Option<u64>, Option<u8>),
    ) -> Vec<f64> {
        let (start, mut ages) = (known.since, Vec::new());
        let mut now = start;
        while now - start <= seconds(until) {
            if known.level(durations, now).is_some() || now >= known.overdue_at(durations) {
                let age = known.age(now).as_secs_f64();
                ages.push(age);
                let (status, position, progress) = answer(age);
                known.answered(now, &status, position, progress.map(Progress::new));
            }
            let rises = known.rises_at(durations, now, known.level(durations, now));
            now = [rises, Some(known.overdue_at(durations))].into_iter().flatten().min().unwrap().max(now);
        }
        ages
    }

    fn fresh(watched: bool) -> Known {
        Known::new(Instant::now(), Some(Duration::ZERO), watched)
    }

    fn running(_: f64) -> (Status, Option<u64>, Option<u8>) {
        (Status::InProgress, None, None)
    }

    #[test]
    fn it_asks_soon_and_then_ever_more_rarely() {
        let ages = asks(fresh(false), &Durations::default(), 600.0, running);
        assert!(ages[0] <= 0.2 && ages.windows(2).all(|pair| pair[1] <= pair[0] * 1.35 + 0.1), "{ages:?}");
        assert!(ages.iter().filter(|age| **age <= 30.0).count() <= 26, "{ages:?}");
    }

    #[test]
    fn it_asks_more_often_where_somebody_watches() {
        let ages = asks(fresh(true), &Durations::default(), 60.0, running);
        assert!(ages.windows(2).all(|pair| pair[1] - pair[0] <= LOOK_MAX.as_secs_f64() + 1e-6), "{ages:?}");
    }

    #[test]
    fn it_is_asked_no_more_often_than_its_caller_wants() {
        for (watched, interval) in [(false, 5.0), (true, 5.0), (false, 100.0)] {
            let ages = asks(fresh(watched).rests(seconds(interval)), &Durations::default(), 600.0, running);
            assert!(ages[0] <= 0.2 && ages.len() >= 5, "{ages:?}");
            assert!(ages.windows(2).all(|pair| pair[1] - pair[0] >= interval - 1e-6), "{ages:?}");
        }
        let mut known = fresh(false).rests(seconds(5.0));
        known.answered(known.since + seconds(1.0), &Status::Completed, None, None);
        assert_eq!(known.level(&Durations::default(), known.since + seconds(1.1)), Some(SURE));
    }

    #[test]
    fn an_id_from_elsewhere_is_asked_for_at_once() {
        let now = Instant::now();
        assert_eq!(Known::new(now, None, false).level(&Durations::default(), now), Some(SURE));
        let ended = fresh(false).submitted(&Status::Completed, Some(0));
        assert_eq!(ended.level(&Durations::default(), ended.since), Some(SURE));
    }

    #[test]
    fn honest_progress_brings_an_ask_near_the_end_and_few_before() {
        let answer = |age: f64| (Status::InProgress, None, Some((age / 300.0 * 100.0).min(100.0) as u8));
        let with = asks(fresh(false), &Durations::default(), 330.0, answer);
        let after = with.iter().find(|age| **age >= 300.0).unwrap();
        assert!(after - 300.0 <= 10.0, "{with:?}");
        assert!(with.len() <= 45, "{with:?}");
    }

    #[test]
    fn dishonest_progress_costs_little() {
        let without = asks(fresh(false), &Durations::default(), 300.0, running).len();
        for percent in [0, 50, 99, 100] {
            let answer = |age: f64| (Status::InProgress, None, Some(if age < 1.0 { 0 } else { percent }));
            let ages = asks(fresh(false), &Durations::default(), 300.0, answer);
            assert!(ages.len() <= without + 15, "{percent} %: {ages:?}");
        }
    }

    #[test]
    fn one_behind_others_is_asked_less_until_its_turn() {
        // Four a second, then ten seconds of work; another that starts at once.
        let behind = |age: f64| match 400.0 - 4.0 * age {
            ahead if ahead > 0.0 => (Status::InQueue, Some(ahead as u64), None),
            _ => (Status::InProgress, None, None),
        };
        let mut durations = Durations::default();
        (0..20).for_each(|_| _ = durations.learn(seconds(10.0)));
        let ages = asks(fresh(false).submitted(&Status::InQueue, Some(400)), &durations, 115.0, behind);
        assert!(ages.iter().filter(|age| **age < 95.0).count() <= 25, "{ages:?}");
        assert!(ages.iter().any(|age| (109.0..114.0).contains(age)), "{ages:?}");
    }

    #[test]
    fn a_second_attempt_starts_its_progress_anew() {
        let mut known = fresh(false);
        for (age, percent) in [(1.0, 10), (2.0, 90), (3.0, 5), (4.0, 6)] {
            known.answered(
                known.since + seconds(age),
                &Status::InProgress,
                None,
                Some(Progress::new(percent)),
            );
        }
        // At one percent a second it takes 94 s more.
        assert!(known.by_progress(60.0).unwrap() < 0.05 && known.by_progress(110.0).unwrap() > 0.7);
    }

    #[test]
    fn with_a_delivery_on_its_way_asking_is_a_safety_net() {
        let mut known = fresh(false);
        known.expects(true);
        let ages = asks(known, &Durations::default(), 1_000.0, running);
        assert_eq!(ages.iter().map(|age| age.round()).collect::<Vec<_>>(), [120.0, 240.0, 480.0, 960.0]);
    }

    fn answer(http_status: u16, code: &str) -> Error {
        Error::from_api(ApiError::bare(http_status, code))
    }

    #[test]
    fn only_a_refusal_ends_a_wait() {
        let (mut known, now) = (fresh(false), Instant::now());
        let timeout = Error::Timeout { request_id: None, attempts: 1, elapsed: Duration::ZERO };
        let (attempts, elapsed, source) = (1, Duration::ZERO, "reset".into());
        let connection = Error::Connection { request_id: None, attempts, elapsed, source };
        for _ in 0..1_000 {
            for error in
                [&timeout, &connection, &answer(429, "rate_limit_exceeded"), &answer(502, "http_502")]
            {
                assert_eq!(known.failed(now, error), Verdict::AskAgain);
            }
        }
        for (status, code) in [(408, "http_408"), (408, "request_timeout"), (425, "http_425")] {
            assert_eq!(known.failed(now, &answer(status, code)), Verdict::AskAgain);
        }
        for (status, code) in
            [(401, "invalid_api_key"), (403, "insufficient_scope"), (404, "model_not_found")]
        {
            assert_eq!(known.failed(now, &answer(status, code)), Verdict::GiveUp);
        }
    }

    #[test]
    fn one_that_exists_is_missing_only_after_a_minute() {
        let now = Instant::now();
        let seen = |age| {
            let mut known = Known::new(now, age, false);
            known.answered(now, &Status::InProgress, None, None);
            known
        };
        let old = Some(seconds(3_600.0));
        for (known, exists) in [
            (Known::new(now, Some(Duration::ZERO), false).submitted(&Status::InQueue, Some(0)), true),
            // Of a process that submitted it and was restarted at once.
            (Known::new(now, Some(seconds(30.0)), false), true),
            (seen(None), true),
            (seen(old), true),
            (Known::new(now, None, false), false),
            (Known::new(now, old, false), false),
        ] {
            let (mut known, mut at) = (known, now);
            while known.failed(at, &answer(404, "not_found")) == Verdict::AskAgain {
                at = known.not_before.unwrap();
            }
            let borne = at - now;
            assert_eq!(exists, (seconds(60.0)..seconds(80.0)).contains(&borne), "{borne:?}");
            assert_eq!(exists, !borne.is_zero(), "{borne:?}");
            // What was found in between begins another minute.
            if exists {
                known.answered(at, &Status::InProgress, None, None);
                assert_eq!(known.failed(at, &answer(404, "not_found")), Verdict::AskAgain);
            }
        }
    }

    #[test]
    fn what_is_not_the_apis_is_borne_for_about_a_minute() {
        let mut known = fresh(false);
        let (start, mut now) = (known.since, known.since);
        let page = answer(404, "http_404");
        while known.failed(now, &page) == Verdict::AskAgain {
            now = known.not_before.unwrap();
        }
        assert!(now - start > seconds(40.0) && now - start < seconds(120.0), "{:?}", now - start);
        known.answered(now, &Status::InQueue, None, None);
        assert_eq!(known.failed(now, &page), Verdict::AskAgain);
    }

    #[test]
    fn failures_are_spaced_and_retry_after_is_heeded_within_a_cap() {
        let (mut known, now) = (fresh(false), Instant::now());
        let pause = |known: &Known| known.not_before.unwrap() - now;
        for millis in [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 15_000, 15_000] {
            known.failed(now, &answer(503, "service_unavailable"));
            assert_eq!(pause(&known), Duration::from_millis(millis));
            let at = known.not_before.unwrap();
            assert!(known.overdue_at(&Durations::default()) >= at);
            assert_eq!(known.level(&Durations::default(), at - INTERVAL_MIN), None);
        }
        for (told, pause_told) in [(20, 20), (1_000_000, 60)] {
            let told = Some(Duration::from_secs(told));
            let api = ApiError { retry_after: told, ..ApiError::bare(503, "service_unavailable") };
            known.failed(now, &Error::from_api(api));
            assert_eq!(pause(&known), Duration::from_secs(pause_told));
        }
    }
}
