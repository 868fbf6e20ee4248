//! Fleets compared with the clairvoyant client, and the rules of waiters one by one.

mod processes;

use super::caller::Caller;
use super::clairvoyant::clairvoyant;
use super::fleet::{Fleet, Lifetime};
use super::report::{Fate, Report};
use super::run::{POLLS_MAX, run, some_id};
use super::server::{PER_SECOND, Server};
use crate::error::Error;
use crate::request::Priority;
use crate::update::Update;
use crate::wait::next_poll::{self, GenerationState};
use crate::wait::runtime_queues::EntryId;
use crate::wait::waiter::{Goal, WaitEnd, Waiter};
use crate::wait::waiters::{PollResponse, Step};
use clipia_api::Status;
use clipia_api::types::StatusResponse;
use proptest::prelude::*;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};
use tokio::runtime::Builder;

/// Random numbers that are the same each time.
struct Random(u64);

impl Random {
    /// From 0 up to 1 (SplitMix64; Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// From a normal distribution (Box and Muller).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.next()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.next()).cos()
    }
}

const CONSTANT: &str = "constant 30 s";
const LOGNORMAL: &str = "lognormal, median 30 s, σ 0.6";
const BIMODAL: &str = "half 8 s, half 60 s";

fn fleet(kind: &str, n: usize, seed: u64) -> Fleet {
    let mut random = Random(seed);
    let mut duration = || match kind {
        CONSTANT => 30.0,
        BIMODAL => [8.0, 60.0][usize::from(random.next() < 0.5)],
        _ => 30.0 * (0.6 * random.normal()).exp(),
    };
    Fleet::of((0..n).map(|_| Duration::from_secs_f64(duration())).collect())
}

/// A fleet compared with the clairvoyant client: the ratios of the time until the last end was known, and of the mean
/// time.
fn beside(fleet: &Fleet) -> (Report, f64, f64) {
    let (report, best) = (run(fleet), clairvoyant(fleet));
    let drained = drained(&report) / best.iter().copied().fold(0.0, f64::max);
    let mean = report.known().sum::<f64>() / best.iter().sum::<f64>();
    (report, drained, mean)
}

/// When the last end was known.
fn drained(report: &Report) -> f64 {
    report.known().fold(0.0, f64::max)
}

/// The requests for each generation.
fn each(report: &Report) -> f64 {
    report.requests as f64 / report.fates.len() as f64
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Measures the table in the documentation of `next_poll`.
#[test]
fn fleets_drain_nearly_as_fast_as_the_budget_allows() {
    let mut table = String::from(
        "| generations | durations | drained, of the clairvoyant's | worst | mean time to known, of the clairvoyant's | requests each |\n\
         |---|---|---|---|---|---|\n",
    );
    for (n, seeds, worst_allowed, mean_allowed) in
        [(5, 10, 1.15, 1.10), (20, 10, 1.10, 1.10), (100, 10, 1.15, 1.05), (500, 2, 1.05, 1.05)]
    {
        for kind in [CONSTANT, LOGNORMAL, BIMODAL] {
            let (mut drained, mut known, mut requests) = (Vec::new(), Vec::new(), Vec::new());
            for seed in 0..if kind == CONSTANT { 1 } else { seeds } {
                let (report, drain, mean) = beside(&fleet(kind, n, seed * 7_919 + 1));
                assert_eq!(report.refused, 0, "{n} {kind}, seed {seed}");
                drained.push(drain);
                known.push(mean);
                requests.push(each(&report));
            }
            let worst = drained.iter().copied().fold(0.0, f64::max);
            let (drained, known, requests) = (mean(&drained), mean(&known), mean(&requests));
            assert!(worst <= worst_allowed && drained <= mean_allowed, "{n} {kind}: {drained} {worst}");
            table += &format!("| {n} | {kind} | {drained:.2} | {worst:.2} | {known:.2} | {requests:.1} |\n");
        }
    }
    println!("{table}");
    assert_eq!(table, include_str!("../achieved.md"), "put this into achieved.md");
}

#[test]
fn with_deliveries_a_generation_costs_its_submit() {
    for kind in [CONSTANT, LOGNORMAL, BIMODAL] {
        for n in [5, 20, 100, 500] {
            let fleet = Fleet { deliveries: Some(Duration::from_millis(50)), ..fleet(kind, n, n as u64) };
            let (report, drained, mean) = beside(&fleet);
            assert!(each(&report) <= 1.05, "{n} {kind}: {}", each(&report));
            assert!(drained < 1.05 && mean < 1.05, "{n} {kind}: {drained} {mean}");
        }
    }
}

#[test]
fn deliveries_that_never_come_only_delay() {
    for kind in [CONSTANT, LOGNORMAL] {
        let fleet = Fleet { deliveries: Some(Duration::from_secs(1_000_000)), ..fleet(kind, 50, 1) };
        let report = run(&fleet);
        // The first deliveries count as lost after two minutes. From then on polls are as without webhooks.
        assert!(drained(&report) <= 300.0, "{kind}: {}", drained(&report));
        assert!(each(&report) <= 4.0, "{kind}: {}", each(&report));
    }
}

#[test]
fn a_fleet_larger_than_the_concurrency_limit_gets_through() {
    let fleet = Fleet { in_flight: 20, ..fleet(CONSTANT, 300, 1) };
    let report = run(&fleet);
    // Fifteen times twenty, one after the other, take 450 s. Each end costs a poll, and lets one submit pass.
    assert!(drained(&report) <= 1.15 * 450.0, "{}", drained(&report));
    assert!(each(&report) <= 3.0, "{}", each(&report));
    assert_eq!(report.refused, 0);
}

#[test]
fn the_limit_of_a_server_without_headers_is_probed() {
    for burst in [10, 30, 120] {
        let fleet = Fleet { server: Server::new(burst, false), ..fleet(LOGNORMAL, 200, 5) };
        let (report, drained, _) = beside(&fleet);
        let refused = report.refused as f64 / report.requests as f64;
        assert!(refused <= 0.05, "burst {burst}: {refused}");
        assert!(drained <= 1.1, "burst {burst}: {drained}");
    }
}

#[test]
fn a_server_without_headers_and_without_a_limit_is_used_fully() {
    let report = run(&Fleet { server: Server::new(u32::MAX, false), ..fleet(CONSTANT, 100, 1) });
    let last = report.fates.iter().map(|fate| fate.begun).max().unwrap();
    assert!(last <= Duration::from_secs(4), "{last:?}");
    assert!(drained(&report) <= 40.0, "{}", drained(&report));
}

#[test]
fn a_key_without_a_limit_is_bounded_by_the_policy_alone() {
    let mut server = Server::new(u32::MAX, true);
    server.tokens = f64::from(u32::MAX);
    let report = run(&Fleet { server, ..fleet(CONSTANT, 200, 1) });
    assert!(each(&report) <= 27.0, "{}", each(&report));
    assert!(drained(&report) <= 30.0 * 1.4, "{}", drained(&report));
}

/// A wait whose client has no other.
fn alone(watched: bool, deadline: Option<Duration>) -> (Caller, EntryId, Instant) {
    let start = Instant::now();
    let mut caller = Caller::new(start, 1, false);
    let state = GenerationState::new(start, Some(Duration::ZERO), watched);
    let goal = if watched { Goal::Updates } else { Goal::Result };
    let mut waiter = Waiter::new(some_id(), goal, watched, state, start);
    waiter.deadline = deadline.map(|deadline| start + deadline);
    let entry_id = caller.waiters.enter(waiter);
    assert!(caller.poll(entry_id, start).is_none());
    (caller, entry_id, start)
}

#[test]
fn a_deadline_passes_even_while_the_budget_is_closed() {
    let (mut caller, entry_id, start) = alone(false, Some(Duration::from_secs(5)));
    let closed = start + Duration::from_secs(60);
    let mut wakers = Vec::new();
    let mut step = |now| caller.waiters.step(caller.here, now, POLLS_MAX, |_| Err(closed), &mut wakers);
    let Step::Poll { polls, next, starved } = step(start + Duration::from_secs(1)) else {
        panic!("it has a wait")
    };
    assert!(polls.is_empty() && starved);
    assert!(next.is_some_and(|next| next <= start + Duration::from_secs(5)));
    assert!(matches!(step(start + Duration::from_secs(5)), Step::Stop));
    assert_eq!(wakers.len(), 1);
    let Some(WaitEnd::Error(error)) = caller.poll(entry_id, start) else { panic!("it has ended") };
    assert!(matches!(*error, Error::Deadline { waited, .. } if waited == Duration::from_secs(5)));
}

#[test]
fn a_wait_that_is_dropped_leaves_nothing_behind() {
    let (mut caller, one, start) = alone(true, Some(Duration::from_secs(9)));
    let now = start + Duration::from_secs(1);
    let (here, id) = (caller.here, some_id());
    let other = caller.enter(id, Duration::ZERO, false, false);
    let step = caller.waiters.step(here, now, 1, |_| Ok(0), &mut Vec::new());
    let Step::Poll { polls, .. } = step else { panic!("it has waits") };
    // One wait is being polled, the other is not. Both leave, and so does a queued call.
    assert_eq!(polls.len(), 1);
    caller.submit(0);
    for entry_id in [one, other] {
        assert!(caller.waiters.leave(entry_id).is_some());
    }
    assert!(caller.waiters.leave_queue(caller.queued[0].0).is_none());
    assert_eq!(caller.waiters.len(), 0);
    let (entry_id, id, kind, _) = polls[0].clone();
    let late = Ok(caller.poll_response(kind, id, Duration::ZERO, &Fate::default()));
    caller.waiters.poll_finished(entry_id, now, late, &mut Vec::new());
    let step = caller.waiters.step(here, now, POLLS_MAX, |_| Ok(0), &mut Vec::new());
    assert!(matches!(step, Step::Stop));
}

#[test]
fn waits_of_a_runtime_that_was_shut_down_move_to_another() {
    let (mut caller, entry_id, start) = alone(false, None);
    let gone = caller.here;
    assert!(caller.waiters.runtime_ended(gone, u64::MAX).is_empty()); // the task of an earlier runtime with this id
    assert_eq!(caller.waiters.runtime_ended(gone, 1).len(), 1);
    // A later runtime may have the same id: a task of its own is started there.
    let mut context = Context::from_waker(Waker::noop());
    assert!(caller.waiters.poll_wait(entry_id, gone, start, &mut context).1.is_some());
    let elsewhere = Builder::new_current_thread().build().unwrap();
    caller.here = elsewhere.handle().id();
    assert!(caller.poll(entry_id, start).is_none());
    let now = start + Duration::from_secs(1);
    let step = caller.waiters.step(caller.here, now, POLLS_MAX, |_| Ok(0), &mut Vec::new());
    assert!(matches!(step, Step::Poll { polls, .. } if polls.len() == 1));
}

#[test]
fn the_end_that_one_wait_learns_ends_every_wait_of_the_generation() {
    let (mut caller, watcher, start) = alone(true, None);
    let id = some_id();
    let waits = [(); 2].map(|()| caller.enter(id.clone(), Duration::ZERO, false, false));
    let result = caller.result(id.clone(), Duration::ZERO, Duration::from_secs(1));
    let response = PollResponse::Ended(Box::new(result));
    caller.waiters.poll_finished(waits[0], start + Duration::from_secs(2), Ok(response), &mut Vec::new());
    // The response to a poll that was in flight meanwhile is ignored.
    let late = PollResponse::Status(Update::from(StatusResponse::new(id, Status::InProgress)));
    caller.waiters.poll_finished(waits[1], start + Duration::from_secs(3), Ok(late), &mut Vec::new());
    for wait in waits {
        assert!(matches!(caller.poll(wait, start), Some(WaitEnd::Result(_))));
    }
    assert!(caller.poll(watcher, start).is_none(), "the wait of another generation");
}

/// Calls of the user first, then a sure poll, then a submit, then the other polls.
#[test]
fn tokens_go_in_the_order_of_the_policy() {
    let start = Instant::now();
    let mut caller = Caller::new(start, 1, false);
    let sure = caller.waiters.enter(Waiter::new(
        some_id(),
        Goal::Result,
        false,
        GenerationState::new(start, None, false),
        start,
    ));
    assert!(caller.poll(sure, start).is_none());
    let likely = caller.enter(some_id(), Duration::ZERO, false, false);
    caller.submit(0);
    let call = caller.waiters.queue_call(Priority::Call);
    let mut context = Context::from_waker(Waker::noop());
    assert!(caller.waiters.poll_token(call, caller.here, start, &mut context).0.is_pending());
    let (mut order, now, here) = (Vec::new(), start + Duration::from_secs(2), caller.here);
    for _ in 0..4 {
        let mut one = true;
        let take = |_| if std::mem::take(&mut one) { Ok(0) } else { Err(now + Duration::from_secs(1)) };
        let step = caller.waiters.step(here, now, POLLS_MAX, take, &mut Vec::new());
        let Step::Poll { polls, .. } = step else { panic!("it has waits") };
        order.extend(polls.iter().map(|(entry_id, ..)| if *entry_id == sure { "sure" } else { "likely" }));
        order.extend(caller.granted().iter().map(|_| "submit"));
        order.extend(caller.waiters.poll_token(call, here, now, &mut context).0.is_ready().then_some("call"));
    }
    assert_eq!(order, ["call", "sure", "submit", "likely"], "{likely:?}");
}

/// The longest time between two polls of one of `n` generations by the bound in `next_poll`, plus the latency.
fn gap_max(n: usize, age: Duration, latency: Duration) -> Duration {
    let overdue = next_poll::OVERDUE_MIN.max(age);
    let tokens = f64::from(next_poll::ROUND) * n as f64 / PER_SECOND;
    overdue + Duration::from_secs_f64(tokens) + latency * 2 + Duration::from_secs(1)
}

/// What refusals add to that bound without headers: pauses of a wait, and of the whole bucket.
const PAUSES_MAX: Duration = Duration::from_secs(30);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Every end becomes known, for any fleet and any bucket of the server. With headers no request is refused, the
    /// time between two polls of a generation is within the stated bound, and the sum of all times until an end is
    /// known is at most one and three quarters of the clairvoyant's, plus two seconds each. Without headers refusals
    /// find the limit, and each costs a pause.
    #[test]
    fn no_schedule_exceeds_the_budget_and_no_wait_starves(
        durations in prop::collection::vec(0u64..120_000, 1..120),
        watched in any::<bool>(),
        latency in 0u64..800,
        burst in 10u32..60,
        sends_limits in any::<bool>(),
    ) {
        let latency = Duration::from_millis(latency);
        let fleet = Fleet {
            durations: durations.into_iter().map(Duration::from_millis).collect(),
            watched,
            deliveries: None,
            latency,
            server: Server::new(burst, sends_limits),
            clients: vec![Lifetime::default()],
            in_flight: usize::MAX,
        ignores_others: false,
        };
        let (report, best) = (run(&fleet), clairvoyant(&fleet));
        prop_assert!(report.refused == 0 || !sends_limits, "{} refused", report.refused);
        let n = report.fates.len();
        for fate in &report.fates {
            let known = fate.known.expect("every end becomes known");
            prop_assert!(known >= fate.ended);
            let mut before = fate.begun;
            for &polled in &fate.polled {
                let refusals = if sends_limits { Duration::ZERO } else { PAUSES_MAX };
                let most = gap_max(n, before - fate.begun, latency) + refusals;
                prop_assert!(polled - before <= most, "{:?} without a poll, at most {most:?}", polled - before);
                before = polled;
            }
        }
        if !watched && sends_limits {
            let (sum, least) = (report.known().sum::<f64>(), best.iter().sum::<f64>());
            let allowed = 1.75 * least + n as f64 * (2.0 + latency.as_secs_f64() * 2.0);
            prop_assert!(sum <= allowed, "{sum} s in all, {least} s at least");
        }
    }
}
