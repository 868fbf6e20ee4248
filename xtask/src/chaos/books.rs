//! The record of what the clients and the receiver have seen, and its comparison with what the server says in the end.

use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use uuid::Uuid;

/// The number of violations that are printed.
const TOLD_MAX: usize = 20;

/// Everything that the clients and the receiver have seen.
#[derive(Debug, Default)]
pub(super) struct Books(Mutex<Seen>);

#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) requests: BTreeMap<Uuid, Known>,
    pub(super) deliveries: BTreeMap<Uuid, Delivered>,
    pub(super) figures: Figures,
    pub(super) violations: Vec<String>,
}

/// A request that the server accepted.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// The cost in the response to the submit.
    pub(super) cost: u64,
    pub(super) sandbox: bool,
    pub(super) webhook: bool,
    /// Whether the generation cannot succeed.
    pub(super) doomed: bool,
    /// Whether a program makes it, which may be killed.
    pub(super) program: bool,
    /// Whether a cancel of the request succeeded.
    pub(super) canceled: bool,
    /// The terminal status that a client has read.
    pub(super) ended: Option<String>,
}

/// The deliveries of a request that have arrived.
#[derive(Clone, Debug)]
pub(super) struct Delivered {
    /// The id of the delivery.
    pub(super) id: String,
    /// `OK` or `ERROR`.
    pub(super) status: String,
    pub(super) times: u64,
}

/// Counts for the table.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Figures {
    /// Responses to the clients.
    pub(super) responses: u64,
    /// Submits whose response was lost, and that were repeated.
    pub(super) unanswered: u64,
    /// Submits that were repeated after their response.
    pub(super) repeated: u64,
    pub(super) cancels: u64,
}

impl Books {
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Seen) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Records a broken promise.
    pub(super) fn violation(&self, what: String) {
        self.with(|seen| seen.violation(what));
    }
}

impl Seen {
    pub(super) fn violation(&mut self, what: String) {
        if self.violations.len() < TOLD_MAX {
            eprintln!("violation: {what}");
        }
        self.violations.push(what);
    }

    /// Records an accepted submit. The response to a repeated submit must be the same as that to the first.
    pub(super) fn accepted(&mut self, id: Uuid, known: Known) {
        let cost = known.cost;
        let before = self.requests.entry(id).or_insert(known);
        if before.cost != cost {
            let what = format!("{id}: cost {} when it was submitted and {cost} when repeated", before.cost);
            self.violation(what);
        }
    }

    /// Records a status of a request that a client has read.
    pub(super) fn read(&mut self, id: Uuid, status: &str) {
        let terminal = matches!(status, "COMPLETED" | "FAILED" | "CANCELED");
        let Some(known) = self.requests.get_mut(&id) else {
            return;
        };
        match &known.ended {
            Some(ended) if ended != status => {
                let what = format!("{id}: ended as {ended}, and is {status} later");
                self.violation(what);
            }
            None if terminal => known.ended = Some(status.to_owned()),
            _ => {}
        }
    }

    /// Records a verified delivery.
    pub(super) fn delivered(&mut self, delivery: String, body: &Value) {
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let Ok(id) = text("request_id").parse::<Uuid>() else {
            return self.violation(format!("a delivery names no request: {body}"));
        };
        let status = text("status");
        let entry = self.deliveries.entry(id);
        let known =
            entry.or_insert_with(|| Delivered { id: delivery.clone(), status: status.clone(), times: 0 });
        known.times += 1;
        if known.id != delivery || known.status != status {
            let what = format!("{id}: delivered as {known:?}, then as {delivery} with {status}");
            self.violation(what);
        }
    }

    /// The requests whose terminal status no client has read, and whether each is of the sandbox.
    pub(super) fn open(&self) -> Vec<(Uuid, bool)> {
        let open = self.requests.iter().filter(|(_, known)| known.ended.is_none());
        open.map(|(id, known)| (*id, known.sandbox)).collect()
    }

    /// The number of deliveries that have not arrived yet.
    pub(super) fn undelivered(&self) -> usize {
        let due = self.requests.iter().filter(|(_, known)| known.webhook);
        due.filter(|(id, _)| !self.deliveries.contains_key(id)).count()
    }

    /// Compares the result of a request with what was recorded.
    pub(super) fn check_result(&mut self, id: Uuid, result: &Value) {
        let status = result["status"].as_str().unwrap_or_default().to_owned();
        self.read(id, &status);
        let Some(known) = self.requests.get(&id).cloned() else {
            return;
        };
        let owed = match status.as_str() {
            "COMPLETED" => known.cost,
            "FAILED" | "CANCELED" => 0,
            _ => return self.violation(format!("{id}: is {status} in the end")),
        };
        if result["cost"] != owed {
            self.violation(format!("{id}: {status} and charged {}, not {owed}", result["cost"]));
        }
        // A request whose server or program was killed too often fails for that reason.
        let why = result["error"]["message"].as_str().unwrap_or_default();
        let interrupted = why.contains("interrupted") || known.program && why.contains("the program crashed");
        if status == "FAILED" && !known.doomed && !interrupted {
            self.violation(format!("{id}: failed without a reason of its own: {}", result["error"]));
        }
        if known.canceled && status != "CANCELED" {
            self.violation(format!("{id}: its cancel succeeded, and it is {status}"));
        }
        if !known.webhook {
            return;
        }
        let expected = if status == "COMPLETED" { "OK" } else { "ERROR" };
        match self.deliveries.get(&id) {
            None => self.violation(format!("{id}: {status}, and no delivery has arrived")),
            Some(delivered) if delivered.status != expected => {
                let what = format!("{id}: {status}, and was delivered as {}", delivered.status);
                self.violation(what);
            }
            Some(_) => {}
        }
    }

    /// Compares the account with the sums of the recorded requests.
    pub(super) fn check_account(&mut self, granted: u64, account: &Value) {
        let live = self.requests.values().filter(|known| !known.sandbox);
        let completed = live.clone().filter(|known| known.ended.as_deref() == Some("COMPLETED"));
        let (submits, charged) = (live.count() as u64, completed.map(|known| known.cost).sum::<u64>());
        let owed = [
            ("balance.credits", &account["balance"]["credits"], granted - charged),
            ("usage_30d.credits_spent", &account["usage_30d"]["credits_spent"], charged),
            ("usage_30d.requests", &account["usage_30d"]["requests"], submits),
        ];
        let wrong: Vec<String> = owed
            .into_iter()
            .filter(|(_, found, owed)| **found != *owed)
            .map(|(name, found, owed)| format!("the account's `{name}` is {found}, not {owed}"))
            .collect();
        wrong.into_iter().for_each(|what| self.violation(what));
        let strangers: Vec<Uuid> =
            self.deliveries.keys().filter(|id| !self.requests.contains_key(id)).copied().collect();
        for id in strangers {
            self.violation(format!("{id}: delivered, and no submit of it was accepted"));
        }
    }

    /// The number of requests that ended with `status`.
    pub(super) fn ended(&self, status: &str) -> usize {
        self.requests.values().filter(|known| known.ended.as_deref() == Some(status)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn seen(ended: Option<&str>) -> (Uuid, Seen) {
        let (id, mut seen) = (Uuid::from_u128(7), Seen::default());
        let ended = ended.map(str::to_owned);
        seen.accepted(
            id,
            Known {
                cost: 2,
                sandbox: false,
                webhook: true,
                doomed: false,
                program: false,
                canceled: false,
                ended,
            },
        );
        (id, seen)
    }

    /// Every broken promise must be found: a clean run proves only as much as these checks find.
    #[test]
    fn every_broken_promise_is_recorded() {
        let delivered = |seen: &mut Seen, id: Uuid, delivery: &str, status: &str| {
            seen.delivered(delivery.to_owned(), &json!({ "request_id": id, "status": status }));
        };
        type Act = fn(&mut Seen, Uuid);
        let cases: [(&str, Act); 10] = [
            ("and no delivery", |seen, id| seen.check_result(id, &json!({ "status": "FAILED", "cost": 0 }))),
            ("charged 2, not 0", |seen, id| {
                seen.check_result(id, &json!({ "status": "CANCELED", "cost": 2 }))
            }),
            ("charged 0, not 2", |seen, id| {
                seen.check_result(id, &json!({ "status": "COMPLETED", "cost": 0 }))
            }),
            ("without a reason of its own", |seen, id| {
                let error = json!({ "message": "the files could not be stored" });
                seen.check_result(id, &json!({ "status": "FAILED", "cost": 0, "error": error }));
            }),
            ("is IN_QUEUE in the end", |seen, id| seen.check_result(id, &json!({ "status": "IN_QUEUE" }))),
            ("ended as FAILED, and is COMPLETED", |seen, id| {
                seen.read(id, "FAILED");
                seen.read(id, "COMPLETED");
            }),
            ("its cancel succeeded", |seen, id| {
                seen.requests.get_mut(&id).unwrap().canceled = true;
                seen.check_result(id, &json!({ "status": "COMPLETED", "cost": 2 }));
            }),
            ("cost 2 when it was submitted and 3", |seen, id| {
                let known = Known { cost: 3, ..seen.requests[&id].clone() };
                seen.accepted(id, known);
            }),
            ("`balance.credits` is 10, not 8", |seen, id| {
                seen.read(id, "COMPLETED");
                let usage = json!({ "credits_spent": 2, "requests": 1 });
                seen.check_account(10, &json!({ "balance": { "credits": 10 }, "usage_30d": usage }));
            }),
            ("no submit of it was accepted", |seen, _| {
                let body = json!({ "request_id": Uuid::from_u128(8), "status": "OK" });
                seen.delivered("d".to_owned(), &body);
                seen.check_account(10, &Value::Null);
            }),
        ];
        for (expected, act) in cases {
            let (id, mut seen) = seen(None);
            act(&mut seen, id);
            assert!(seen.violations.iter().any(|what| what.contains(expected)), "{expected}: {seen:?}");
        }
        for (second, status) in [("d2", "OK"), ("d1", "ERROR")] {
            let (id, mut seen) = seen(Some("COMPLETED"));
            delivered(&mut seen, id, "d1", "OK");
            delivered(&mut seen, id, second, status);
            assert_eq!(seen.violations.len(), 1, "{seen:?}");
        }
    }

    #[test]
    fn a_kept_promise_is_no_violation() {
        let (id, mut seen) = seen(None);
        let body = json!({ "request_id": id, "status": "OK" });
        seen.read(id, "IN_PROGRESS");
        assert_eq!((seen.open(), seen.undelivered()), (vec![(id, false)], 1));
        seen.delivered("d".to_owned(), &body);
        seen.delivered("d".to_owned(), &body);
        seen.check_result(id, &json!({ "status": "COMPLETED", "cost": 2 }));
        let usage = json!({ "credits_spent": 2, "requests": 1 });
        seen.check_account(10, &json!({ "balance": { "credits": 8 }, "usage_30d": usage }));
        assert!(seen.violations.is_empty(), "{seen:?}");
        assert_eq!((seen.open(), seen.undelivered(), seen.ended("COMPLETED")), (vec![], 0, 1));
    }
}
