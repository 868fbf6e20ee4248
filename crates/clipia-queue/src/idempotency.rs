//! When a repeated submit is the same one (`contract.md`, "Idempotency").

use crate::{Moment, RequestId};
use clipia_api::types::SubmitRequest;
use sha2::{Digest, Sha256};
use std::io;
use std::time::Duration;

/// How long a record is kept.
pub const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest key that is taken, in bytes.
pub const KEY_BYTES_MAX: usize = 1_024;

/// Until when a record is kept that is made at `now`. No record expires later than this: one that says so was made by a clock
/// that was wrong.
pub fn expires_at(now: Moment) -> Moment {
    now + KEPT
}

/// Whether a record that expires at `expires_at` is still in force at `now`. One that is not may be forgotten.
pub fn is_kept(expires_at: Moment, now: Moment) -> bool {
    expires_at > now
}

/// A hash of the parameters of a submit, which distinguishes them from another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// The fingerprint of a submit of `body` to `model`. The order of the input's keys makes no difference.
    pub fn of(model: &str, body: &SubmitRequest) -> Self {
        let mut hashed = Hashed(Sha256::new());
        // A JSON map here is sorted by key, at every depth. What came from JSON can be written as JSON, and a hash takes it:
        // an input of some MiB is not in memory a second time.
        let _ = serde_json::to_writer(&mut hashed, &(model, body));
        Self(hashed.0.finalize().into())
    }
}

/// A hash of what is written to it.
struct Hashed(Sha256);

impl io::Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The record of an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// The parameters of its submit.
    pub fingerprint: Fingerprint,
    /// The request of its submit.
    pub request_id: RequestId,
}

/// The decision on a submit with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is the first: accept it, and record the key with it.
    First,
    /// It is a repetition: respond with this request, and charge nothing.
    Repeated(RequestId),
    /// The key was used for something else: refuse it.
    Reused,
}

/// Decides a submit with `fingerprint`, given what is recorded under its key and still kept.
pub fn decide(record: Option<Record>, fingerprint: Fingerprint) -> Decision {
    match record {
        None => Decision::First,
        Some(record) if record.fingerprint == fingerprint => Decision::Repeated(record.request_id),
        Some(_) => Decision::Reused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(model: &str, body: serde_json::Value) -> Fingerprint {
        Fingerprint::of(model, &serde_json::from_value(body).unwrap())
    }

    #[test]
    fn the_same_parameters_in_another_order_are_the_same() {
        let a = of("m", json!({"input": {"prompt": "fox", "seed": 1}}));
        let b = of("m", serde_json::from_str(r#"{"input": {"seed": 1, "prompt": "fox"}}"#).unwrap());
        assert_eq!(a, b);
        assert_ne!(a, of("m", json!({"input": {"prompt": "fox", "seed": 2}})));
        assert_ne!(a, of("n", json!({"input": {"prompt": "fox", "seed": 1}})));
        assert_ne!(
            a,
            of("m", json!({"input": {"prompt": "fox", "seed": 1}, "webhook_url": "https://a.example/"}))
        );
    }

    #[test]
    fn a_record_is_kept_for_a_day() {
        let made = Moment::from_micros(7);
        let expires = expires_at(made);
        assert_eq!(expires.since(made), KEPT);
        for (at, kept) in [(made, true), (expires - Duration::from_micros(1), true), (expires, false)] {
            assert_eq!(is_kept(expires, at), kept, "{at:?}");
        }
    }

    #[test]
    fn a_key_stands_for_one_submit() {
        let (fox, cat) =
            (of("m", json!({"input": {"prompt": "fox"}})), of("m", json!({"input": {"prompt": "cat"}})));
        let record = Record { fingerprint: fox, request_id: RequestId::generate() };
        assert_eq!(decide(None, fox), Decision::First);
        assert_eq!(decide(Some(record), fox), Decision::Repeated(record.request_id));
        assert_eq!(decide(Some(record), cat), Decision::Reused);
    }
}
