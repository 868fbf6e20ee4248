//! Fleets in simulated time: table, policy and budget against a server that counts requests, compared with a
//! clairvoyant client.

mod processes;

use super::deliveries::Deliveries;
use super::next_poll::{self, GenerationState};
use super::runtime_queues::EntryId;
use super::waiter::{Goal, PollKind, WaitEnd, WaitEvent, Waiter};
use super::waiters::{PollResponse, Step, Waiters};
use crate::budget::{Budget, RateLimit};
use crate::error::{ApiError, Error};
use crate::request::Priority;
use crate::submit_gate::SubmitGate;
use crate::update::Update;
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

const POLLS_MAX: usize = 64;

/// The server's overhead for beginning and ending a generation.
const OVERHEAD: Duration = Duration::from_millis(20);

/// The server: a bucket of tokens, which refuses requests without a token.
#[derive(Clone, Debug)]
struct Server {
    burst: f64,
    tokens: f64,
    counted: Duration,
    /// Whether responses have `RateLimit-*` headers.
    sends_limits: bool,
}

impl Server {
    fn new(burst: u32, sends_limits: bool) -> Self {
        Self { burst: burst.into(), tokens: burst.into(), counted: Duration::ZERO, sends_limits }
    }

    /// When the bucket has a whole token.
    fn whole_at(&self) -> Duration {
        self.counted + Duration::from_secs_f64((1.0 - self.tokens).max(0.0) / PER_SECOND)
    }

    /// Whether a request is accepted, and the headers of the response.
    fn accept(&mut self, now: Duration) -> (bool, RateLimit) {
        self.tokens = (self.tokens + (now - self.counted).as_secs_f64() * PER_SECOND).min(self.burst);
        self.counted = now;
        let taken = self.tokens >= 1.0 - 1e-6;
        self.tokens -= f64::from(u8::from(taken));
        let limits = RateLimit {
            limit: Some((PER_SECOND * 60.0) as u64),
            remaining: Some(self.tokens.max(0.0) as u64),
            reset: Some(((self.burst - self.tokens) / PER_SECOND).ceil() as u64),
        };
        (taken, if self.sends_limits { limits } else { RateLimit::default() })
    }
}

/// Generations that are all submitted at once.
#[derive(Clone, Debug)]
struct Fleet {
    durations: Vec<Duration>,
    watched: bool,
    /// The delay of deliveries after the ends, if there are deliveries.
    deliveries: Option<Duration>,
    /// The time of a request and its response.
    latency: Duration,
    server: Server,
    /// Clients with the same key, each with its part of the fleet.
    clients: Vec<Lifetime>,
    /// The concurrency limit of the server.
    in_flight: usize,
}

/// When a client begins, and when its process dies, from the start of the simulation.
#[derive(Clone, Copy, Debug, Default)]
struct Lifetime {
    begins: Duration,
    dies: Option<Duration>,
}

/// The times of one generation, from the start of the simulation.
#[derive(Clone, Debug, Default)]
struct Fate {
    /// Whether its client died before it knew the end.
    orphaned: bool,
    begun: Duration,
    ended: Duration,
    polled: Vec<Duration>,
    /// When the client knew the end.
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
        let followed = self.fates.iter().filter(|fate| !fate.orphaned);
        followed.map(|fate| fate.known.expect("every end becomes known").as_secs_f64())
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

/// The response to a submit.
#[derive(Clone, Copy, PartialEq)]
enum Submit {
    Accepted,
    /// Refused for the rate limit.
    RateLimited,
    /// Refused for the concurrency limit.
    ConcurrencyLimited,
}

/// What arrives at a client.
enum Arrival {
    Response(EntryId, u64, Result<PollResponse, Error>, RateLimit),
    /// The response to a submit.
    Submitted(usize, u64, Submit, RateLimit),
    /// A submit is to be sent, for the first time or after it was refused for the rate limit.
    Submit(usize),
    Delivery(usize),
    /// The process of the client dies.
    Death,
}

/// One client of the fleet.
struct Caller {
    here: Id,
    start: Instant,
    table: Waiters<u64>,
    budget: Budget,
    /// Queued submits.
    queued: VecDeque<(EntryId, usize)>,
    in_flight: usize,
    /// The generation of each wait.
    entries: HashMap<EntryId, usize>,
    dead: bool,
}

impl Fleet {
    /// The client that submits a generation.
    fn client_of(&self, number: usize) -> usize {
        number % self.clients.len()
    }
}

impl Caller {
    fn new(start: Instant, seed: u64) -> Self {
        let runtime = Builder::new_current_thread().build().unwrap();
        Self {
            here: runtime.handle().id(),
            start,
            table: Waiters::default(),
            budget: Budget::new(start, seed),
            queued: VecDeque::new(),
            in_flight: 0,
            entries: HashMap::new(),
            dead: false,
        }
    }

    fn submit(&mut self, number: usize) {
        let entry_id = self.table.queue_call(Priority::Submit);
        let mut context = Context::from_waker(Waker::noop());
        assert!(self.table.poll_token(entry_id, self.here, self.start, &mut context).0.is_pending());
        self.queued.push_back((entry_id, number));
    }

    /// The submits that got a token, each with the number of the token.
    fn granted(&mut self) -> Vec<(usize, u64)> {
        let mut granted = Vec::new();
        let mut context = Context::from_waker(Waker::noop());
        while let Some(&(entry_id, number)) = self.queued.front() {
            let Poll::Ready(token) = self.table.poll_token(entry_id, self.here, self.start, &mut context).0
            else {
                break;
            };
            self.queued.pop_front();
            granted.push((number, token));
        }
        granted
    }

    fn enter(&mut self, id: RequestId, now: Duration, watched: bool, webhook: bool) -> EntryId {
        let goal = if watched { Goal::Updates } else { Goal::Result };
        let now = self.start + now;
        let state = GenerationState::new(now, Some(Duration::ZERO), watched);
        let state = state.submitted(&Status::InQueue, Some(0));
        let mut entry = Waiter::new(id, goal, watched, state, now);
        (entry.model, entry.webhook) = (Some(Arc::from("m")), webhook);
        let entry_id = self.table.enter(entry);
        assert!(self.poll(entry_id, now).is_none());
        entry_id
    }

    /// The end of a wait, if it has ended.
    fn poll(&mut self, entry_id: EntryId, now: Instant) -> Option<WaitEnd> {
        loop {
            let mut context = Context::from_waker(Waker::noop());
            match self.table.poll_wait(entry_id, self.here, now, &mut context).0 {
                Poll::Ready(WaitEvent::Ended(ending)) => return Some(ending),
                Poll::Ready(WaitEvent::Update(_)) => {}
                Poll::Pending => return None,
            }
        }
    }

    fn result(&self, id: RequestId, begun: Duration, ended: Duration) -> ResultResponse {
        let at = |time: Duration| Timestamp::UNIX_EPOCH.checked_add(time).unwrap();
        let mut result = ResultResponse::new(id, Status::Completed);
        (result.created_at, result.completed_at) = (Some(at(begun)), Some(at(ended)));
        result
    }

    fn poll_response(&self, kind: PollKind, id: RequestId, now: Duration, fate: &Fate) -> PollResponse {
        let ended = now >= fate.ended;
        let status = if ended { Status::Completed } else { Status::InProgress };
        match kind {
            PollKind::Result if ended => {
                PollResponse::Ended(Box::new(self.result(id, fate.begun, fate.ended)))
            }
            _ => PollResponse::Status(Update::from(StatusResponse::new(id, status))),
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

/// Runs a fleet until every end is known.
fn run(fleet: &Fleet) -> Report {
    let start = Instant::now();
    let mut server = fleet.server.clone();
    let mut callers: Vec<Caller> =
        (1..).zip(&fleet.clients).map(|(seed, _)| Caller::new(start, seed)).collect();
    let mut fates = vec![Fate::default(); fleet.durations.len()];
    let ids: Vec<RequestId> = fates.iter().map(|_| some_id()).collect();
    let numbers: HashMap<_, _> = ids.iter().cloned().zip(0..).collect();
    for caller in &mut callers {
        if fleet.deliveries.is_some() {
            caller.table.change_deliveries(start, Deliveries::receiver_added);
        }
    }
    let (mut arrivals, mut due) = (HashMap::new(), BinaryHeap::new());
    let (mut now, mut refused, mut requests, mut serial, mut missing) =
        (Duration::ZERO, 0, 0, 0u64, fates.len());
    let submits = (0..fates.len()).map(|number| {
        let client = fleet.client_of(number);
        (fleet.clients[client].begins, client, Arrival::Submit(number))
    });
    let deaths = fleet.clients.iter().enumerate();
    let deaths = deaths.filter_map(|(client, lifetime)| Some((lifetime.dies?, client, Arrival::Death)));
    for (at, client, arrival) in submits.chain(deaths) {
        serial += 1;
        due.push(Reverse((at, serial)));
        arrivals.insert(serial, (client, arrival));
    }
    while missing > 0 {
        while let Some(&Reverse((at, number))) = due.peek()
            && at <= now
        {
            due.pop();
            let (client, arrival): (usize, Arrival) = arrivals.remove(&number).unwrap();
            let caller: &mut Caller = &mut callers[client];
            let (instant, mut wakers) = (start + now, Vec::new());
            match arrival {
                _ if caller.dead => {}
                Arrival::Death => {
                    caller.dead = true;
                    for (number, fate) in fates.iter_mut().enumerate() {
                        if fleet.client_of(number) == client && fate.known.is_none() {
                            fate.orphaned = true;
                            missing -= 1;
                        }
                    }
                }
                Arrival::Response(entry_id, token, response, limits) => {
                    caller.in_flight -= 1;
                    caller.budget.answered(instant, token, limits);
                    match response {
                        Ok(_) => caller.budget.accepted(),
                        Err(_) => caller.budget.refused(instant, Some(Duration::from_secs(1))),
                    }
                    caller.table.poll_finished(entry_id, instant, response, &mut wakers);
                }
                Arrival::Submitted(number, token, submit, limits) => {
                    caller.budget.answered(instant, token, limits);
                    match submit {
                        Submit::Accepted => {
                            caller.budget.accepted();
                            caller.table.change_gate(SubmitGate::accepted);
                            let webhook = fleet.deliveries.is_some();
                            let entry_id = caller.enter(ids[number].clone(), now, fleet.watched, webhook);
                            caller.entries.insert(entry_id, number);
                        }
                        Submit::RateLimited => {
                            caller.budget.refused(instant, Some(Duration::from_secs(1)));
                            serial += 1;
                            due.push(Reverse((now + Duration::from_secs(1), serial)));
                            arrivals.insert(serial, (client, Arrival::Submit(number)));
                        }
                        Submit::ConcurrencyLimited => {
                            caller.table.change_gate(|gate| gate.refused(instant, None));
                            caller.submit(number);
                        }
                    }
                }
                Arrival::Submit(number) => caller.submit(number),
                Arrival::Delivery(number) => {
                    let fate = &fates[number];
                    let result = caller.result(ids[number].clone(), fate.begun, fate.ended);
                    caller.table.deliver(instant, &result, &mut wakers);
                }
            }
            let entries: Vec<_> =
                caller.entries.iter().map(|(entry_id, number)| (*entry_id, *number)).collect();
            if !wakers.is_empty() {
                for (entry_id, number) in entries {
                    if caller.poll(entry_id, instant).is_some() {
                        caller.entries.remove(&entry_id);
                        fates[number].known = Some(now);
                        missing -= 1;
                    }
                }
            }
        }
        let mut next_at = None::<Duration>;
        for (client, caller) in callers.iter_mut().enumerate().filter(|(_, caller)| !caller.dead) {
            let (budget, instant) = (&mut caller.budget, start + now);
            let polls_max = POLLS_MAX - caller.in_flight;
            let take = |fullness| budget.take(instant, fullness);
            let step = caller.table.step(caller.here, instant, polls_max, take, &mut Vec::new());
            let Step::Poll { polls, next, .. } = step else { continue };
            assert!(next.is_none_or(|next| next > instant), "it would spin");
            next_at = [next_at, next.map(|next| next - start)].into_iter().flatten().min();
            let mut arrives = |after, arrival| {
                serial += 1;
                due.push(Reverse((now + after, serial)));
                arrivals.insert(serial, (client, arrival));
            };
            for (number, token) in caller.granted() {
                requests += 1;
                let (taken, limits) = server.accept(now);
                refused += usize::from(!taken);
                let running = fates.iter().filter(|fate| fate.ended > now).count();
                let submit = match taken {
                    false => Submit::RateLimited,
                    true if running >= fleet.in_flight => Submit::ConcurrencyLimited,
                    true => Submit::Accepted,
                };
                if submit == Submit::Accepted {
                    let ended = now + fleet.latency + OVERHEAD + fleet.durations[number];
                    (fates[number].begun, fates[number].ended) = (now, ended);
                    if let Some(delay) = fleet.deliveries {
                        arrives(ended - now + delay, Arrival::Delivery(number));
                    }
                }
                arrives(fleet.latency, Arrival::Submitted(number, token, submit, limits));
            }
            for (entry_id, id, kind, token) in polls {
                let fate = &mut fates[numbers[&id]];
                fate.polled.push(now);
                (requests, caller.in_flight) = (requests + 1, caller.in_flight + 1);
                let (taken, limits) = server.accept(now);
                refused += usize::from(!taken);
                let response =
                    if taken { Ok(caller.poll_response(kind, id, now, fate)) } else { Err(refusal()) };
                arrives(fleet.latency, Arrival::Response(entry_id, token, response, limits));
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

/// The times at which a clairvoyant client knows the ends, if its bucket begins with `burst` tokens. It knows every end
/// beforehand, submits first, and polls each generation once. What clients that die have submitted is not polled.
fn clairvoyant(fleet: &Fleet) -> Vec<f64> {
    let lifetime = |number: usize| fleet.clients[fleet.client_of(number)];
    let mut submits: Vec<(Duration, usize)> =
        (0..fleet.durations.len()).map(|number| (lifetime(number).begins, number)).collect();
    submits.sort();
    let mut submits: VecDeque<_> = submits.into();
    let mut ends: BinaryHeap<Reverse<(Duration, usize)>> = BinaryHeap::new();
    let (mut now, mut known) = (Duration::ZERO, Vec::new());
    let mut server = Server { counted: Duration::ZERO, ..Server::new(fleet.server.burst as u32, true) };
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
    Fleet {
        durations: (0..n).map(|_| Duration::from_secs_f64(duration())).collect(),
        watched: false,
        deliveries: None,
        latency: Duration::from_millis(40),
        server: Server::new(BURST, true),
        clients: vec![Lifetime::default()],
        in_flight: usize::MAX,
    }
}

/// A fleet compared with the clairvoyant client: the ratios of the time until the last end was known, and of the mean
/// time.
fn beside(fleet: &Fleet) -> (Report, f64, f64) {
    let (report, best) = (run(fleet), clairvoyant(fleet));
    let drained = report.drained() / best.iter().copied().fold(0.0, f64::max);
    let mean = report.mean() * best.len() as f64 / best.iter().sum::<f64>();
    (report, drained, mean)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Measures the table in the documentation of `policy`.
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
    assert_eq!(table, include_str!("../achieved.md"), "put this into achieved.md");
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
        // The first deliveries count as lost after two minutes. From then on polls are as without webhooks.
        assert!(report.drained() <= 300.0, "{kind}: {}", report.drained());
        assert!(report.each() <= 4.0, "{kind}: {}", report.each());
    }
}

#[test]
fn a_fleet_larger_than_the_concurrency_limit_gets_through() {
    let fleet = Fleet { in_flight: 20, ..fleet(CONSTANT, 300, 1) };
    let report = run(&fleet);
    // Fifteen times twenty, one after the other, take 450 s. Each end costs a poll, and lets one submit pass.
    assert!(report.drained() <= 1.15 * 450.0, "{}", report.drained());
    assert!(report.each() <= 3.0, "{}", report.each());
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
    assert!(report.drained() <= 40.0, "{}", report.drained());
}

#[test]
fn a_key_without_a_limit_is_bounded_by_the_policy_alone() {
    let mut server = Server::new(u32::MAX, true);
    server.tokens = f64::from(u32::MAX);
    let report = run(&Fleet { server, ..fleet(CONSTANT, 200, 1) });
    assert!(report.each() <= 27.0, "{}", report.each());
    assert!(report.drained() <= 30.0 * 1.4, "{}", report.drained());
}

/// A wait in a table of its own.
fn alone(watched: bool, deadline: Option<Duration>) -> (Caller, EntryId, Instant) {
    let start = Instant::now();
    let mut caller = Caller::new(start, 1);
    let state = GenerationState::new(start, Some(Duration::ZERO), watched);
    let goal = if watched { Goal::Updates } else { Goal::Result };
    let mut entry = Waiter::new(some_id(), goal, watched, state, start);
    entry.deadline = deadline.map(|deadline| start + deadline);
    let entry_id = caller.table.enter(entry);
    assert!(caller.poll(entry_id, start).is_none());
    (caller, entry_id, start)
}

#[test]
fn a_deadline_passes_even_while_the_budget_is_closed() {
    let (mut caller, entry_id, start) = alone(false, Some(Duration::from_secs(5)));
    let closed = start + Duration::from_secs(60);
    let mut wakers = Vec::new();
    let mut step = |now| caller.table.step(caller.here, now, POLLS_MAX, |_| Err(closed), &mut wakers);
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
    let step = caller.table.step(here, now, 1, |_| Ok(0), &mut Vec::new());
    let Step::Poll { polls, .. } = step else { panic!("it has waits") };
    // One wait is being polled, the other is not. Both leave, and so does a queued call.
    assert_eq!(polls.len(), 1);
    caller.submit(0);
    for entry_id in [one, other] {
        assert!(caller.table.leave(entry_id).is_some());
    }
    assert!(caller.table.leave_queue(caller.queued[0].0).is_none());
    assert_eq!(caller.table.len(), 0);
    let (entry_id, id, kind, _) = polls[0].clone();
    let late = Ok(caller.poll_response(kind, id, Duration::ZERO, &Fate::default()));
    caller.table.poll_finished(entry_id, now, late, &mut Vec::new());
    let step = caller.table.step(here, now, POLLS_MAX, |_| Ok(0), &mut Vec::new());
    assert!(matches!(step, Step::Stop));
}

#[test]
fn waits_of_a_runtime_that_was_shut_down_move_to_another() {
    let (mut caller, entry_id, start) = alone(false, None);
    let gone = caller.here;
    assert!(caller.table.runtime_ended(gone, u64::MAX).is_empty()); // the task of an earlier runtime with this id
    assert_eq!(caller.table.runtime_ended(gone, 1).len(), 1);
    // A later runtime may have the same id: a task of its own is started there.
    let mut context = Context::from_waker(Waker::noop());
    assert!(caller.table.poll_wait(entry_id, gone, start, &mut context).1.is_some());
    let elsewhere = Builder::new_current_thread().build().unwrap();
    caller.here = elsewhere.handle().id();
    assert!(caller.poll(entry_id, start).is_none());
    let now = start + Duration::from_secs(1);
    let step = caller.table.step(caller.here, now, POLLS_MAX, |_| Ok(0), &mut Vec::new());
    assert!(matches!(step, Step::Poll { polls, .. } if polls.len() == 1));
}

#[test]
fn the_end_that_one_wait_learns_ends_every_wait_of_the_generation() {
    let (mut caller, watcher, start) = alone(true, None);
    let id = some_id();
    let waits = [(); 2].map(|()| caller.enter(id.clone(), Duration::ZERO, false, false));
    let result = caller.result(id.clone(), Duration::ZERO, Duration::from_secs(1));
    let response = PollResponse::Ended(Box::new(result));
    caller.table.poll_finished(waits[0], start + Duration::from_secs(2), Ok(response), &mut Vec::new());
    // The response to a poll that was in flight meanwhile is ignored.
    let late = PollResponse::Status(Update::from(StatusResponse::new(id, Status::InProgress)));
    caller.table.poll_finished(waits[1], start + Duration::from_secs(3), Ok(late), &mut Vec::new());
    for wait in waits {
        assert!(matches!(caller.poll(wait, start), Some(WaitEnd::Result(_))));
    }
    assert!(caller.poll(watcher, start).is_none(), "the wait of another generation");
}

/// Calls of the user first, then a sure poll, then a submit, then the other polls.
#[test]
fn tokens_go_in_the_order_of_the_policy() {
    let start = Instant::now();
    let mut caller = Caller::new(start, 1);
    let sure = caller.table.enter(Waiter::new(
        some_id(),
        Goal::Result,
        false,
        GenerationState::new(start, None, false),
        start,
    ));
    assert!(caller.poll(sure, start).is_none());
    let likely = caller.enter(some_id(), Duration::ZERO, false, false);
    caller.submit(0);
    let call = caller.table.queue_call(Priority::Call);
    let mut context = Context::from_waker(Waker::noop());
    assert!(caller.table.poll_token(call, caller.here, start, &mut context).0.is_pending());
    let (mut order, now, here) = (Vec::new(), start + Duration::from_secs(2), caller.here);
    for _ in 0..4 {
        let mut one = true;
        let take = |_| if std::mem::take(&mut one) { Ok(0) } else { Err(now + Duration::from_secs(1)) };
        let step = caller.table.step(here, now, POLLS_MAX, take, &mut Vec::new());
        let Step::Poll { polls, .. } = step else { panic!("it has waits") };
        order.extend(polls.iter().map(|(entry_id, ..)| if *entry_id == sure { "sure" } else { "likely" }));
        order.extend(caller.granted().iter().map(|_| "submit"));
        order.extend(caller.table.poll_token(call, here, now, &mut context).0.is_ready().then_some("call"));
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
