//! Fleets in simulated time: the table, the policy and the budget against a server that counts, beside a clairvoyant.

use super::entry::Entry;
use super::policy::{self, Known};
use super::table::{Ask, Table, Ticket, Told, Turn};
use super::{Class, Ending, Event, Goal, Update};
use crate::budget::{Budget, RateLimit};
use crate::client::Clipia;
use crate::error::{ApiError, Error};
use crate::outcome::Outcome;
use clipia_api::Status;
use clipia_api::types::{RequestId, ResultResponse, StatusResponse};
use jiff::Timestamp;
use proptest::prelude::*;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Id};

/// A default key: 120 requests a minute, 30 at once.
const PER_SECOND: f64 = 2.0;
const BURST: u32 = 30;

const CALLS_MAX: usize = 64;

/// What a server takes to begin and to end a generation.
const OVERHEAD: Duration = Duration::from_millis(20);

/// The far side: a bucket of tokens that refuses what is over it.
#[derive(Clone, Debug)]
struct Server {
    burst: f64,
    tokens: f64,
    counted: Duration,
    tells: bool,
}

impl Server {
    fn new(burst: u32, tells: bool) -> Self {
        Self { burst: burst.into(), tokens: burst.into(), counted: Duration::ZERO, tells }
    }

    /// Whether a request is taken, and what the headers say.
    fn ask(&mut self, now: Duration) -> (bool, RateLimit) {
        self.tokens = (self.tokens + (now - self.counted).as_secs_f64() * PER_SECOND).min(self.burst);
        self.counted = now;
        let taken = self.tokens >= 1.0 - 1e-9;
        self.tokens -= f64::from(u8::from(taken));
        let told = RateLimit {
            limit: Some((PER_SECOND * 60.0) as u64),
            remaining: Some(self.tokens.max(0.0) as u64),
            reset: Some(((self.burst - self.tokens) / PER_SECOND).ceil() as u64),
        };
        (taken, if self.tells { told } else { RateLimit::default() })
    }
}

/// Generations that are all wanted at once.
#[derive(Clone, Debug)]
struct Fleet {
    durations: Vec<Duration>,
    watched: bool,
    /// Deliveries tell of the ends, so long after them.
    deliveries: Option<Duration>,
    /// There and back.
    latency: Duration,
    server: Server,
    /// Clients with the same key, which share the fleet out.
    clients: usize,
    /// Generations that the server lets run at once.
    in_flight: usize,
}

/// What became of one generation, in times from the beginning.
#[derive(Clone, Debug, Default)]
struct Fate {
    begun: Duration,
    ended: Duration,
    asked: Vec<Duration>,
    known: Option<Duration>,
}

#[derive(Debug)]
struct Report {
    fates: Vec<Fate>,
    refused: usize,
    requests: usize,
}

impl Report {
    fn known(&self) -> impl Iterator<Item = f64> {
        self.fates.iter().map(|fate| fate.known.expect("every end becomes known").as_secs_f64())
    }

    fn drained(&self) -> f64 {
        self.known().fold(0.0, f64::max)
    }

    fn mean(&self) -> f64 {
        self.known().sum::<f64>() / self.fates.len() as f64
    }

    fn each(&self) -> f64 {
        self.requests as f64 / self.fates.len() as f64
    }
}

/// What became of a submit.
#[derive(Clone, Copy, PartialEq)]
enum Submit {
    Accepted,
    /// There were too many requests.
    Limited,
    /// There are too many generations in flight.
    Full,
}

/// What comes to a client.
enum Arrival {
    Answer(Ticket, u64, Result<Told, Error>, RateLimit),
    /// A submit was answered: taken or not.
    Submitted(usize, u64, Submit, RateLimit),
    /// A refused submit may be made again.
    Again(usize),
    Delivery(usize),
}

/// One client of the fleet.
struct Caller {
    clipia: Clipia,
    here: Id,
    start: Instant,
    table: Table<u64>,
    budget: Budget,
    /// Submits in line.
    line: VecDeque<(Ticket, usize)>,
    on_the_way: usize,
    /// The generation of each entry.
    entries: HashMap<Ticket, usize>,
}

impl Caller {
    fn new(start: Instant) -> Self {
        let runtime = Builder::new_current_thread().build().unwrap();
        Self {
            clipia: Clipia::builder().key("k").base_url("http://localhost").build().unwrap(),
            here: runtime.handle().id(),
            start,
            table: Table::default(),
            budget: Budget::new(start),
            line: VecDeque::new(),
            on_the_way: 0,
            entries: HashMap::new(),
        }
    }

    fn submit(&mut self, number: usize) {
        let ticket = self.table.queue(Class::Submit);
        let mut context = Context::from_waker(Waker::noop());
        assert!(self.table.poll_token(ticket, self.here, self.start, &mut context).0.is_pending());
        self.line.push_back((ticket, number));
    }

    /// The submits that have their token, and its number.
    fn granted(&mut self) -> Vec<(usize, u64)> {
        let mut granted = Vec::new();
        let mut context = Context::from_waker(Waker::noop());
        while let Some(&(ticket, number)) = self.line.front() {
            let Poll::Ready(token) = self.table.poll_token(ticket, self.here, self.start, &mut context).0
            else {
                break;
            };
            self.line.pop_front();
            granted.push((number, token));
        }
        granted
    }

    fn enter(&mut self, id: RequestId, now: Duration, watched: bool, webhook: bool) -> Ticket {
        let goal = if watched { Goal::Updates } else { Goal::Outcome };
        let now = self.start + now;
        let known = Known::new(now, Some(Duration::ZERO), watched).submitted(&Status::InQueue, Some(0));
        let mut entry = Entry::new(id, goal, watched, known, now);
        (entry.model, entry.webhook) = (Some(Arc::from("m")), webhook);
        let ticket = self.table.enter(entry);
        assert!(self.poll(ticket, now).is_none());
        ticket
    }

    /// The last of what an entry has to say, if it has ended.
    fn poll(&mut self, ticket: Ticket, now: Instant) -> Option<Ending> {
        loop {
            let mut context = Context::from_waker(Waker::noop());
            match self.table.poll(ticket, self.here, now, &mut context).0 {
                Poll::Ready(Event::Ended(ending)) => return Some(ending),
                Poll::Ready(Event::Update(_)) => {}
                Poll::Pending => return None,
            }
        }
    }

    fn outcome(&self, id: RequestId, begun: Duration, ended: Duration) -> Outcome {
        let at = |time: Duration| Timestamp::UNIX_EPOCH.checked_add(time).unwrap();
        let mut result = ResultResponse::new(id, Status::Completed);
        (result.created_at, result.completed_at) = (Some(at(begun)), Some(at(ended)));
        Outcome::of(&self.clipia, result).unwrap()
    }

    fn told(&self, ask: Ask, id: RequestId, now: Duration, fate: &Fate) -> Told {
        let ended = now >= fate.ended;
        let status = if ended { Status::Completed } else { Status::InProgress };
        match ask {
            Ask::Result if ended => {
                let outcome = self.outcome(id, fate.begun, fate.ended);
                Told::Ended(Update::from(outcome.response()), Box::new(outcome))
            }
            _ => Told::State(Update::from(StatusResponse::new(id, status))),
        }
    }
}

fn some_id() -> RequestId {
    uuid::Uuid::new_v4().to_string().into()
}

fn refusal() -> Error {
    Error::from_api(ApiError {
        retry_after: Some(Duration::from_secs(1)),
        ..ApiError::bare(429, "rate_limit_exceeded")
    })
}

/// Runs a fleet until the last end is known.
fn run(fleet: &Fleet) -> Report {
    let start = Instant::now();
    let mut server = fleet.server.clone();
    let mut callers: Vec<Caller> = (0..fleet.clients).map(|_| Caller::new(start)).collect();
    let mut fates = vec![Fate::default(); fleet.durations.len()];
    let ids: Vec<RequestId> = fates.iter().map(|_| some_id()).collect();
    let numbers: HashMap<_, _> = ids.iter().cloned().zip(0..).collect();
    for caller in &mut callers {
        if fleet.deliveries.is_some() {
            caller.table.receivers(start, true);
        }
    }
    for number in 0..fates.len() {
        callers[number % fleet.clients].submit(number);
    }
    let (mut arrivals, mut due) = (HashMap::new(), BinaryHeap::new());
    let (mut now, mut refused, mut requests, mut serial, mut missing) =
        (Duration::ZERO, 0, 0, 0u64, fates.len());
    while missing > 0 {
        while let Some(&Reverse((at, number))) = due.peek()
            && at <= now
        {
            due.pop();
            let (client, arrival): (usize, Arrival) = arrivals.remove(&number).unwrap();
            let caller: &mut Caller = &mut callers[client];
            let (instant, mut wakers) = (start + now, Vec::new());
            match arrival {
                Arrival::Answer(ticket, token, told, limits) => {
                    caller.on_the_way -= 1;
                    caller.budget.answered(instant, token, limits);
                    match told {
                        Ok(_) => caller.budget.accepted(),
                        Err(_) => caller.budget.refused(instant, Some(Duration::from_secs(1))),
                    }
                    caller.table.told(ticket, instant, told, &mut wakers);
                }
                Arrival::Submitted(number, token, submit, limits) => {
                    caller.budget.answered(instant, token, limits);
                    match submit {
                        Submit::Accepted => {
                            caller.budget.accepted();
                            caller.table.submitted(instant, None);
                            let webhook = fleet.deliveries.is_some();
                            let ticket = caller.enter(ids[number].clone(), now, fleet.watched, webhook);
                            caller.entries.insert(ticket, number);
                        }
                        Submit::Limited => {
                            caller.budget.refused(instant, Some(Duration::from_secs(1)));
                            serial += 1;
                            due.push(Reverse((now + Duration::from_secs(1), serial)));
                            arrivals.insert(serial, (client, Arrival::Again(number)));
                        }
                        Submit::Full => {
                            caller.table.submitted(instant, Some(None));
                            caller.submit(number);
                        }
                    }
                }
                Arrival::Again(number) => caller.submit(number),
                Arrival::Delivery(number) => {
                    let fate = &fates[number];
                    let outcome = caller.outcome(ids[number].clone(), fate.begun, fate.ended);
                    caller.table.deliver(instant, &outcome, &mut wakers);
                }
            }
            let entries: Vec<_> = caller.entries.iter().map(|(ticket, number)| (*ticket, *number)).collect();
            if !wakers.is_empty() {
                for (ticket, number) in entries {
                    if caller.poll(ticket, instant).is_some() {
                        caller.entries.remove(&ticket);
                        fates[number].known = Some(now);
                        missing -= 1;
                    }
                }
            }
        }
        let mut next_at = None::<Duration>;
        for (client, caller) in callers.iter_mut().enumerate() {
            let (budget, instant) = (&mut caller.budget, start + now);
            let room = CALLS_MAX - caller.on_the_way;
            let take = |fullness| budget.take(instant, fullness);
            let turn = caller.table.turn(caller.here, instant, room, take, &mut Vec::new());
            let Turn::Ask { asks, next, .. } = turn else { continue };
            assert!(next.is_none_or(|next| next > instant), "it would spin");
            next_at = [next_at, next.map(|next| next - start)].into_iter().flatten().min();
            let mut answer = |after, arrival| {
                serial += 1;
                due.push(Reverse((now + after, serial)));
                arrivals.insert(serial, (client, arrival));
            };
            for (number, token) in caller.granted() {
                requests += 1;
                let (taken, limits) = server.ask(now);
                refused += usize::from(!taken);
                let running = fates.iter().filter(|fate| fate.ended > now).count();
                let submit = match taken {
                    false => Submit::Limited,
                    true if running >= fleet.in_flight => Submit::Full,
                    true => Submit::Accepted,
                };
                if submit == Submit::Accepted {
                    let ended = now + fleet.latency + OVERHEAD + fleet.durations[number];
                    (fates[number].begun, fates[number].ended) = (now, ended);
                    if let Some(delay) = fleet.deliveries {
                        answer(ended - now + delay, Arrival::Delivery(number));
                    }
                }
                answer(fleet.latency, Arrival::Submitted(number, token, submit, limits));
            }
            for (ticket, id, ask, token) in asks {
                let fate = &mut fates[numbers[&id]];
                fate.asked.push(now);
                (requests, caller.on_the_way) = (requests + 1, caller.on_the_way + 1);
                let (taken, limits) = server.ask(now);
                refused += usize::from(!taken);
                let told = if taken { Ok(caller.told(ask, id, now, fate)) } else { Err(refusal()) };
                answer(fleet.latency, Arrival::Answer(ticket, token, told, limits));
            }
        }
        let first = due.peek().map(|Reverse((at, _))| *at);
        match [next_at, first].into_iter().flatten().min() {
            Some(soonest) => now = soonest.max(now),
            None => assert_eq!(missing, 0, "nothing would ever happen again"),
        }
    }
    Report { fates, refused, requests }
}

/// What one who knows every end achieves: it submits first, and asks each once. The times to known.
fn clairvoyant(fleet: &Fleet) -> Vec<f64> {
    let n = fleet.durations.len();
    let token = |number: usize| ((number + 1) as f64 - fleet.server.burst).max(0.0) / PER_SECOND;
    let mut ends: Vec<f64> = (0..n).map(|n| token(n) + fleet.durations[n].as_secs_f64()).collect();
    ends.sort_by(f64::total_cmp);
    if fleet.deliveries.is_some() {
        return ends;
    }
    let (mut tokens, mut now) = (fleet.server.burst, 0.0f64);
    for _ in 0..n {
        let wait = ((1.0 - tokens) / PER_SECOND).max(0.0);
        (now, tokens) = (now + wait, (tokens + wait * PER_SECOND - 1.0).max(0.0));
    }
    let mut known = Vec::new();
    for end in ends {
        let idle = (end - now).max(0.0);
        (now, tokens) = (now + idle, (tokens + idle * PER_SECOND).min(fleet.server.burst));
        let wait = ((1.0 - tokens) / PER_SECOND).max(0.0);
        (now, tokens) = (now + wait, (tokens + wait * PER_SECOND - 1.0).max(0.0));
        known.push(now);
    }
    known
}

/// Random numbers, the same each time.
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

    /// Of a normal distribution (Box and Muller).
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
    Fleet {
        durations: (0..n).map(|_| Duration::from_secs_f64(duration())).collect(),
        watched: false,
        deliveries: None,
        latency: Duration::from_millis(40),
        server: Server::new(BURST, true),
        clients: 1,
        in_flight: usize::MAX,
    }
}

/// How a fleet did beside the clairvoyant: the ratios of the times until the last and, on average, until each was known.
fn beside(fleet: &Fleet) -> (Report, f64, f64) {
    let (report, best) = (run(fleet), clairvoyant(fleet));
    let drained = report.drained() / best.iter().copied().fold(0.0, f64::max);
    let mean = report.mean() * best.len() as f64 / best.iter().sum::<f64>();
    (report, drained, mean)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The table in `policy`'s documentation is what this measures.
#[test]
fn fleets_drain_nearly_as_fast_as_the_budget_allows() {
    let mut table = String::from(
        "| generations | durations | drained, of the clairvoyant's | worst | mean time to known, of the clairvoyant's | requests each |\n\
         |---|---|---|---|---|---|\n",
    );
    for (n, seeds, worst_allowed, mean_allowed) in
        [(5, 10, 1.10, 1.05), (20, 10, 1.10, 1.10), (100, 10, 1.15, 1.05), (500, 2, 1.05, 1.05)]
    {
        for kind in [CONSTANT, LOGNORMAL, BIMODAL] {
            let (mut drained, mut known, mut each) = (Vec::new(), Vec::new(), Vec::new());
            for seed in 0..if kind == CONSTANT { 1 } else { seeds } {
                let (report, drain, mean) = beside(&fleet(kind, n, seed * 7_919 + 1));
                assert_eq!(report.refused, 0, "{n} {kind}, seed {seed}");
                drained.push(drain);
                known.push(mean);
                each.push(report.each());
            }
            let worst = drained.iter().copied().fold(0.0, f64::max);
            let (drained, known, each) = (mean(&drained), mean(&known), mean(&each));
            assert!(worst <= worst_allowed && drained <= mean_allowed, "{n} {kind}: {drained} {worst}");
            table += &format!("| {n} | {kind} | {drained:.2} | {worst:.2} | {known:.2} | {each:.1} |\n");
        }
    }
    println!("{table}");
    assert_eq!(table, include_str!("achieved.md"), "put this into achieved.md");
}

#[test]
fn with_deliveries_a_generation_costs_its_submit() {
    for kind in [CONSTANT, LOGNORMAL, BIMODAL] {
        for n in [5, 20, 100, 500] {
            let fleet = Fleet { deliveries: Some(Duration::from_millis(50)), ..fleet(kind, n, n as u64) };
            let (report, drained, mean) = beside(&fleet);
            assert!(report.each() <= 1.05, "{n} {kind}: {}", report.each());
            assert!(drained < 1.05 && mean < 1.05, "{n} {kind}: {drained} {mean}");
        }
    }
}

#[test]
fn deliveries_that_never_come_only_delay() {
    for kind in [CONSTANT, LOGNORMAL] {
        let fleet = Fleet { deliveries: Some(Duration::from_secs(1_000_000)), ..fleet(kind, 50, 1) };
        let report = run(&fleet);
        // The first are missed after two minutes; from then on it is asked as if there were no webhooks.
        assert!(report.drained() <= 300.0, "{kind}: {}", report.drained());
        assert!(report.each() <= 4.0, "{kind}: {}", report.each());
    }
}

#[test]
fn clients_of_one_key_share_it() {
    for (clients, refused_max) in [(2, 0.15), (3, 0.2), (8, 0.5)] {
        let fleet = Fleet { clients, ..fleet(LOGNORMAL, 200, 3) };
        let (report, drained, _) = beside(&fleet);
        let refused = report.refused as f64 / report.requests as f64;
        // They know nothing of each other. A refusal costs no token, so that together they are hardly slower than one.
        assert!(refused <= refused_max, "{clients} clients: {refused}");
        assert!(drained <= 1.5, "{clients} clients: {drained}");
    }
}

#[test]
fn a_fleet_larger_than_what_may_be_in_flight_gets_through() {
    let fleet = Fleet { in_flight: 20, ..fleet(CONSTANT, 300, 1) };
    let report = run(&fleet);
    // Fifteen times twenty, one after the other, take 450 s; each end costs its ask and lets one submit go.
    assert!(report.drained() <= 1.15 * 450.0, "{}", report.drained());
    assert!(report.each() <= 3.0, "{}", report.each());
    assert_eq!(report.refused, 0);
}

#[test]
fn a_server_that_tells_nothing_has_its_limit_found_out() {
    for burst in [10, 30, 120] {
        let fleet = Fleet { server: Server::new(burst, false), ..fleet(LOGNORMAL, 200, 5) };
        let (report, drained, _) = beside(&fleet);
        let refused = report.refused as f64 / report.requests as f64;
        assert!(refused <= 0.05, "burst {burst}: {refused}");
        assert!(drained <= 1.1, "burst {burst}: {drained}");
    }
}

#[test]
fn a_server_that_tells_nothing_and_has_no_limit_is_not_waited_for() {
    let report = run(&Fleet { server: Server::new(u32::MAX, false), ..fleet(CONSTANT, 100, 1) });
    let last = report.fates.iter().map(|fate| fate.begun).max().unwrap();
    assert!(last <= Duration::from_secs(4), "{last:?}");
    assert!(report.drained() <= 40.0, "{}", report.drained());
}

#[test]
fn one_alone_is_not_asked_for_in_vain_too_often() {
    let (report, drained, _) = beside(&fleet(CONSTANT, 1, 1));
    assert!(report.fates[0].asked.len() <= 20, "{:?}", report.fates[0].asked);
    assert!(drained <= 1.4, "{drained}");
}

#[test]
fn a_key_without_a_limit_is_bounded_by_the_policy_alone() {
    let mut server = Server::new(u32::MAX, true);
    server.tokens = f64::from(u32::MAX);
    let report = run(&Fleet { server, ..fleet(CONSTANT, 200, 1) });
    assert!(report.each() <= 27.0, "{}", report.each());
    assert!(report.drained() <= 30.0 * 1.4, "{}", report.drained());
}

/// An entry in a table of its own.
fn alone(watched: bool, deadline: Option<Duration>) -> (Caller, Ticket, Instant) {
    let start = Instant::now();
    let mut caller = Caller::new(start);
    let known = Known::new(start, Some(Duration::ZERO), watched);
    let goal = if watched { Goal::Updates } else { Goal::Outcome };
    let mut entry = Entry::new(some_id(), goal, watched, known, start);
    entry.deadline = deadline.map(|deadline| start + deadline);
    let ticket = caller.table.enter(entry);
    assert!(caller.poll(ticket, start).is_none());
    (caller, ticket, start)
}

#[test]
fn a_deadline_passes_even_where_nothing_can_be_asked() {
    let (mut caller, ticket, start) = alone(false, Some(Duration::from_secs(5)));
    let closed = start + Duration::from_secs(60);
    let mut wakers = Vec::new();
    let mut turn = |now| caller.table.turn(caller.here, now, CALLS_MAX, |_| Err(closed), &mut wakers);
    let Turn::Ask { asks, next, starved } = turn(start + Duration::from_secs(1)) else {
        panic!("it has an entry")
    };
    assert!(asks.is_empty() && starved);
    assert!(next.is_some_and(|next| next <= start + Duration::from_secs(5)));
    assert!(matches!(turn(start + Duration::from_secs(5)), Turn::Stop));
    assert_eq!(wakers.len(), 1);
    let Some(Ending::Error(error)) = caller.poll(ticket, start) else { panic!("it has ended") };
    assert!(matches!(*error, Error::Deadline { waited, .. } if waited == Duration::from_secs(5)));
}

#[test]
fn one_who_leaves_leaves_nothing_behind() {
    let (mut caller, one, start) = alone(true, Some(Duration::from_secs(9)));
    let now = start + Duration::from_secs(1);
    let (here, id) = (caller.here, some_id());
    let other = caller.enter(id, Duration::ZERO, false, false);
    let turn = caller.table.turn(here, now, 1, |_| Ok(0), &mut Vec::new());
    let Turn::Ask { asks, .. } = turn else { panic!("it has entries") };
    // One is being asked for, the other waits; both leave, and so does a call in line.
    assert_eq!(asks.len(), 1);
    caller.submit(0);
    for ticket in [one, other] {
        assert!(caller.table.leave(ticket).is_some());
    }
    assert!(caller.table.give_up(caller.line[0].0).is_none());
    assert_eq!(caller.table.len(), 0);
    let (ticket, id, ask, _) = asks[0].clone();
    let late = Ok(caller.told(ask, id, Duration::ZERO, &Fate::default()));
    caller.table.told(ticket, now, late, &mut Vec::new());
    let turn = caller.table.turn(here, now, CALLS_MAX, |_| Ok(0), &mut Vec::new());
    assert!(matches!(turn, Turn::Stop));
}

#[test]
fn entries_of_a_runtime_that_is_gone_find_another() {
    let (mut caller, ticket, start) = alone(false, None);
    let gone = caller.here;
    assert!(caller.table.abandon(gone, u64::MAX).is_empty()); // an earlier lane's late farewell
    assert_eq!(caller.table.abandon(gone, 1).len(), 1);
    // A later runtime may have the same id: it starts a lane of its own.
    let mut context = Context::from_waker(Waker::noop());
    assert!(caller.table.poll(ticket, gone, start, &mut context).1.is_some());
    let elsewhere = Builder::new_current_thread().build().unwrap();
    caller.here = elsewhere.handle().id();
    assert!(caller.poll(ticket, start).is_none());
    let now = start + Duration::from_secs(1);
    let turn = caller.table.turn(caller.here, now, CALLS_MAX, |_| Ok(0), &mut Vec::new());
    assert!(matches!(turn, Turn::Ask { asks, .. } if asks.len() == 1));
}

#[test]
fn what_one_wait_learns_all_of_its_generation_know() {
    let (mut caller, watcher, start) = alone(true, None);
    let id = some_id();
    let waits = [(); 2].map(|()| caller.enter(id.clone(), Duration::ZERO, false, false));
    let outcome = caller.outcome(id.clone(), Duration::ZERO, Duration::from_secs(1));
    let told = Told::Ended(Update::from(outcome.response()), Box::new(outcome));
    caller.table.told(waits[0], start + Duration::from_secs(2), Ok(told), &mut Vec::new());
    // An answer that was on the way meanwhile has nothing to add.
    let late = Told::State(Update::from(StatusResponse::new(id, Status::InProgress)));
    caller.table.told(waits[1], start + Duration::from_secs(3), Ok(late), &mut Vec::new());
    for wait in waits {
        assert!(matches!(caller.poll(wait, start), Some(Ending::Outcome(_))));
    }
    assert!(caller.poll(watcher, start).is_none(), "another generation's");
}

/// Explicit calls first, then who is sure, then submits, then the rest.
#[test]
fn tokens_go_in_the_order_of_the_policy() {
    let start = Instant::now();
    let mut caller = Caller::new(start);
    let sure = caller.table.enter(Entry::new(
        some_id(),
        Goal::Outcome,
        false,
        Known::new(start, None, false),
        start,
    ));
    assert!(caller.poll(sure, start).is_none());
    let likely = caller.enter(some_id(), Duration::ZERO, false, false);
    caller.submit(0);
    let call = caller.table.queue(Class::Call);
    let mut context = Context::from_waker(Waker::noop());
    assert!(caller.table.poll_token(call, caller.here, start, &mut context).0.is_pending());
    let (mut order, now, here) = (Vec::new(), start + Duration::from_secs(1), caller.here);
    for _ in 0..4 {
        let mut one = true;
        let take = |_| if std::mem::take(&mut one) { Ok(0) } else { Err(now + Duration::from_secs(1)) };
        let turn = caller.table.turn(here, now, CALLS_MAX, take, &mut Vec::new());
        let Turn::Ask { asks, .. } = turn else { panic!("it has entries") };
        order.extend(asks.iter().map(|(ticket, ..)| if *ticket == sure { "sure" } else { "likely" }));
        order.extend(caller.granted().iter().map(|_| "submit"));
        order.extend(caller.table.poll_token(call, here, now, &mut context).0.is_ready().then_some("call"));
    }
    assert_eq!(order, ["call", "sure", "submit", "likely"], "{likely:?}");
}

/// The most that may lie between two asks of one of `n`, by `policy`'s bound; and the answer's way.
fn gap_max(n: usize, age: Duration, latency: Duration) -> Duration {
    let overdue = policy::OVERDUE_MIN.max(age);
    let tokens = f64::from(policy::ROUND) * n as f64 / PER_SECOND;
    overdue + Duration::from_secs_f64(tokens) + latency * 2 + Duration::from_secs(1)
}

/// What refusals add to that where the limit is not told: pauses of an entry, and of the whole bucket.
const PAUSES_MAX: Duration = Duration::from_secs(30);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever the fleet and the server's bucket: every end becomes known. And where the server tells its limit, no
    /// request is refused, no entry is left unasked for longer than the stated bound, and the sum of all times to known
    /// is within one and three quarters of the clairvoyant's, and two seconds each. Where it tells nothing, refusals
    /// find the limit out; each costs a pause.
    #[test]
    fn no_schedule_exceeds_the_budget_and_none_starves(
        durations in prop::collection::vec(0u64..120_000, 1..120),
        watched in any::<bool>(),
        latency in 0u64..800,
        burst in 10u32..60,
        tells in any::<bool>(),
    ) {
        let latency = Duration::from_millis(latency);
        let fleet = Fleet {
            durations: durations.into_iter().map(Duration::from_millis).collect(),
            watched,
            deliveries: None,
            latency,
            server: Server::new(burst, tells),
            clients: 1,
            in_flight: usize::MAX,
        };
        let (report, best) = (run(&fleet), clairvoyant(&fleet));
        prop_assert!(report.refused == 0 || !tells, "{} refused", report.refused);
        let n = report.fates.len();
        for fate in &report.fates {
            let known = fate.known.expect("every end becomes known");
            prop_assert!(known >= fate.ended);
            let mut before = fate.begun;
            for &asked in &fate.asked {
                let refusals = if tells { Duration::ZERO } else { PAUSES_MAX };
                let most = gap_max(n, before - fate.begun, latency) + refusals;
                prop_assert!(asked - before <= most, "{:?} without an ask, at most {most:?}", asked - before);
                before = asked;
            }
        }
        if !watched && tells {
            let (sum, least) = (report.known().sum::<f64>(), best.iter().sum::<f64>());
            let allowed = 1.75 * least + n as f64 * (2.0 + latency.as_secs_f64() * 2.0);
            prop_assert!(sum <= allowed, "{sum} s in all, {least} s at least");
        }
    }
}
