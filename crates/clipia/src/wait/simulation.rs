//! A fleet of waits in simulated time: the table, the policy and the budget against a server that counts.

use super::table::{Ask, Entry, Table, Ticket, Told, Turn};
use super::{Ending, Event, Goal, Update, policy};
use crate::budget::{Budget, RateLimit};
use crate::client::Clipia;
use crate::error::Error;
use crate::outcome::Outcome;
use clipia_api::Status;
use clipia_api::types::{RequestId, ResultResponse, StatusResponse};
use proptest::prelude::*;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Id};

/// A default key: 120 requests a minute.
const PER_SECOND: f64 = 2.0;

const CALLS_MAX: usize = 64;

/// The far side: a bucket of tokens that refuses what is over it.
struct Server {
    burst: f64,
    tokens: f64,
    counted: Instant,
    tells: bool,
}

impl Server {
    fn new(start: Instant, burst: u32, tells: bool) -> Self {
        Self { burst: burst.into(), tokens: burst.into(), counted: start, tells }
    }

    /// Whether a request is taken, and what the headers say.
    fn ask(&mut self, now: Instant) -> (bool, RateLimit) {
        self.tokens = (self.tokens + (now - self.counted).as_secs_f64() * PER_SECOND).min(self.burst);
        self.counted = now;
        let taken = self.tokens >= 1.0;
        self.tokens -= f64::from(u8::from(taken));
        let told = RateLimit {
            limit: Some((PER_SECOND * 60.0) as u64),
            remaining: Some(self.tokens as u64),
            reset: Some(((self.burst - self.tokens) / PER_SECOND).ceil() as u64),
        };
        (taken, if self.tells { told } else { RateLimit::default() })
    }
}

/// What became of one wait.
struct Fate {
    duration: Duration,
    asked: Vec<Duration>,
    known: Option<Duration>,
}

struct Report {
    fates: Vec<Fate>,
    refused: usize,
    requests: usize,
}

struct Simulation {
    clipia: Clipia,
    here: Id,
    start: Instant,
    table: Table,
    budget: Budget,
}

impl Simulation {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().build().unwrap();
        let start = Instant::now();
        Self {
            clipia: Clipia::builder().key("k").base_url("http://localhost").build().unwrap(),
            here: runtime.handle().id(),
            start,
            table: Table::default(),
            budget: Budget::new(start),
        }
    }

    fn enter(&mut self, watched: bool, deadline: Option<Duration>) -> Ticket {
        let goal = if watched { Goal::Updates } else { Goal::Outcome };
        let (start, deadline) = (self.start, deadline.map(|deadline| self.start + deadline));
        let entry = Entry::new(
            RequestId::generate(),
            goal,
            watched,
            start,
            start,
            start + policy::INTERVAL_MIN,
            deadline,
        );
        let ticket = self.table.enter(entry);
        assert!(self.poll(ticket).is_none());
        ticket
    }

    /// The last of what the entry has to say, if it has ended.
    fn poll(&mut self, ticket: Ticket) -> Option<Ending> {
        loop {
            let mut context = Context::from_waker(Waker::noop());
            match self.table.poll(ticket, self.here, &mut context).0 {
                Poll::Ready(Event::Ended(ending)) => return Some(ending),
                Poll::Ready(Event::Update(_)) => {}
                Poll::Pending => return None,
            }
        }
    }

    fn told(&self, ask: Ask, id: RequestId, ended: bool) -> Told {
        let status = if ended { Status::Completed } else { Status::InProgress };
        match ask {
            Ask::Status => Told::State(Update::from(&StatusResponse::new(id, status))),
            Ask::Result => {
                let result = ResultResponse::new(id, status);
                let update = Update::from(&result);
                match Outcome::of(&self.clipia, result) {
                    Ok(outcome) => Told::Ended(update, Ending::Outcome(Box::new(outcome))),
                    Err(_) => Told::State(update),
                }
            }
        }
    }

    /// Runs waits for generations that all begin now, until the last is known to have ended.
    fn run(mut self, durations: &[Duration], watched: bool, latency: Duration, mut server: Server) -> Report {
        let mut fates: BTreeMap<Ticket, Fate> = durations
            .iter()
            .map(|&duration| (self.enter(watched, None), Fate { duration, asked: Vec::new(), known: None }))
            .collect();
        let (mut on_the_way, mut answers) = (BinaryHeap::new(), BTreeMap::new());
        let (mut now, mut refused, mut requests) = (self.start, 0, 0);
        loop {
            while on_the_way.peek().is_some_and(|Reverse((at, _))| *at <= now) {
                let Some(Reverse((_, ticket))) = on_the_way.pop() else { break };
                let (told, limits): (Result<Told, Error>, RateLimit) = answers.remove(&ticket).unwrap();
                self.budget.answered(now, limits);
                if told.is_err() {
                    self.budget.refused(now, Some(Duration::from_secs(1)));
                }
                self.table.told(ticket, now, told);
                if self.poll(ticket).is_some() {
                    fates.get_mut(&ticket).unwrap().known = Some(now - self.start);
                }
            }
            let room = CALLS_MAX - on_the_way.len();
            let budget = &mut self.budget;
            let turn = self.table.turn(self.here, now, room, || budget.take(now), &mut Vec::new());
            let Turn::Ask(asks, next) = turn else { break };
            assert!(next.is_none_or(|next| next > now), "it would spin");
            for (ticket, id, ask, ()) in asks {
                let fate = fates.get_mut(&ticket).unwrap();
                let age = now - self.start;
                fate.asked.push(age);
                requests += 1;
                let (taken, limits) = server.ask(now);
                refused += usize::from(!taken);
                let told = if taken {
                    Ok(self.told(ask, id, age >= fate.duration))
                } else {
                    Err(Error::Timeout { request_id: None, attempts: 1, elapsed: Duration::ZERO })
                };
                answers.insert(ticket, (told, limits));
                on_the_way.push(Reverse((now + latency, ticket)));
            }
            let first_answer = on_the_way.peek().map(|Reverse((at, _))| *at);
            now =
                [next, first_answer].into_iter().flatten().min().expect("something is always next").max(now);
        }
        assert_eq!(self.table.len(), 0);
        Report { fates: fates.into_values().collect(), refused, requests }
    }
}

/// The most that may lie between two asks of one of `n`: `policy`'s bound, and the answer's way.
fn gap_max(n: usize, watched: bool, latency: Duration) -> Duration {
    let interval = if watched { policy::INTERVAL_MAX_WATCHED } else { policy::INTERVAL_MAX };
    interval + Duration::from_secs_f64(n as f64 / PER_SECOND) + latency * 2 + Duration::from_secs(1)
}

fn check(report: &Report, watched: bool, latency: Duration) -> Result<(), TestCaseError> {
    let most = gap_max(report.fates.len(), watched, latency);
    prop_assert_eq!(report.refused, 0);
    for fate in &report.fates {
        let known = fate.known.expect("every end becomes known");
        prop_assert!(known >= fate.duration && known <= fate.duration + most + latency);
        let mut before = Duration::ZERO;
        for &asked in &fate.asked {
            prop_assert!(asked - before <= most, "{:?} without an ask, at most {most:?}", asked - before);
            before = asked;
        }
    }
    Ok(())
}

#[test]
fn two_hundred_waits_on_a_default_key_lose_nothing() {
    for tells in [true, false] {
        let simulation = Simulation::new();
        let server = Server::new(simulation.start, if tells { 30 } else { 10 }, tells);
        let latency = Duration::from_millis(40);
        let report = simulation.run(&[Duration::from_secs(30); 200], false, latency, server);
        check(&report, false, latency).unwrap();
        let drained = report.fates.iter().filter_map(|fate| fate.known).max().unwrap();
        // 200 requests alone take 85 s at this rate after the burst; each is asked for twice or thrice.
        assert!(report.requests <= 600, "{}", report.requests);
        assert!(drained <= Duration::from_secs(240), "{drained:?}");
    }
}

#[test]
fn a_key_without_a_limit_is_bounded_by_the_policy_alone() {
    let simulation = Simulation::new();
    let mut server = Server::new(simulation.start, u32::MAX, true);
    server.tokens = f64::from(u32::MAX);
    let report = simulation.run(&[Duration::from_secs(30); 200], false, Duration::from_millis(5), server);
    assert!(report.requests <= 200 * 20, "{}", report.requests);
}

#[test]
fn a_deadline_passes_even_where_nothing_can_be_asked() {
    let mut simulation = Simulation::new();
    let ticket = simulation.enter(false, Some(Duration::from_secs(5)));
    let (here, start) = (simulation.here, simulation.start);
    let closed = start + Duration::from_secs(60);
    let mut wakers = Vec::new();
    let mut turn = |now| simulation.table.turn::<()>(here, now, CALLS_MAX, || Err(closed), &mut wakers);
    let Turn::Ask(asks, next) = turn(start + Duration::from_secs(1)) else { panic!("it has an entry") };
    assert!(asks.is_empty());
    assert_eq!(next, Some(start + Duration::from_secs(5)));
    assert!(matches!(turn(start + Duration::from_secs(5)), Turn::Stop));
    assert_eq!(wakers.len(), 1);
    let Some(Ending::Error(error)) = simulation.poll(ticket) else { panic!("it has ended") };
    assert!(matches!(*error, Error::Deadline { waited, .. } if waited == Duration::from_secs(5)));
}

#[test]
fn one_who_leaves_leaves_nothing_behind() {
    let mut simulation = Simulation::new();
    let (one, other) = (simulation.enter(true, Some(Duration::from_secs(9))), simulation.enter(false, None));
    let (here, start) = (simulation.here, simulation.start);
    let now = start + Duration::from_secs(1);
    let Turn::Ask(asks, _) = simulation.table.turn(here, now, 1, || Ok(()), &mut Vec::new()) else {
        panic!("it has entries")
    };
    // One is being asked for, the other waits; both leave.
    assert_eq!(asks.len(), 1);
    simulation.table.leave(one);
    simulation.table.leave(other);
    assert_eq!(simulation.table.len(), 0);
    let (ticket, id, ask, ()) = asks[0];
    let late = Ok(simulation.told(ask, id, true));
    assert!(simulation.table.told(ticket, now, late).is_none());
    let turn = simulation.table.turn(here, now, CALLS_MAX, || Ok(()), &mut Vec::new());
    assert!(matches!(turn, Turn::Stop));
}

#[test]
fn entries_of_a_runtime_that_is_gone_find_another() {
    let mut simulation = Simulation::new();
    let ticket = simulation.enter(false, None);
    let gone = simulation.here;
    assert!(simulation.table.abandon(gone, u64::MAX).is_empty()); // an earlier lane's late farewell
    assert_eq!(simulation.table.abandon(gone, 1).len(), 1);
    // A later runtime may have the same id: it starts a lane of its own.
    let mut context = Context::from_waker(Waker::noop());
    assert!(simulation.table.poll(ticket, gone, &mut context).1.is_some());
    let elsewhere = Builder::new_current_thread().build().unwrap();
    simulation.here = elsewhere.handle().id();
    assert!(simulation.poll(ticket).is_none());
    let now = simulation.start + Duration::from_secs(1);
    let turn = simulation.table.turn(simulation.here, now, CALLS_MAX, || Ok(()), &mut Vec::new());
    assert!(matches!(turn, Turn::Ask(asks, _) if asks.len() == 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever the fleet and the server's bucket: no request is refused, every end becomes known, and no entry is
    /// left unasked for longer than the stated bound.
    #[test]
    fn no_schedule_exceeds_the_budget_and_none_starves(
        durations in prop::collection::vec(0u64..120_000, 1..120),
        watched in any::<bool>(),
        latency in 0u64..800,
        burst in 10u32..60,
        tells in any::<bool>(),
    ) {
        let durations: Vec<_> = durations.into_iter().map(Duration::from_millis).collect();
        let latency = Duration::from_millis(latency);
        let simulation = Simulation::new();
        let server = Server::new(simulation.start, burst, tells);
        let report = simulation.run(&durations, watched, latency, server);
        check(&report, watched, latency)?;
    }
}
