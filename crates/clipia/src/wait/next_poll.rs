//! Decides when each generation is polled next. Pure: the time is an argument.
//!
//! # The model
//!
//! The server does not say when a generation will end. A poll either finds the end, or is wasted. [`Durations`] gives
//! the chance `S(t)` that a generation lasts longer than `t`. If a generation was last seen running at the age `a`, a
//! poll at the age `t` finds its end with the chance `p = 1 − S(t) / S(a)` ([`GenerationState::chance`]). The budget is
//! spent best on the poll with the largest `p`. A token that is kept has a value, too: the emptier the bucket, the
//! higher `p` must be. So each free token goes to the first of these:
//!
//! 1. a call of the user;
//! 2. for every fourth token: a poll that is overdue ([`GenerationState::overdue_at`]), whatever its chance, so that no
//!    wait starves;
//! 3. a poll that almost surely finds an end (`p ≥ 0.95`), or a submit: two tokens to one kind, then two to the other;
//! 4. a poll that is overdue;
//! 5. the poll with the largest `p`, if `p ≥ 0.9 · (1 − fullness of the bucket)` and `p ≥ 0.065` (0.08 if nothing is
//!    known of the model, so that a lone generation of 30 s is polled at most nine times; 0.04 from then on, while
//!    fewer than eight run).
//!
//! Submits go before uncertain polls, because they let the server begin. Sure polls alternate with submits, so that the
//! early generations of a fleet are found while its last are still submitted, and the last do not end later for it.
//! Among uncertain polls of equal `p` the youngest generation goes first: each poll costs the same, and the older
//! generations approach an age at which a poll is sure. If nothing is known of a model yet, the oldest goes first.
//! Polls of the lowest level come in equal steps of the hazard `−ln S(t)`, and each wait has its own offset within a
//! step ([`GenerationState::set_offset`]). So generations that were submitted together are polled at evenly spread
//! ages, and the first end that is found shows when to poll the others.
//!
//! `p` is not computed for every wait and every token. A wait climbs [`LEVELS`] instead: the time of its next level is
//! computed when it is polled, and when the durations of its model have changed. A decision is `O(log n)`.
//!
//! Queue position and progress adjust `p`, but never replace it, because servers report both wrongly. They have a
//! weight, which is halved whenever their forecast was wrong ([`GenerationState::poll_answered`]).
//!
//! # What it achieves
//!
//! In simulated time on a default key (120 requests a minute, burst 30; see `simulation`), for fleets that are
//! submitted at once by a client without any experience. The figures are ratios to a clairvoyant client, which knows
//! every end, submits first and polls each generation once. They are averages of several fleets, except for the worst.
//! A ratio below one means that early generations were polled before the last were submitted.
//!
#![doc = include_str!("achieved.md")]
//!
//! # The bound
//!
//! A generation that was last seen running at the age `a` is overdue at the age `a + max(66 s, a)`, or later after
//! failures and a `Retry-After`. Every fourth token goes to the wait that has been overdue longest. Each of `n` waits
//! on a budget of `r` requests a second is therefore polled again within `max(66 s, a) + 4 n / r`, plus the tokens that
//! the user's own calls take. The times until the ends of a fleet are known add up to at most 1.75 times the
//! clairvoyant's sum, plus two seconds each. Property tests in `simulation` check both bounds for fleets of any
//! durations.

use super::durations::{Durations, age_when};
use crate::backoff::Backoff;
use crate::error::Error;
use crate::retry_after::RETRY_AFTER_MAX;
use clipia_api::{Progress, Status};
use std::time::{Duration, Instant};

/// The chances of finding an end at which a wait reaches the next level.
pub(crate) const LEVELS: [f64; 7] = [0.065, 0.15, 0.25, 0.45, 0.65, 0.85, 0.95];

/// The chance of the lowest level until the first duration of a model is known.
const CHANCE_FIRST: f64 = 0.08;

/// The same from then on, while few generations of the model run and few durations are known.
const CHANCE_FEW: f64 = 0.04;

/// The same for the first poll of a generation, if no other of its model was seen running: it may take tenths of a
/// second, as on a local server.
const CHANCE_QUICK: f64 = 0.02;

/// The smallest part of a step of the lowest level.
const STEP_MIN: f64 = 0.5;

/// The level of a poll that almost surely finds an end.
pub(crate) const SURE: usize = LEVELS.len() - 1;

/// The level of a poll that is due because somebody watches the progress.
const WATCH_LEVEL: usize = 3;

/// The chance that a poll needs if the bucket is empty.
const CHANCE_EMPTY: f64 = 0.9;

/// The shortest time between two polls of a generation. A local server needs well under a second.
pub(crate) const INTERVAL_MIN: Duration = Duration::from_millis(100);

/// The longest minimum interval that a caller can set, so that adding it to a time cannot overflow.
const INTERVAL_LONGEST: Duration = Duration::from_secs(86_400);

/// The shortest time between two polls of a generation, as a share of its age.
const INTERVAL_SHARE: f64 = 0.01;

/// A watched generation is polled when its age has grown by this share, and at least every [`WATCH_INTERVAL_MAX`].
const WATCH_SHARE: f64 = 0.25;
const WATCH_INTERVAL_MAX: Duration = Duration::from_secs(3);

/// The shortest time after a poll at which the next one is overdue. It is not round, because durations often are: a
/// poll just before the end is the least useful.
pub(crate) const OVERDUE_MIN: Duration = Duration::from_secs(66);

/// Tokens in a round. One goes to an overdue poll; in the second half submits go before sure polls.
pub(crate) const ROUND: u32 = 4;

/// The initial weight of the forecasts from position and progress.
const TRUST: f64 = 0.7;

/// How sharply progress forecasts the end: the chance is a half at the forecast time, a tenth at a fifth of the
/// remaining time before it, and nine tenths at a fifth after it.
const PROGRESS_SHARPNESS: i32 = 10;

/// An unchanged queue position that was reported at the age `a` is ignored after `POSITION_HOLDS · a`.
const POSITION_HOLDS: f64 = 2.0;

/// A delivery is probably lost if its generation has run this many times longer than the longest of its model.
const DELIVERY_LATE: f64 = 1.5;

/// The number of known durations from which [`DELIVERY_LATE`] applies.
const DELIVERY_KNOWN: usize = 3;

/// The shortest time after which a poll of a generation with a webhook is overdue.
const OVERDUE_MIN_DELIVERY: Duration = Duration::from_secs(120);

/// The pauses after failed polls without a `Retry-After`.
const FAILURES: Backoff = Backoff { first: Duration::from_millis(200), max: Duration::from_secs(15) };

/// Responses in a row that are not the API's (a page of a proxy, unreadable JSON) after which a wait ends. With the
/// pauses after failures that is about a minute: longer than a deployment takes, and a wait on a wrong URL does end.
const FOREIGN_MAX: u32 = 9;

/// How long a generation that exists may be answered with 404, because a replica of the server may lag behind the one
/// that accepted it. A generation that was submitted within this time counts as existing.
const MISSING_MAX: Duration = Duration::from_secs(60);

/// The fullness of the bucket, from 0 to 1, that a poll of this level needs.
pub(crate) fn fullness(level: usize) -> f64 {
    let chance = LEVELS.get(level).copied().unwrap_or(1.0);
    (1.0 - chance / CHANCE_EMPTY).max(0.0)
}

/// What a wait knows of its generation.
#[derive(Clone, Debug)]
pub(crate) struct GenerationState {
    /// When this process began to follow the generation, and the age of the generation then, if known.
    since: Instant,
    age_then: Option<Duration>,
    watched: bool,
    /// Whether a delivery is expected.
    delivery: bool,
    /// The offset of its polls between two steps of the lowest level, from 0 to 1.
    offset: f64,
    /// The caller's minimum time between two polls.
    interval: Duration,
    /// Whether the generation is known to have changed since its last poll.
    changed: bool,
    /// The age of the generation, in seconds, when it was last seen running.
    polled_age: Option<f64>,
    status: Option<Status>,
    /// The first and the latest queue position, each with the age then.
    position: Option<[(f64, u64); 2]>,
    /// The first and the latest progress in percent, each with the age then.
    progress: Option<[(f64, u8); 2]>,
    /// The weight of the forecasts from position and progress.
    trust: f64,
    /// Failed polls in a row.
    failures: u32,
    /// Responses in a row that were not the API's.
    foreign: u32,
    /// The time of the first 404 since the last other response.
    missing: Option<Instant>,
    /// The end of the pause after a failed poll.
    not_before: Option<Instant>,
}

impl GenerationState {
    /// A generation that this process follows since then. `age_then` is its age at that time, if known.
    pub(crate) fn new(since: Instant, age_then: Option<Duration>, watched: bool) -> Self {
        Self {
            since,
            age_then,
            watched,
            delivery: false,
            offset: 0.0,
            interval: Duration::ZERO,
            changed: false,
            polled_age: None,
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

    /// The same with a minimum time between two polls.
    pub(crate) fn with_min_interval(self, interval: Duration) -> Self {
        Self { interval: interval.min(INTERVAL_LONGEST), ..self }
    }

    /// The age of the generation. If the age is not known, the time since this process began to follow it.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        self.age_then.unwrap_or_default() + now.saturating_duration_since(self.since)
    }

    /// Whether the end is known, so that only the result is missing.
    fn has_ended(&self) -> bool {
        self.status.as_ref().is_some_and(Status::is_terminal)
    }

    /// The age of the generation, if known.
    pub(crate) fn exact_age(&self, now: Instant) -> Option<Duration> {
        self.age_then.map(|_| self.age(now))
    }

    /// The age in seconds at which the generation was last seen running, if its age is known.
    pub(crate) fn last_seen_running(&self) -> Option<f64> {
        self.age_then.and(self.polled_age).filter(|_| !self.has_ended())
    }

    /// Whether a delivery is expected to end the wait, so that polls are a safety net. A watched generation is polled,
    /// because a delivery reports only the end.
    pub(crate) fn awaits_delivery(&self) -> bool {
        self.delivery && !self.watched && !self.changed && !self.has_ended()
    }

    /// Sets whether a delivery is expected.
    pub(crate) fn expect_delivery(&mut self, delivery: bool) {
        self.delivery = delivery;
    }

    /// Sets the offset of the polls from the number of the wait, so that generations that were submitted together are
    /// polled at evenly spread ages.
    pub(crate) fn set_offset(&mut self, number: u64) {
        // Multiples of the golden ratio are evenly spread between 0 and 1, however many there are.
        self.offset = (number as f64 * 0.618_033_988_749_895).fract();
    }

    /// The chance at which the wait reaches a level.
    fn level_chance(&self, durations: &Durations, level: usize) -> Option<f64> {
        let chance = *LEVELS.get(level)?;
        if level > 0 {
            return Some(chance);
        }
        let chance = match self.polled_age {
            None if durations.is_unknown() => CHANCE_QUICK,
            _ if durations.len() == 0 => CHANCE_FIRST / durations.first_is_worth(),
            _ if durations.are_few() => CHANCE_FEW,
            _ => chance,
        };
        let step = -f64::ln_1p(-chance);
        let hazard = -self.polled_age.map_or(1.0, |age| durations.survival(age)).ln();
        if !hazard.is_finite() {
            return Some(chance);
        }
        let steps = hazard / step - self.offset;
        let next = (steps + STEP_MIN).floor() + 1.0;
        Some(-f64::exp_m1(-(next - steps) * step))
    }

    /// Makes the next poll due, because the generation is known to have changed.
    pub(crate) fn mark_changed(&mut self) {
        self.changed = true;
    }

    /// The same after the response to the submit.
    pub(crate) fn submitted(mut self, status: &Status, position: Option<u64>) -> Self {
        self.status = Some(status.clone());
        self.set_position(0.0, position);
        self
    }

    /// Takes the response to a poll that was sent at `sent`.
    pub(crate) fn poll_answered(
        &mut self,
        sent: Instant,
        status: &Status,
        position: Option<u64>,
        progress: Option<Progress>,
    ) {
        (self.failures, self.foreign, self.missing) = (0, 0, None);
        (self.not_before, self.changed) = (None, false);
        let age = self.age(sent).as_secs_f64();
        if self.chance_by_progress(age).is_some_and(|chance| chance > 0.5) {
            self.trust /= 2.0;
        }
        if self.status.as_ref() != Some(status) {
            // A new attempt has a progress of its own.
            (self.position, self.progress) = (None, None);
            self.status = Some(status.clone());
        }
        self.polled_age = Some(age);
        self.set_position(age, position);
        if let Some(percent) = progress.map(Progress::percent) {
            let begun = self.progress.filter(|[_, (_, last)]| percent >= *last).map(|[first, _]| first);
            self.progress = Some([begun.unwrap_or((age, percent)), (age, percent)]);
        }
    }

    fn set_position(&mut self, age: f64, position: Option<u64>) {
        let position = position.filter(|_| self.status == Some(Status::InQueue));
        self.position = position
            .map(|position| [self.position.map_or((age, position), |[first, _]| first), (age, position)]);
    }

    /// Takes the error of a poll. Returns whether the error ends the wait.
    pub(crate) fn poll_failed(&mut self, now: Instant, error: &Error) -> bool {
        self.failures = self.failures.saturating_add(1);
        let asked = error.retry_after().unwrap_or_default().min(RETRY_AFTER_MAX);
        self.not_before = Some(now + FAILURES.pause(self.failures).max(asked));
        match error.api() {
            _ if matches!(error, Error::NotFound(_)) => self.is_missing(now),
            Some(api) if api.is_genuine() => !error.is_retryable(),
            _ if error.is_retryable() => false,
            _ => {
                self.foreign += 1;
                self.foreign >= FOREIGN_MAX
            }
        }
    }

    /// Whether a 404 ends the wait. If a response has shown the generation, or it was submitted in the last minute,
    /// only a minute of nothing but 404 does.
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

    /// The rest of the pause after a failed poll.
    pub(crate) fn pause(&self, now: Instant) -> Duration {
        self.not_before.map_or(Duration::ZERO, |not_before| not_before.saturating_duration_since(now))
    }

    /// The chance that a poll at this age finds the end.
    fn chance(&self, durations: &Durations, age: f64) -> f64 {
        if self.has_ended() || self.changed {
            return 1.0;
        }
        let unknown = Durations::default();
        let (durations, polled_age) = match (self.age_then, self.polled_age) {
            // A generation of unknown age may have ended long ago.
            (None, None) => return 1.0,
            // It runs, but its age is not known, so the durations of its model do not help.
            (None, Some(age)) => (&unknown, age),
            (Some(_), age) => (durations, age.unwrap_or(0.0)),
        };
        let by_durations = durations.ended_since(polled_age, age);
        let forecast = self.chance_by_progress(age).or_else(|| self.chance_by_position(durations, age));
        forecast.map_or(by_durations, |forecast| self.trust * forecast + (1.0 - self.trust) * by_durations)
    }

    /// The chance by the progress alone, if the progress has grown.
    fn chance_by_progress(&self, age: f64) -> Option<f64> {
        let [(begun, first), (at, last)] = self.progress.filter(|[(_, first), (_, last)]| last > first)?;
        let rest = (at - begun) * f64::from(100 - last) / f64::from(last - first);
        let share = ((age - at) / rest.max(1e-3)).max(0.0);
        Some(1.0 - 1.0 / (1.0 + share.powi(PROGRESS_SHARPNESS)))
    }

    /// The chance by the queue position alone. A generation does not end while requests are ahead of it.
    fn chance_by_position(&self, durations: &Durations, age: f64) -> Option<f64> {
        let [(begun, first), (at, last)] = self.position.filter(|[_, (_, last)]| *last > 0)?;
        let fallen = first.saturating_sub(last) as f64;
        if fallen == 0.0 {
            // The speed of the queue is not known yet, so the position says something of the near future only.
            return (age < POSITION_HOLDS * at + 1.0).then_some(0.0);
        }
        let starts = at + (at - begun) * last as f64 / fallen;
        Some(durations.ended_since(0.0, age - starts))
    }

    /// The highest level that the wait has reached at `now`, if any.
    pub(crate) fn level(&self, durations: &Durations, now: Instant) -> Option<usize> {
        if self.not_before.is_some_and(|not_before| now < not_before) || now < self.interval_over() {
            return None;
        }
        if self.awaits_delivery() {
            return None;
        }
        let chance = self.chance(durations, self.age(now).as_secs_f64());
        let level = (0..LEVELS.len())
            .rev()
            .find(|level| self.level_chance(durations, *level).is_some_and(|needed| chance >= needed));
        if self.watched && now >= self.watch_due_at() { level.max(Some(WATCH_LEVEL)) } else { level }
    }

    /// When the wait reaches a level above `reached`, if it does so within a month.
    pub(crate) fn next_level_at(
        &self,
        durations: &Durations,
        now: Instant,
        reached: Option<usize>,
    ) -> Option<Instant> {
        let earliest = self.interval_over().max(self.not_before.unwrap_or(self.since));
        if self.awaits_delivery() {
            return None;
        }
        if now < earliest {
            return Some(earliest);
        }
        let next = reached.map_or(0, |level| level + 1);
        let from = self.age(now).as_secs_f64();
        let needed = self.level_chance(durations, next)?;
        let age = age_when(from, needed, |age| self.chance(durations, age));
        let rises = age.map(|age| now + Duration::from_secs_f64((age - from).max(0.0)));
        let watch = (self.watched && reached < Some(WATCH_LEVEL)).then(|| self.watch_due_at());
        // Always later than now, even after rounding, so that the scheduler does not spin.
        let soonest = now + Duration::from_millis(1);
        [rises, watch].into_iter().flatten().min().map(|at| at.max(soonest))
    }

    /// When the next poll is overdue, whatever its chance.
    pub(crate) fn overdue_at(&self, durations: &Durations) -> Instant {
        let polled = self.polled_age.unwrap_or(0.0);
        let overdue = if self.awaits_delivery() {
            let longest =
                durations.longest().filter(|_| durations.len() >= DELIVERY_KNOWN).unwrap_or_default();
            let late = (longest * DELIVERY_LATE)
                .max(durations.delivery_patience())
                .max(OVERDUE_MIN_DELIVERY.as_secs_f64());
            if late > polled { late } else { polled * 2.0 }
        } else {
            polled + OVERDUE_MIN.as_secs_f64().max(polled)
        };
        let then = self.age_then.unwrap_or_default().as_secs_f64();
        let at = self.since + Duration::from_secs_f64((overdue - then).max(0.0));
        at.max(self.not_before.unwrap_or(at)).max(self.interval_over())
    }

    /// When the shortest time since the last poll is over.
    fn interval_over(&self) -> Instant {
        let Some(age) = self.polled_age.filter(|_| !self.has_ended()) else { return self.since };
        self.at(age) + Duration::from_secs_f64(age * INTERVAL_SHARE).max(INTERVAL_MIN).max(self.interval)
    }

    /// When a watched generation is polled again.
    fn watch_due_at(&self) -> Instant {
        let age = self.polled_age.unwrap_or(0.0);
        self.at(age) + Duration::from_secs_f64(age * WATCH_SHARE).clamp(INTERVAL_MIN, WATCH_INTERVAL_MAX)
    }

    /// The time at which the generation had this age.
    fn at(&self, age: f64) -> Instant {
        let then = self.age_then.unwrap_or_default().as_secs_f64();
        self.since + Duration::from_secs_f64((age - then).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ApiError;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// The ages at which a generation is polled if the bucket is full and every response is `respond` of the age.
    fn polls(
        mut state: GenerationState,
        durations: &Durations,
        until: f64,
        respond: impl Fn(f64) -> (Status, Option<u64>, Option<u8>),
    ) -> Vec<f64> {
        let (start, mut ages) = (state.since, Vec::new());
        let mut now = start;
        while now - start <= seconds(until) {
            if state.level(durations, now).is_some() || now >= state.overdue_at(durations) {
                let age = state.age(now).as_secs_f64();
                ages.push(age);
                let (status, position, progress) = respond(age);
                state.poll_answered(now, &status, position, progress.map(Progress::new));
            }
            let rises = state.next_level_at(durations, now, state.level(durations, now));
            now = [rises, Some(state.overdue_at(durations))].into_iter().flatten().min().unwrap().max(now);
        }
        ages
    }

    fn fresh(watched: bool) -> GenerationState {
        GenerationState::new(Instant::now(), Some(Duration::ZERO), watched)
    }

    fn running(_: f64) -> (Status, Option<u64>, Option<u8>) {
        (Status::InProgress, None, None)
    }

    #[test]
    fn a_generation_is_polled_soon_and_then_ever_more_rarely() {
        let ages = polls(fresh(false), &Durations::default(), 600.0, running);
        assert!(ages[0] <= 0.2 && ages.windows(2).all(|pair| pair[1] <= pair[0] * 1.23 + 2.3), "{ages:?}");
        assert!(ages.iter().filter(|age| **age <= 30.0).count() <= 9, "{ages:?}");
    }

    #[test]
    fn a_watched_generation_is_polled_more_often() {
        let ages = polls(fresh(true), &Durations::default(), 60.0, running);
        let longest = WATCH_INTERVAL_MAX.as_secs_f64() + 1e-6;
        assert!(ages.windows(2).all(|pair| pair[1] - pair[0] <= longest), "{ages:?}");
    }

    #[test]
    fn a_generation_is_polled_no_more_often_than_its_caller_allows() {
        for (watched, interval) in [(false, 5.0), (true, 5.0), (false, 100.0)] {
            let state = fresh(watched).with_min_interval(seconds(interval));
            let ages = polls(state, &Durations::default(), 600.0, running);
            assert!(ages[0] <= 0.2 && ages.len() >= 5, "{ages:?}");
            assert!(ages.windows(2).all(|pair| pair[1] - pair[0] >= interval - 1e-6), "{ages:?}");
        }
        let mut state = fresh(false).with_min_interval(seconds(5.0));
        state.poll_answered(state.since + seconds(1.0), &Status::Completed, None, None);
        assert_eq!(state.level(&Durations::default(), state.since + seconds(1.1)), Some(SURE));
    }

    #[test]
    fn a_generation_of_unknown_age_is_polled_at_once() {
        let now = Instant::now();
        assert_eq!(GenerationState::new(now, None, false).level(&Durations::default(), now), Some(SURE));
        let ended = fresh(false).submitted(&Status::Completed, Some(0));
        assert_eq!(ended.level(&Durations::default(), ended.since), Some(SURE));
    }

    #[test]
    fn honest_progress_brings_a_poll_near_the_end_and_few_before() {
        let respond = |age: f64| (Status::InProgress, None, Some((age / 300.0 * 100.0).min(100.0) as u8));
        let with = polls(fresh(false), &Durations::default(), 330.0, respond);
        let after = with.iter().find(|age| **age >= 300.0).unwrap();
        assert!(after - 300.0 <= 10.0, "{with:?}");
        assert!(with.len() <= 45, "{with:?}");
    }

    #[test]
    fn dishonest_progress_costs_little() {
        let without = polls(fresh(false), &Durations::default(), 300.0, running).len();
        for percent in [0, 50, 99, 100] {
            let respond = |age: f64| (Status::InProgress, None, Some(if age < 1.0 { 0 } else { percent }));
            let ages = polls(fresh(false), &Durations::default(), 300.0, respond);
            assert!(ages.len() <= without + 15, "{percent} %: {ages:?}");
        }
    }

    #[test]
    fn a_generation_behind_others_in_the_queue_is_polled_less_until_it_runs() {
        // The queue moves four places a second; then the generation takes ten seconds.
        let behind = |age: f64| match 400.0 - 4.0 * age {
            ahead if ahead > 0.0 => (Status::InQueue, Some(ahead as u64), None),
            _ => (Status::InProgress, None, None),
        };
        let mut durations = Durations::default();
        (0..20).for_each(|_| _ = durations.learn(seconds(10.0)));
        let queued = fresh(false).submitted(&Status::InQueue, Some(400));
        let ages = polls(queued, &durations, 115.0, behind);
        assert!(ages.iter().filter(|age| **age < 95.0).count() <= 25, "{ages:?}");
        assert!(ages.iter().any(|age| (109.0..114.0).contains(age)), "{ages:?}");
    }

    #[test]
    fn a_second_attempt_starts_its_progress_anew() {
        let mut state = fresh(false);
        for (age, percent) in [(1.0, 10), (2.0, 90), (3.0, 5), (4.0, 6)] {
            let sent = state.since + seconds(age);
            state.poll_answered(sent, &Status::InProgress, None, Some(Progress::new(percent)));
        }
        // At one percent a second it takes 94 s more.
        assert!(state.chance_by_progress(60.0).unwrap() < 0.05);
        assert!(state.chance_by_progress(110.0).unwrap() > 0.7);
    }

    #[test]
    fn while_a_delivery_is_expected_polls_are_a_safety_net() {
        let mut state = fresh(false);
        state.expect_delivery(true);
        let ages = polls(state, &Durations::default(), 1_000.0, running);
        assert_eq!(ages.iter().map(|age| age.round()).collect::<Vec<_>>(), [120.0, 240.0, 480.0, 960.0]);
    }

    fn api_error(http_status: u16, code: &str) -> Error {
        Error::from_api(ApiError::bare(http_status, code))
    }

    #[test]
    fn only_a_refusal_ends_a_wait() {
        let (mut state, now) = (fresh(false), Instant::now());
        let timeout = Error::Timeout { request_id: None, attempts: 1, elapsed: Duration::ZERO };
        let (attempts, elapsed, cause) = (1, Duration::ZERO, "reset".into());
        let connection = Error::Connection { request_id: None, attempts, elapsed, cause };
        for _ in 0..1_000 {
            let (limited, bad_gateway) = (api_error(429, "rate_limit_exceeded"), api_error(502, "http_502"));
            for error in [&timeout, &connection, &limited, &bad_gateway] {
                assert!(!state.poll_failed(now, error), "{error}");
            }
        }
        for (status, code) in [(408, "http_408"), (408, "request_timeout"), (425, "http_425")] {
            assert!(!state.poll_failed(now, &api_error(status, code)), "{status} {code}");
        }
        for (status, code) in
            [(401, "invalid_api_key"), (403, "insufficient_scope"), (404, "model_not_found")]
        {
            assert!(state.poll_failed(now, &api_error(status, code)), "{status} {code}");
        }
    }

    #[test]
    fn a_generation_that_exists_is_missing_only_after_a_minute_of_404() {
        let now = Instant::now();
        let seen = |age| {
            let mut state = GenerationState::new(now, age, false);
            state.poll_answered(now, &Status::InProgress, None, None);
            state
        };
        let old = Some(seconds(3_600.0));
        let submitted = GenerationState::new(now, Some(Duration::ZERO), false);
        for (mut state, exists) in [
            (submitted.submitted(&Status::InQueue, Some(0)), true),
            // Its process submitted it and was restarted at once.
            (GenerationState::new(now, Some(seconds(30.0)), false), true),
            (seen(None), true),
            (seen(old), true),
            (GenerationState::new(now, None, false), false),
            (GenerationState::new(now, old, false), false),
        ] {
            let mut at = now;
            while !state.poll_failed(at, &api_error(404, "not_found")) {
                at = state.not_before.unwrap();
            }
            let waited = at - now;
            assert_eq!(exists, (seconds(60.0)..seconds(80.0)).contains(&waited), "{waited:?}");
            assert_eq!(exists, !waited.is_zero(), "{waited:?}");
            // A poll that finds the generation starts the minute again.
            if exists {
                state.poll_answered(at, &Status::InProgress, None, None);
                assert!(!state.poll_failed(at, &api_error(404, "not_found")));
            }
        }
    }

    #[test]
    fn responses_that_are_not_the_apis_end_a_wait_after_about_a_minute() {
        let mut state = fresh(false);
        let (start, mut now) = (state.since, state.since);
        let page = api_error(404, "http_404");
        while !state.poll_failed(now, &page) {
            now = state.not_before.unwrap();
        }
        assert!(now - start > seconds(40.0) && now - start < seconds(120.0), "{:?}", now - start);
        state.poll_answered(now, &Status::InQueue, None, None);
        assert!(!state.poll_failed(now, &page));
    }

    #[test]
    fn failed_polls_are_spaced_and_retry_after_is_obeyed_up_to_its_bound() {
        let (mut state, now) = (fresh(false), Instant::now());
        let pause = |state: &GenerationState| state.not_before.unwrap() - now;
        for millis in [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 15_000, 15_000] {
            state.poll_failed(now, &api_error(503, "service_unavailable"));
            assert_eq!(pause(&state), Duration::from_millis(millis));
            let at = state.not_before.unwrap();
            assert!(state.overdue_at(&Durations::default()) >= at);
            assert_eq!(state.level(&Durations::default(), at - INTERVAL_MIN), None);
        }
        for (retry_after, expected) in [(20, 20), (1_000_000, 60)] {
            let retry_after = Some(Duration::from_secs(retry_after));
            let api = ApiError { retry_after, ..ApiError::bare(503, "service_unavailable") };
            state.poll_failed(now, &Error::from_api(api));
            assert_eq!(pause(&state), Duration::from_secs(expected));
        }
    }
}
