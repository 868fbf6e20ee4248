use super::{ATTEMPT_MAX, Fixture, NODE, NOW, account, fox, key, new_key, other_account};
use crate::{AccountId, Key, StoreEvent, Submission};
use clipia_api::Progress;
use clipia_queue::lifecycle::{Epoch, Phase};
use clipia_queue::position::Order;
use clipia_queue::{Credits, RequestId};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub async fn what_was_claimed_before_goes_ahead_of_what_was_not(fixture: &Fixture) {
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(fixture.submit(fox()).await);
    }
    let first = fixture.claim().await;
    let second = fixture.claim().await;
    fixture.store.release(second.id, second.epoch).await.unwrap();
    fixture.store.release(first.id, first.epoch).await.unwrap();
    for (id, position) in ids.iter().zip(0..) {
        assert_eq!(fixture.request(*id).await.position, position);
    }
}

pub async fn positions_are_what_counting_says(fixture: &Fixture) {
    fixture.rich().await;
    for seed in 0..4 {
        Crowd::new(fixture, seed).run().await;
    }
}

/// A queue where anything happens, and what it should look like.
struct Crowd<'h> {
    fixture: &'h Fixture,
    seed: u64,
    queue: String,
    random: StdRng,
    /// The requests that wait, by whether they were never claimed and by the order of submits.
    waiting: BTreeMap<(bool, usize), RequestId>,
    running: Vec<(usize, RequestId, Epoch)>,
    submitted: usize,
}

impl<'h> Crowd<'h> {
    fn new(fixture: &'h Fixture, seed: u64) -> Self {
        let (queue, random) = (format!("queue-{seed}"), StdRng::seed_from_u64(seed));
        Self { fixture, seed, queue, random, waiting: BTreeMap::new(), running: Vec::new(), submitted: 0 }
    }

    async fn run(mut self) {
        for _ in 0..60 {
            match self.random.random_range(0..10) {
                0..4 => self.submit().await,
                4..7 => self.claim().await,
                7 => self.cancel().await,
                8 => self.release().await,
                _ => self.rescue().await,
            }
            for ((_, id), ahead) in self.waiting.iter().zip(0..) {
                let position = self.fixture.request(*id).await.position;
                assert_eq!(position, ahead, "seed {}", self.seed);
            }
        }
        // Nothing that runs is left to the next crowd.
        for (_, id, epoch) in &self.running {
            self.fixture.store.complete(*id, *epoch, Default::default()).await.unwrap();
        }
    }

    async fn submit(&mut self) {
        for _ in 0..self.random.random_range(1..5) {
            let submission = Submission { queue: self.queue.clone(), ..fox() };
            let submitted = self.fixture.store.submit(submission).await.unwrap();
            assert_eq!(submitted.position, self.waiting.len() as u64, "seed {}", self.seed);
            self.waiting.insert((true, self.submitted), submitted.id);
            self.submitted += 1;
        }
    }

    async fn claim(&mut self) {
        let claim = self.fixture.next(&self.queue).await;
        let next = self.waiting.pop_first();
        assert_eq!(claim.as_ref().map(|claim| claim.id), next.map(|(_, id)| id), "seed {}", self.seed);
        if let (Some(claim), Some(((_, n), id))) = (claim, next) {
            self.running.push((n, id, claim.epoch));
        }
    }

    async fn cancel(&mut self) {
        if self.random.random_bool(0.3) && !self.running.is_empty() {
            let (_, id, _) = self.running.swap_remove(self.random.random_range(0..self.running.len()));
            self.fixture.store.cancel(id).await.unwrap();
        } else if !self.waiting.is_empty() {
            let nth = self.random.random_range(0..self.waiting.len());
            let place = *self.waiting.keys().nth(nth).unwrap();
            self.fixture.store.cancel(self.waiting.remove(&place).unwrap()).await.unwrap();
        }
    }

    async fn release(&mut self) {
        if !self.running.is_empty() {
            let (n, id, epoch) = self.running.swap_remove(self.random.random_range(0..self.running.len()));
            self.fixture.store.release(id, epoch).await.unwrap();
            self.waiting.insert((false, n), id);
        }
    }

    async fn rescue(&mut self) {
        let rescued = self.fixture.lose().await;
        assert_eq!(rescued.requeued + rescued.failed, self.running.len() as u64, "seed {}", self.seed);
        for (n, id, _) in std::mem::take(&mut self.running) {
            // One that was lost too often has failed.
            if !self.fixture.request(id).await.phase.is_terminal() {
                self.waiting.insert((false, n), id);
            }
        }
    }
}

pub async fn queues_do_not_mix(fixture: &Fixture) {
    let clip = |queue: &str| Submission { queue: queue.to_owned(), ..fox() };
    assert_eq!(fixture.store.submit(clip("a")).await.unwrap().position, 0);
    assert_eq!(fixture.store.submit(clip("b")).await.unwrap().position, 0);
    assert_eq!(fixture.store.submit(clip("a")).await.unwrap().position, 1);
    assert!(fixture.next("c").await.is_none());
    fixture.next("b").await.unwrap();
    assert!(fixture.next("b").await.is_none());
}

/// Another account with a key, and what it submits.
async fn other(fixture: &Fixture) -> impl Fn() -> Submission {
    fixture.rich().await;
    fixture.create_other_account(Credits::new(1_000)).await;
    let other = Key { id: "key_other".to_owned(), account: other_account(), ..key() };
    assert!(fixture.store.create_key(new_key(other.clone(), 8)).await.unwrap());
    move || Submission { key: Arc::new(other.clone()), ..fox() }
}

pub async fn turns_go_round_the_accounts_that_wait(fixture: &Fixture) {
    let (store, other) = (&fixture.store, other(fixture).await);
    let mut many = Vec::new();
    for _ in 0..40 {
        many.push(fixture.submit(fox()).await);
    }
    let one = store.submit(other()).await.unwrap();
    assert_eq!(one.position, 1);
    let second = store.submit(other()).await.unwrap();
    assert_eq!(second.position, 3);
    assert_eq!(fixture.request(many[1]).await.position, 2);
    assert_eq!(fixture.request(many[39]).await.position, 41);
    fixture.is_consistent().await;
    let first = fixture.claim().await;
    let claimed = fixture.claim().await;
    assert_eq!((first.id, claimed.id), (many[0], one.id));
    // One that is released had its turn: it comes first, and its account keeps its turn.
    store.release(claimed.id, claimed.epoch).await.unwrap();
    assert_eq!(store.request(&other_account(), one.id).await.unwrap().unwrap().position, 0);
    let ids = [fixture.claim().await.id, fixture.claim().await.id, fixture.claim().await.id];
    assert_eq!(ids, [one.id, many[1], second.id]);
    // Whoever comes again joins at the end, behind the one that waits.
    assert_eq!(store.submit(other()).await.unwrap().position, 1);
    // A request that is canceled costs no turn.
    store.cancel(many[2]).await.unwrap();
    assert_eq!(fixture.request(many[3]).await.position, 0);
    fixture.is_consistent().await;
    let queue = &store.statistics().await.unwrap().queues[0];
    assert_eq!((queue.order, queue.waiting, queue.accounts, queue.running), (Order::Turns, 38, 2, 4));
}

pub async fn one_line_is_in_the_order_of_the_submits(fixture: &Fixture) {
    let (store, other) = (&fixture.store, other(fixture).await);
    let mut many = Vec::new();
    for _ in 0..10 {
        many.push(fixture.submit(fox()).await);
    }
    assert_eq!(store.submit(other()).await.unwrap().position, 1);
    store.set_order("render", Order::Fifo).await.unwrap();
    assert_eq!(fixture.request(many[9]).await.position, 9);
    assert_eq!(store.submit(other()).await.unwrap().position, 11);
    for id in &many {
        assert_eq!(fixture.claim().await.id, *id);
    }
    fixture.is_consistent().await;
    assert_eq!(store.statistics().await.unwrap().queues[0].order, Order::Fifo);
}

pub async fn a_paused_queue_takes_submits_and_gives_nothing(fixture: &Fixture) {
    let store = &fixture.store;
    let running = fixture.submit(fox()).await;
    let claim = fixture.claim().await;
    assert!(store.pause_queue("render").await.unwrap());
    assert!(!store.pause_queue("render").await.unwrap(), "it is paused already");
    let waits = store.submit(fox()).await.unwrap();
    assert_eq!((waits.phase, waits.position), (Phase::Queued, 0));
    assert!(fixture.next("render").await.is_none());
    store.complete(running, claim.epoch, Default::default()).await.unwrap();
    assert_eq!(store.paused_queues().await.unwrap(), ["render"]);
    let queue = store.statistics().await.unwrap().queues.remove(0);
    assert!(queue.paused_at.is_some() && (queue.waiting, queue.running) == (1, 0), "{queue:?}");
    // Another queue goes on, and one may be paused before its first submit.
    assert!(store.pause_queue("idle").await.unwrap());
    let elsewhere = Submission { queue: "other".to_owned(), ..fox() };
    fixture.submit(elsewhere).await;
    assert!(fixture.next("other").await.is_some());
    fixture.is_consistent().await;
    let mut events = store.events();
    assert!(store.resume_queue("render").await.unwrap());
    assert!(!store.resume_queue("render").await.unwrap(), "it is not paused");
    let event = events.recv().await.unwrap();
    assert_eq!(event, StoreEvent::WorkSubmitted { queue: "render".into() });
    assert_eq!(fixture.claim().await.id, waits.id);
    assert_eq!(store.paused_queues().await.unwrap(), ["idle"]);
    let acts = store.audit(None, 9).await.unwrap();
    let acts: Vec<_> = acts.iter().map(|entry| (entry.act.as_str(), entry.subject.as_str())).collect();
    assert_eq!(
        acts[..3],
        [("queue resumed", "render"), ("queue paused", "idle"), ("queue paused", "render")]
    );
}

pub async fn those_of_an_account_that_is_full_are_passed_over_and_keep_their_places(fixture: &Fixture) {
    let store = &fixture.store;
    let picture = |url: &str| {
        let input = serde_json::json!({ "image_url": url });
        let elsewhere = !url.starts_with("http://here/");
        Submission { input: input.as_object().unwrap().clone(), elsewhere, ..fox() }
    };
    let mut elsewhere = Vec::new();
    for _ in 0..4 {
        elsewhere.push(fixture.submit(picture("https://elsewhere.example/a.png")).await);
    }
    let own = fixture.submit(picture("http://here/media/a/b/c.png")).await;
    let full = || vec![account()];
    let past = store.claim_past("render", NODE.into(), 9, full()).await.unwrap();
    assert_eq!((past.claims[0].id, past.aside, past.more), (own, full(), false));
    assert_eq!(store.statistics().await.unwrap().queues[0].waiting, 4);
    for (position, id) in (0..).zip(&elsewhere) {
        assert_eq!(
            (fixture.request(*id).await.phase, fixture.request(*id).await.position),
            (Phase::Queued, position)
        );
    }
    assert!(fixture.next("render").await.is_none());
    store.cancel(elsewhere[1]).await.unwrap();
    fixture.is_consistent().await;
    assert_eq!(store.put_back("render", &AccountId("acct_other".to_owned()), 9).await.unwrap(), 0);
    assert_eq!(store.put_back("render", &account(), 2).await.unwrap(), 2);
    assert_eq!(fixture.claim().await.id, elsewhere[0]);
    assert_eq!(fixture.request(elsewhere[3]).await.position, 1);
    let claim = fixture.claim().await;
    assert_eq!(claim.id, elsewhere[2]);
    assert!(fixture.next("render").await.is_none());
    assert_eq!(store.put_back("render", &account(), 9).await.unwrap(), 1);
    // The time of an attempt that has not begun does not pass.
    let late = NOW + ATTEMPT_MAX - Duration::from_secs(1);
    fixture.at(late).hold(claim.id, claim.epoch).await.unwrap();
    fixture.at(late + Duration::from_secs(20)).beat(claim.id, claim.epoch, Progress::new(5)).await.unwrap();
    fixture.is_consistent().await;
}
