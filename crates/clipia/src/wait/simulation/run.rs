//! Runs a fleet in simulated time.

use super::caller::Caller;
use super::fleet::Fleet;
use super::report::{Fate, Report};
use crate::budget::RateLimit;
use crate::error::{ApiError, Error};
use crate::submit_gate::SubmitGate;
use crate::wait::deliveries::Deliveries;
use crate::wait::runtime_queues::EntryId;
use crate::wait::waiters::{PollResponse, Step};
use clipia_api::types::RequestId;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// The polls of one client that may be in flight at once.
pub(super) const POLLS_MAX: usize = 64;

/// The server's overhead for beginning and ending a generation.
const OVERHEAD: Duration = Duration::from_millis(20);

/// The `Retry-After` of a 429.
const RETRY_AFTER: Duration = Duration::from_secs(1);

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

pub(super) fn some_id() -> RequestId {
    uuid::Uuid::new_v4().to_string().into()
}

fn refusal() -> Error {
    let envelope = serde_json::json!({ "error": { "code": "rate_limit_exceeded" } });
    let Ok(envelope) = serde_json::from_value(envelope) else { panic!("it is an envelope") };
    Error::from_api(ApiError {
        http_status: 429,
        envelope,
        retry_after: Some(RETRY_AFTER),
        request_id: None,
        key: String::new(),
        limit: None,
        attempts: 1,
        elapsed: Duration::ZERO,
    })
}

/// Runs a fleet until every end is known.
pub(super) fn run(fleet: &Fleet) -> Report {
    let start = Instant::now();
    let mut server = fleet.server.clone();
    let mut callers: Vec<Caller> =
        (1..).zip(&fleet.clients).map(|(seed, _)| Caller::new(start, seed, fleet.ignores_others)).collect();
    let mut fates = vec![Fate::default(); fleet.durations.len()];
    let ids: Vec<RequestId> = fates.iter().map(|_| some_id()).collect();
    let numbers: HashMap<_, _> = ids.iter().cloned().zip(0..).collect();
    for caller in &mut callers {
        if fleet.deliveries.is_some() {
            caller.waiters.change_deliveries(start, Deliveries::receiver_added);
        }
    }
    // By their times, and in the order in which they were sent.
    let mut due = BTreeMap::new();
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
        due.insert((at, serial), (client, arrival));
    }
    while missing > 0 {
        while let Some(first) = due.first_entry()
            && first.key().0 <= now
        {
            let (client, arrival): (usize, Arrival) = first.remove();
            let caller: &mut Caller = &mut callers[client];
            let (instant, mut wakers) = (start + now, Vec::new());
            match arrival {
                _ if caller.dead => {}
                Arrival::Death => {
                    caller.dead = true;
                    let left = fates
                        .iter()
                        .enumerate()
                        .filter(|(number, fate)| fleet.client_of(*number) == client && fate.known.is_none());
                    missing -= left.count();
                }
                Arrival::Response(entry_id, token, response, limits) => {
                    caller.in_flight -= 1;
                    caller.budget.answered(instant, token, limits);
                    match response {
                        Ok(_) => caller.budget.accepted(),
                        Err(_) => caller.budget.refused(instant, Some(RETRY_AFTER)),
                    }
                    caller.waiters.poll_finished(entry_id, instant, response, &mut wakers);
                }
                Arrival::Submitted(number, token, submit, limits) => {
                    caller.budget.answered(instant, token, limits);
                    match submit {
                        Submit::Accepted => {
                            caller.budget.accepted();
                            caller.waiters.change_gate(SubmitGate::accepted);
                            let webhook = fleet.deliveries.is_some();
                            let entry_id = caller.enter(ids[number].clone(), now, fleet.watched, webhook);
                            caller.entries.insert(entry_id, number);
                        }
                        Submit::RateLimited => {
                            caller.budget.refused(instant, Some(RETRY_AFTER));
                            serial += 1;
                            due.insert((now + RETRY_AFTER, serial), (client, Arrival::Submit(number)));
                        }
                        Submit::ConcurrencyLimited => {
                            caller.waiters.change_gate(|gate| gate.refused(instant, None));
                            caller.submit(number);
                        }
                    }
                }
                Arrival::Submit(number) => caller.submit(number),
                Arrival::Delivery(number) => {
                    let fate = &fates[number];
                    let result = caller.result(ids[number].clone(), fate.begun, fate.ended);
                    caller.waiters.deliver(instant, &result, &mut wakers);
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
            let step = caller.waiters.step(caller.here, instant, polls_max, take, &mut Vec::new());
            let Step::Poll { polls, next, .. } = step else { continue };
            assert!(next.is_none_or(|next| next > instant), "it would spin");
            next_at = [next_at, next.map(|next| next - start)].into_iter().flatten().min();
            let mut arrives = |after, arrival| {
                serial += 1;
                due.insert((now + after, serial), (client, arrival));
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
        let first = due.first_key_value().map(|((at, _), _)| *at);
        match [next_at, first].into_iter().flatten().min() {
            Some(soonest) => now = soonest.max(now),
            None => assert_eq!(missing, 0, "nothing would ever happen again"),
        }
    }
    Report { fates, requests, refused }
}
