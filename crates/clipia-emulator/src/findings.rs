//! Findings: what the emulator saw callers and receivers do wrong.
//!
//! The observer decides by what is reported to it, and does no I/O. It finds nothing in a caller that does as responses say.

#[cfg(test)]
mod tests;

use crate::Operation;
use crate::journal::{JournalCall, SeenResponse};
use clipia_api::Status;
use clipia_api::error_code::ErrorCode;
use clipia_queue::RequestId;
use clipia_server::store::KeyHash;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// How many findings, requests and waits are kept.
const FINDINGS_MAX: usize = 1_000;
const REQUESTS_MAX: usize = 100_000;
const WAITS_MAX: usize = 10_000;

/// How long a receiver may take.
const RECEIVER_TIME_MAX: Duration = Duration::from_secs(10);

/// How much sooner than `Retry-After` a call may come: clocks differ.
const TOLERANCE: Duration = Duration::from_millis(20);

/// Something that a caller or a receiver does wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The kind.
    pub kind: FindingKind,
    /// What was seen: a sentence.
    pub what: String,
    /// The request that it is about.
    #[serde(rename = "request_id", skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// How often it was seen.
    pub times: u64,
    /// What to do: a sentence.
    pub hint: &'static str,
}

/// The kinds of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A submit without an `Idempotency-Key`.
    IdempotencyKeyMissing,
    /// A submit with the `Idempotency-Key` of another submit.
    IdempotencyKeyReused,
    /// A call that was repeated before its `Retry-After` had passed.
    RetryAfterIgnored,
    /// A call of a key that has no call left, as the response before said.
    BudgetIgnored,
    /// A completed request whose result nobody read.
    ResultNotFetched,
    /// A receiver that accepted a delivery with a wrong signature.
    ForgedAccepted,
    /// A receiver that accepted a delivery with an old signature.
    StaleAccepted,
    /// A receiver that took longer than a delivery waits.
    ReceiverSlow,
    /// A secret in an address.
    SecretInUrl,
}

impl FindingKind {
    /// What to do.
    fn hint(self) -> &'static str {
        match self {
            Self::IdempotencyKeyMissing => {
                "Send an `Idempotency-Key` with each submit, and the same one when the submit is repeated: else a lost response is \
                 paid for twice."
            }
            Self::IdempotencyKeyReused => {
                "Make a new `Idempotency-Key` for each new submit, such as a UUID; keep it only for repeats of the same submit."
            }
            Self::RetryAfterIgnored => {
                "Wait at least as long as `Retry-After` says before the call is repeated."
            }
            Self::BudgetIgnored => {
                "Read `RateLimit-Remaining` and `RateLimit-Reset` of each response, and poll less often: a webhook needs no poll."
            }
            Self::ResultNotFetched => {
                "Read the result of each completed request, with `GET /v1/requests/{request_id}` or a webhook: it was paid for."
            }
            Self::ForgedAccepted => {
                "Verify `X-Clipia-Signature` over the raw body before anything else, and respond with 401 if it is wrong."
            }
            Self::StaleAccepted => {
                "Compare the `t` of the signature with the clock, and refuse a delivery that is more than 300 seconds off."
            }
            Self::ReceiverSlow => {
                "Respond with 2xx at once, and do the work afterwards: after 10 seconds the delivery counts as failed and is repeated."
            }
            Self::SecretInUrl => {
                "Send the key in the header `Authorization: Bearer …`: addresses end up in logs, and in the history of a browser."
            }
        }
    }
}

/// An attempt of a delivery, as it is reported to the observer.
#[derive(Clone, Debug)]
pub struct ObservedDelivery {
    /// The request.
    pub request: RequestId,
    /// What the signature was.
    pub signature: ObservedSignature,
    /// The status of the receiver's response; none where there was no response.
    pub status: Option<u16>,
    /// How long the receiver took, in real time.
    pub took: Duration,
}

/// What the signature of a delivery was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObservedSignature {
    /// A good one.
    Good,
    /// One with another secret.
    Forged,
    /// One that was ten minutes old.
    Stale,
}

/// Watches calls and deliveries.
#[derive(Debug, Default)]
pub struct Observer {
    findings: BTreeMap<(FindingKind, String), Finding>,
    /// How long each call that had a `Retry-After` must wait.
    waits: HashMap<Target, Wait>,
    /// Since when each key has known that it has no call left.
    out_of_budget: HashMap<[u8; 32], Duration>,
    requests: BTreeMap<RequestId, Seen>,
}

/// What a repeated call has in common with the first one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Target {
    key: Option<[u8; 32]>,
    operation: Operation,
    /// The request that is read; the `Idempotency-Key` of a submit.
    subject: Option<String>,
}

/// A wait that a response asked for.
#[derive(Clone, Copy, Debug)]
struct Wait {
    since: Duration,
    until: Duration,
}

/// What was seen of a request.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    completed: bool,
    fetched: bool,
}

impl Observer {
    /// Watches a call that has ended.
    pub fn called(&mut self, call: &JournalCall) {
        if let Some(place) = call.secret_in {
            let what = format!("a call of {} has a secret in {place}", call.route);
            self.find(FindingKind::SecretInUrl, &what, None);
        }
        let Some(operation) = call.operation else { return };
        if operation == Operation::Submit {
            self.submitted(call);
        }
        self.check_wait(operation, call);
        let Some(response) = &call.response else { return };
        self.check_budget(call, response);
        if let Some(request) = call.request {
            self.request_seen(operation, request, response);
        }
    }

    /// Notes that a request has ended.
    pub fn ended(&mut self, request: RequestId, status: &Status) {
        if *status == Status::Completed {
            self.see(request).completed = true;
        }
    }

    /// Watches an attempt of a delivery.
    pub fn delivered(&mut self, delivery: &ObservedDelivery) {
        let ObservedDelivery { request, signature, status, took } = delivery;
        let accepted = status.filter(|status| (200..300).contains(status));
        match (signature, accepted) {
            (ObservedSignature::Forged, Some(status)) => {
                let what =
                    format!("a receiver responded with {status} to a delivery with a forged signature");
                self.find(FindingKind::ForgedAccepted, &what, Some(*request));
            }
            (ObservedSignature::Stale, Some(status)) => {
                let what = format!(
                    "a receiver responded with {status} to a delivery that was signed ten minutes before"
                );
                self.find(FindingKind::StaleAccepted, &what, Some(*request));
            }
            // It has the output.
            (ObservedSignature::Good, Some(_)) => self.see(*request).fetched = true,
            (_, None) => {}
        }
        if *took > RECEIVER_TIME_MAX {
            let what = format!("a receiver took {} s", took.as_secs());
            self.find(FindingKind::ReceiverSlow, &what, Some(*request));
        }
    }

    /// What was seen until now. A completed request whose result nobody has read yet is among it: ask when the caller is done.
    pub fn findings(&self) -> Vec<Finding> {
        let not_fetched = self.requests.iter().filter(|(_, seen)| seen.completed && !seen.fetched);
        let not_fetched = not_fetched.map(|(request, _)| Finding {
            kind: FindingKind::ResultNotFetched,
            what: "a request completed, and nobody read its result".to_owned(),
            request: Some(*request),
            times: 1,
            hint: FindingKind::ResultNotFetched.hint(),
        });
        self.findings.values().cloned().chain(not_fetched.take(FINDINGS_MAX)).collect()
    }

    fn find(&mut self, kind: FindingKind, what: &str, request: Option<RequestId>) {
        let subject = request.map_or_else(|| what.to_owned(), |request| request.to_string());
        if let Some(finding) = self.findings.get_mut(&(kind, subject.clone())) {
            finding.times += 1;
        } else if self.findings.len() < FINDINGS_MAX {
            let finding = Finding { kind, what: what.to_owned(), request, times: 1, hint: kind.hint() };
            self.findings.insert((kind, subject), finding);
        }
    }

    fn submitted(&mut self, call: &JournalCall) {
        let of = call.key.as_ref().map_or("no key", |key| &key.hint);
        if call.idempotency_key.is_none() {
            let what = format!("a submit of {of} has no `Idempotency-Key`");
            self.find(FindingKind::IdempotencyKeyMissing, &what, call.request);
        }
        let code = call.response.as_ref().and_then(|response| response.code.as_deref());
        if code == Some(ErrorCode::IdempotencyKeyReuse.code()) && !is_bent(call) {
            let what = format!("a submit of {of} has the `Idempotency-Key` of another submit");
            self.find(FindingKind::IdempotencyKeyReused, &what, call.request);
        }
    }

    /// Checks that a call waited as its last response said, and notes how long the next one must wait.
    fn check_wait(&mut self, operation: Operation, call: &JournalCall) {
        let subject = match operation {
            Operation::Submit => call.idempotency_key.clone(),
            Operation::Status | Operation::Result => call.request.map(|request| request.to_string()),
            _ => call.model.clone(),
        };
        // Two submits without an idempotency key need not be the same one.
        if operation == Operation::Submit && subject.is_none() {
            return;
        }
        let key = call.key.as_ref().map(|key| key.hash.0);
        let target = Target { key, operation, subject };
        if let Some(wait) = self.waits.get(&target)
            && call.began >= wait.since
        {
            let early = wait.until.saturating_sub(call.began + TOLERANCE);
            if !early.is_zero() {
                let operation: &str = operation.into();
                let what = format!("a call `{operation}` was repeated before its `Retry-After` had passed");
                self.find(FindingKind::RetryAfterIgnored, &what, call.request);
            }
            self.waits.remove(&target);
        }
        let since = call.began + call.took;
        let asked = call.response.as_ref().and_then(|response| response.retry_after);
        if let Some(asked) = asked.filter(|asked| !asked.is_zero()) {
            if self.waits.len() >= WAITS_MAX {
                self.waits.retain(|_, wait| wait.until > since);
            }
            if self.waits.len() < WAITS_MAX {
                self.waits.insert(target, Wait { since, until: since.saturating_add(asked) });
            }
        }
    }

    /// Checks that a key that knew of no call left did not call.
    fn check_budget(&mut self, call: &JournalCall, response: &SeenResponse) {
        let Some(key) = &call.key else { return };
        let KeyHash(hash) = key.hash;
        let is_refused =
            response.code.as_deref() == Some(ErrorCode::RateLimitExceeded.code()) && !is_bent(call);
        let knew = self.out_of_budget.get(&hash).is_some_and(|since| *since <= call.began);
        if is_refused && knew {
            let what = format!(
                "{} called although its rate limit was used up, as the response before said",
                key.hint
            );
            self.find(FindingKind::BudgetIgnored, &what, None);
        }
        match response.remaining {
            Some(0) => {
                if self.out_of_budget.len() >= WAITS_MAX {
                    self.out_of_budget.clear();
                }
                self.out_of_budget.entry(hash).or_insert(call.began + call.took);
            }
            Some(_) => drop(self.out_of_budget.remove(&hash)),
            None => {}
        }
    }

    /// Notes what a response says of a request.
    fn request_seen(&mut self, operation: Operation, request: RequestId, response: &SeenResponse) {
        if response.request_status.as_deref() != Some(Status::Completed.as_str()) {
            return;
        }
        let seen = self.see(request);
        seen.completed = true;
        seen.fetched |= operation == Operation::Result;
    }

    fn see(&mut self, request: RequestId) -> &mut Seen {
        if self.requests.len() >= REQUESTS_MAX && !self.requests.contains_key(&request) {
            self.requests.pop_first();
        }
        self.requests.entry(request).or_default()
    }
}

/// Whether the emulator made the response what it is.
fn is_bent(call: &JournalCall) -> bool {
    call.fault.is_some()
}
