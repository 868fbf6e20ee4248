//! The calls of a journal as they are listed.

use super::JournalCall;
use clipia_queue::Moment;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// How calls are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// As they were.
    #[default]
    Whole,
    /// Without what differs between two runs of the same program: times, durations, request ids and idempotency keys. A request is
    /// `request-1` then, and an idempotency key `idempotency-key-1`, in the order in which they came.
    Steady,
}

/// A call as it is listed, with its members in this order.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ListedCall {
    /// The number of the call, from 1.
    pub number: u64,
    /// When it came, by the emulator's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The operation; none of a path that the API does not have.
    pub operation: Option<&'static str>,
    /// The method.
    pub method: String,
    /// The route.
    pub route: &'static str,
    /// Enough of the key to recognise it by.
    pub key: Option<String>,
    /// The model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The `Idempotency-Key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// The input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Map<String, Value>>,
    /// The words of the request's script.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// The fault that was applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// The status of the response; none where there was no response.
    pub response: Option<u16>,
    /// The code of an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The status of the request in the response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_status: Option<String>,
    /// How long the call took, in real milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ms: Option<u64>,
}

/// What lists the calls of a journal, from the first on.
pub(super) struct Listing {
    form: Form,
    requests: Names,
    idempotency_keys: Names,
}

/// Steady names in the order in which what they stand for came.
struct Names {
    start: &'static str,
    numbers: HashMap<String, usize>,
}

impl Names {
    fn new(start: &'static str) -> Self {
        Self { start, numbers: HashMap::new() }
    }

    fn of(&mut self, what: String) -> String {
        let next = self.numbers.len() + 1;
        format!("{}-{}", self.start, self.numbers.entry(what).or_insert(next))
    }
}

impl Listing {
    pub(super) fn new(form: Form) -> Self {
        Self { form, requests: Names::new("request"), idempotency_keys: Names::new("idempotency-key") }
    }

    pub(super) fn listed(&mut self, number: u64, call: &JournalCall) -> ListedCall {
        let is_whole = self.form == Form::Whole;
        let request_id = call.request.map(|id| id.to_string());
        let idempotency_key = call.idempotency_key.clone();
        let response = call.response.as_ref();
        ListedCall {
            number,
            at: is_whole.then(|| shown(call.at)),
            operation: call.operation.map(Into::into),
            method: call.method.clone(),
            route: call.route,
            key: call.key.as_ref().map(|key| key.hint.clone()),
            model: call.model.clone(),
            request_id: request_id.map(|id| if is_whole { id } else { self.requests.of(id) }),
            idempotency_key: idempotency_key
                .map(|key| if is_whole { key } else { self.idempotency_keys.of(key) }),
            input: call.input.clone(),
            script: call.script.clone(),
            fault: call.fault.clone(),
            response: response.map(|response| response.status),
            code: response.and_then(|response| response.code.clone()),
            request_status: response.and_then(|response| response.request_status.clone()),
            ms: is_whole.then(|| u64::try_from(call.took.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

/// A moment as text: `2026-11-29T12:00:00Z`.
fn shown(at: Moment) -> String {
    jiff::Timestamp::from_microsecond(at.as_micros()).map_or_else(|_| String::new(), |at| at.to_string())
}
