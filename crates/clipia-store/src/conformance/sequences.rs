//! Random sequences of commands have the same results from the store and from one in memory that is as naive as can be.

mod outbox;
mod workers;

use super::reference::{Reference, Seen};
use super::{Fixture, account, fox, id_at, key, new_key, other_account};
use crate::living::LivingAttempts;
use crate::{Beat, DeliveryFilter, Key, Submission};
use clipia_api::Progress;
use clipia_api::types::{Output, SubmitRequest};
use clipia_queue::idempotency::Fingerprint;
use clipia_queue::lifecycle::Epoch;
use clipia_queue::limits::{CreditBudget, KeyLimits, Per};
use clipia_queue::logs::{LogLines, LogPosition};
use clipia_queue::position::Order;
use clipia_queue::{Credits, Failure, Moment, RequestId};
use outbox::{HOSTS, Senders};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

const SEEDS: u64 = 6;
const STEPS: usize = 160;

/// How many of the claims are compared after each step. All are at the end.
const LATEST_CLAIMS: usize = 3;

/// What one of the keys may spend.
const BUDGET: CreditBudget = CreditBudget { credits: Credits::new(150), per: Per::Day };

/// A key that may have four requests in flight.
fn live() -> Key {
    Key {
        id: "key_live".to_owned(),
        limits: KeyLimits { in_flight_max: Some(4), ..Default::default() },
        ..key()
    }
}

/// A key of another account, which may have eight, and spend 150 credits a day.
fn other() -> Key {
    Key {
        id: "key_other".to_owned(),
        account: other_account(),
        limits: KeyLimits { in_flight_max: Some(8), credits: Some(BUDGET), ..Default::default() },
        ..key()
    }
}

fn sandbox() -> Key {
    Key { id: "key_sandbox".to_owned(), sandbox: true, ..key() }
}

struct Both<'h> {
    fixture: &'h Fixture,
    reference: Reference,
    random: StdRng,
    /// Claims that a worker may report on, in force or not.
    claims: Vec<(RequestId, Epoch)>,
    senders: Senders,
    /// How many workers on other machines there were. The last one is in force.
    workers: u32,
}

/// As long a sequence as fits a test, and again from other beginnings.
pub async fn random_commands_have_the_results_of_a_naive_store(fixture: &Fixture) {
    let store = &fixture.store;
    assert!(store.create_key(new_key(live(), 21)).await.unwrap());
    assert!(store.create_key(new_key(sandbox(), 22)).await.unwrap());
    fixture.create_other_account(Credits::new(2_000)).await;
    assert!(store.create_key(new_key(other(), 23)).await.unwrap());
    let mut both = Both {
        fixture,
        reference: Reference::default(),
        random: StdRng::seed_from_u64(0),
        claims: Vec::new(),
        senders: Senders::default(),
        workers: 0,
    };
    both.another_worker().await;
    both.reference.grant(&account(), Credits::new(100));
    both.reference.grant(&other_account(), Credits::new(2_000));
    for seed in 0..SEEDS {
        both.random = StdRng::seed_from_u64(seed);
        for step in 0..STEPS {
            let what = both.step().await;
            both.agree(&format!("seed {seed}, step {step}: {what}")).await;
        }
        for known in both.reference.seen() {
            both.logs_agree(known.id, &format!("seed {seed}")).await;
        }
        both.attempts_agree(usize::MAX, &format!("seed {seed}")).await;
        fixture.is_consistent().await;
    }
}

impl Both<'_> {
    fn now(&self) -> Moment {
        self.fixture.store.now()
    }

    fn below(&mut self, end: usize) -> usize {
        self.random.random_range(0..end)
    }

    /// Gives one command to both, and checks that the results are alike.
    async fn step(&mut self) -> String {
        let (at, store) = (self.now(), Arc::clone(&self.fixture.store));
        match self.below(20) {
            0..4 => self.submit().await,
            4..6 => {
                let holder = self.holder();
                let claimed = store.claim_past("render", holder.clone(), 1, Vec::new()).await.unwrap();
                let claimed = claimed.claims.first().map(|claim| (claim.id, claim.epoch));
                assert_eq!(claimed, self.reference.claim(holder.session.as_ref(), at));
                self.claims.extend(claimed);
                format!("claim {claimed:?} by {holder:?}")
            }
            6..10 if !self.claims.is_empty() => self.work().await,
            10 => {
                let millis = [100, 4_000, 31_000, 3_600_000][self.below(4)];
                self.fixture.clock.advance(Duration::from_millis(millis));
                format!("{millis} ms go by")
            }
            11 => {
                let rescued = store.rescue(&LivingAttempts::default()).await.unwrap();
                assert_eq!((rescued.requeued, rescued.failed), self.reference.rescue(at));
                format!("{rescued:?}")
            }
            12..16 => self.deliver().await,
            16 => {
                let order = [Order::Turns, Order::Fifo][self.below(2)];
                store.set_order("render", order).await.unwrap();
                self.reference.set_order(order);
                format!("{order:?}")
            }
            17 => {
                let is_paused = self.below(3) == 0;
                let changed = match is_paused {
                    true => store.pause_queue("render").await.unwrap(),
                    false => store.resume_queue("render").await.unwrap(),
                };
                assert_eq!(changed, self.reference.pause(is_paused));
                format!("paused: {is_paused}")
            }
            18 => self.administer_worker().await,
            _ => {
                store.grant(&account(), Credits::new(24)).await.unwrap();
                self.reference.grant(&account(), Credits::new(24));
                "grant".to_owned()
            }
        }
    }

    async fn submit(&mut self) -> String {
        let (at, price) = (self.now(), [5, 12, 40][self.below(3)]);
        // The body of a submit decides its fingerprint, and its price.
        let fingerprint = Fingerprint::of(
            &price.to_string(),
            &SubmitRequest { input: Default::default(), webhook_url: None },
        );
        let name = [None, Some("a"), Some("b"), Some("c")][self.below(4)];
        // The other account has no deliveries: those of one account are enough.
        let key = [live, live, sandbox, other][self.below(4)]();
        let hosts = [None, Some(HOSTS[0]), Some(HOSTS[1])];
        let host = if key.account == account() { hosts[self.below(3)] } else { None };
        let is_sandbox = key.sandbox;
        let make = || Submission {
            key: Arc::new(key.clone()),
            idempotency: name.map(|name| (name.to_owned(), fingerprint)),
            cost: Credits::new(price),
            sample: is_sandbox.then(Output::default),
            webhook_url: host.map(str::to_owned),
            ..fox()
        };
        let mut submission = make();
        submission.id = id_at(at);
        let known = self.reference.submit(&submission, at).map_err(|refused| refused.to_string());
        let stored = self.fixture.store.submit(submission).await;
        let stored = stored.map(|made| (made.id, made.phase)).map_err(|refused| refused.to_string());
        assert_eq!(stored, known);
        format!("submit {name:?} for {price}: {known:?}")
    }

    /// A worker reports on one of its claims, or an operator cancels the request.
    async fn work(&mut self) -> String {
        let (at, store) = (self.now(), Arc::clone(&self.fixture.store));
        let (index, progress) =
            (self.below(self.claims.len()), Progress::new(self.random.random_range(0..100)));
        let (id, epoch) = self.claims[index];
        let logs = self.log_lines();
        let reference = &mut self.reference;
        let (what, stored, known) = match self.random.random_range(0..8) {
            0 => {
                let beat = Beat { id, epoch, progress, logs };
                let stored = store.beat_one(beat.clone()).await;
                ("beat", stored, reference.beat(beat, at))
            }
            6 => {
                let stored = store.log(id, epoch, logs.clone()).await;
                ("log", stored, reference.log(id, epoch, logs))
            }
            1 => ("hold", store.hold(id, epoch).await, reference.hold(id, epoch, at)),
            2 => ("release", store.release(id, epoch).await, reference.release(id, epoch, at)),
            3 => ("cancel", store.cancel(id).await, reference.cancel(id, at)),
            4 => {
                let failed = store.fail(id, epoch, Failure::generation("no fox")).await;
                ("fail", failed, reference.fail(id, epoch, at))
            }
            5 => {
                let lost = store.lose(id, epoch, Failure::generation("it crashed")).await;
                ("lose", lost, reference.lose(id, epoch, at))
            }
            _ => {
                let completed = store.complete(id, epoch, Output::default()).await;
                ("complete", completed, reference.complete(id, epoch, at))
            }
        };
        let (stored, known) =
            (stored.map_err(|refused| refused.to_string()), known.map_err(|refused| refused.to_string()));
        assert_eq!(stored, known, "{what} {id} {epoch:?}");
        self.logs_agree(id, what).await;
        format!("{what} {id}: {known:?}")
    }

    /// Log lines of which an earlier report may have had some, or before which some were dropped.
    fn log_lines(&mut self) -> LogLines {
        let (offset, count) = ([0, 1, 40, 700][self.below(4)], [0, 1, 30, 900][self.below(4)]);
        let width = [1, 80, 600][self.below(3)];
        let lines = (offset..offset + count).map(|number| format!("{number:0width$}")).collect();
        LogLines { offset: offset as u64, lines }
    }

    /// Both have the same log of a request.
    async fn logs_agree(&mut self, id: RequestId, when: &str) {
        let store = &self.fixture.store;
        let page = store.logs(id, None, LogPosition::default(), usize::MAX).await.unwrap().unwrap();
        let stored: Vec<_> =
            page.lines.into_iter().map(|entry| (entry.epoch, entry.number, entry.line)).collect();
        assert_eq!(stored, self.reference.logged(id), "{when} {id}");
        let account = self.reference.account_of(id).unwrap();
        let (shown, known) =
            (store.status(&account, id).await.unwrap().unwrap().logs, self.reference.shown(id));
        // Long lines are fewer in a status than in the log.
        let last = known.len() - shown.len();
        assert!(
            shown[..] == known[last..] && (last == 0 || shown.len() > 20),
            "{when} {id}: {}",
            shown.len()
        );
    }

    /// Both show the same to callers and to operators.
    async fn agree(&mut self, when: &str) {
        let store = Arc::clone(&self.fixture.store);
        self.outboxes_agree(when).await;
        self.attempts_agree(LATEST_CLAIMS, when).await;
        for account in [account(), other_account()] {
            let stored = store.account(&account).await.unwrap().unwrap();
            assert_eq!(stored.available, self.reference.available(&account), "{when}");
        }
        for key in store.keys(None, 9).await.unwrap().keys {
            assert_eq!(key.spent, self.reference.used(&key.id).spent, "{} {when}", key.id);
        }
        let deliveries = store.list_deliveries(DeliveryFilter::default(), None, 1_000).await.unwrap();
        let deliveries: HashMap<_, _> =
            deliveries.iter().map(|of| (of.request_id, (of.state, of.attempts))).collect();
        for known in self.reference.seen() {
            let request = store.request(&known.account, known.id).await.unwrap().unwrap();
            let seen = Seen {
                id: known.id,
                account: known.account.clone(),
                phase: request.phase,
                position: request.position,
                progress: request.progress.percent(),
                cost: request.cost,
                delivery: deliveries.get(&known.id).copied(),
            };
            assert_eq!(seen, known, "{when}");
        }
    }
}
