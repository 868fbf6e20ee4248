//! The journal: what callers called, and what they got.
//!
//! It keeps the latest calls. A key is in it by its hint, and a call is found by its key's hash: the key itself is not kept.

mod listing;
#[cfg(test)]
mod tests;

pub use listing::{Form, ListedCall};

use crate::{CallerKey, Operation};
use clipia_queue::{Moment, RequestId};
use clipia_server::store::KeyHash;
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::time::Duration;

/// How many calls are kept.
const CALLS_KEPT: usize = 10_000;

/// The longest text of an input that is kept whole, in bytes, and the longest input.
const TEXT_BYTES_MAX: usize = 2_000;
const INPUT_BYTES_MAX: usize = 16 * 1024;

/// The calls, with the latest at the end.
#[derive(Debug)]
pub struct Journal {
    kept: usize,
    /// How many calls were noted since the start or since it was cleared.
    noted: u64,
    calls: VecDeque<(u64, JournalCall)>,
}

/// A call, and what its caller got.
#[derive(Clone, Debug)]
pub struct JournalCall {
    /// When it came, by the emulator's clock.
    pub at: Moment,
    /// When it came, by the time that has passed since the emulator began.
    pub began: Duration,
    /// How long it took, in real time.
    pub took: Duration,
    /// The operation; none of a path that the API does not have.
    pub operation: Option<Operation>,
    /// The method.
    pub method: String,
    /// The route: the path with names in place of what it names.
    pub route: &'static str,
    /// The key that it carried.
    pub key: Option<JournalKey>,
    /// The model that it named.
    pub model: Option<String>,
    /// The request that it named or made.
    pub request: Option<RequestId>,
    /// Its `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// The input of a submit, without its long texts.
    pub input: Option<Map<String, Value>>,
    /// What its caller got; none where that was no response.
    pub response: Option<SeenResponse>,
    /// The fault that was applied to it.
    pub fault: Option<String>,
    /// The words of its request's script.
    pub script: Option<String>,
    /// Where its address has a secret.
    pub secret_in: Option<&'static str>,
}

/// The key of a call, as the journal keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct JournalKey {
    /// What it is found by.
    pub hash: KeyHash,
    /// Enough of it to recognise it by.
    pub hint: String,
}

/// The hash would find the key of a short name, so it is not shown.
impl std::fmt::Debug for JournalKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("JournalKey").field(&self.hint).finish()
    }
}

/// What a caller got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenResponse {
    /// The status of the response.
    pub status: u16,
    /// The code of an error.
    pub code: Option<String>,
    /// The status of the request in the response.
    pub request_status: Option<String>,
    /// Its `Retry-After`.
    pub retry_after: Option<Duration>,
    /// Its `RateLimit-Remaining`.
    pub remaining: Option<u64>,
}

/// Which calls of the journal are listed. The default is all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Those of an operation.
    pub operation: Option<Operation>,
    /// Those with a key.
    pub key: Option<CallerKey>,
    /// Those after the call of this number.
    pub since: u64,
}

impl Default for Journal {
    fn default() -> Self {
        Self::with_capacity(CALLS_KEPT)
    }
}

impl Journal {
    /// An empty journal that keeps the latest `kept` calls.
    pub fn with_capacity(kept: usize) -> Self {
        Self { kept, noted: 0, calls: VecDeque::new() }
    }

    /// Notes a call; returns its number, from 1. The oldest call is forgotten where there are too many.
    pub fn note(&mut self, mut call: JournalCall) -> u64 {
        call.input = call.input.map(shortened);
        self.noted += 1;
        self.calls.push_back((self.noted, call));
        if self.calls.len() > self.kept {
            self.calls.pop_front();
        }
        self.noted
    }

    /// Forgets all calls. The next one has the number 1 again.
    pub fn clear(&mut self) {
        *self = Self::with_capacity(self.kept);
    }

    /// The calls that a filter lets pass, in their order.
    pub fn calls(&self, filter: &Filter) -> impl Iterator<Item = (u64, &JournalCall)> {
        let key = filter.key.as_ref().map(CallerKey::hash);
        let (operation, since) = (filter.operation, filter.since);
        let calls = self.calls.iter().map(|(number, call)| (*number, call));
        calls.filter(move |(number, call)| {
            *number > since
                && operation.is_none_or(|operation| call.operation == Some(operation))
                && key.is_none_or(|key| call.key.as_ref().is_some_and(|of| of.hash == key))
        })
    }

    /// The calls that a filter lets pass, as a form lists them.
    pub fn list(&self, filter: &Filter, form: Form) -> Vec<ListedCall> {
        let mut listing = listing::Listing::new(form);
        // A steady name counts from the journal's first call, whatever is listed.
        let listed: Vec<(u64, ListedCall)> =
            self.calls.iter().map(|(number, call)| (*number, listing.listed(*number, call))).collect();
        let passing: Vec<u64> = self.calls(filter).map(|(number, _)| number).collect();
        let passes = |number: &u64| passing.binary_search(number).is_ok();
        listed.into_iter().filter(|(number, _)| passes(number)).map(|(_, call)| call).collect()
    }
}

/// An input without its long texts, such as files in `data:` URLs.
fn shortened(mut input: Map<String, Value>) -> Map<String, Value> {
    input.values_mut().for_each(shorten);
    let bytes = serde_json::to_vec(&input).map_or(0, |json| json.len());
    if bytes > INPUT_BYTES_MAX {
        let size = format!("{bytes} bytes of input, which are not kept");
        return Map::from_iter([("…".to_owned(), size.into())]);
    }
    input
}

fn shorten(value: &mut Value) {
    match value {
        Value::String(text) if text.len() > TEXT_BYTES_MAX => {
            let whole = text.len();
            text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX / 10));
            text.push_str(&format!("… ({whole} bytes)"));
        }
        Value::Array(values) => values.iter_mut().for_each(shorten),
        Value::Object(members) => members.values_mut().for_each(shorten),
        _ => {}
    }
}
