use super::{Fixture, NODE, NOW, account, fox, key, new_key};
use crate::{DeliveryClaim, Failure, Key, Submission, SubmitRefused, WorkRefused};
use clipia_api::types::Output;
use clipia_queue::Credits;
use clipia_queue::idempotency::Fingerprint;
use clipia_queue::lifecycle::{Phase, Refused};
use clipia_queue::shares::Shares;
use std::sync::Arc;
use std::time::Duration;

pub async fn a_request_is_reserved_for_then_charged_or_refunded_once(fixture: &Fixture) {
    let store = &fixture.store;
    let (good, bad) = (fox(), fox());
    let (good_id, bad_id) = (good.id, bad.id);
    assert_eq!(store.submit(good).await.unwrap().position, 0);
    assert_eq!(store.submit(bad).await.unwrap().position, 1);
    assert_eq!(fixture.available().await, 76);

    let claim = fixture.claim().await;
    assert_eq!(claim.id, good_id);
    assert_eq!(fixture.request(bad_id).await.position, 0);
    store.complete(good_id, claim.epoch, Output::default()).await.unwrap();
    let twice = store.complete(good_id, claim.epoch, Output::default()).await;
    assert!(matches!(twice, Err(WorkRefused::Lifecycle(Refused::Stale { .. }))));

    let claim = fixture.claim().await;
    store.fail(bad_id, claim.epoch, Failure::generation("no")).await.unwrap();
    let failed = fixture.request(bad_id).await;
    assert_eq!((failed.phase, failed.cost), (Phase::Failed, Credits::ZERO));
    assert_eq!(fixture.available().await, 88);
    assert!(fixture.next("render").await.is_none());
    let summary = store.account(&account()).await.unwrap().unwrap();
    assert_eq!((summary.requests_30d, summary.spent_30d), (2, Credits::new(12)));
}

pub async fn a_refused_submit_leaves_nothing_and_a_repeated_one_is_the_same(fixture: &Fixture) {
    let store = &fixture.store;
    let dear = Submission { cost: Credits::new(101), ..fox() };
    let dear_id = dear.id;
    let named = |submission: Submission, byte: u8| Submission {
        idempotency: Some(("fox-1".to_owned(), Fingerprint([byte; 32]))),
        ..submission
    };
    assert!(matches!(store.submit(named(dear, 1)).await, Err(SubmitRefused::Credits(_))));
    assert!(store.request(&account(), dear_id).await.unwrap().is_none());
    // The refusal did not use the key up.
    let id = fixture.submit(named(fox(), 2)).await;
    assert_eq!(fixture.submit(named(fox(), 2)).await, id);
    assert!(matches!(store.submit(named(fox(), 3)).await, Err(SubmitRefused::IdempotencyKeyReuse)));
    assert_eq!(fixture.available().await, 88);
    // A refused submit takes no place in the queue.
    assert_eq!(store.submit(fox()).await.unwrap().position, 1);
    assert_eq!(store.submit(named(fox(), 2)).await.unwrap().position, 0);
    let next_day = NOW + Duration::from_secs(24 * 60 * 60);
    assert_ne!(fixture.at(next_day).submit(named(fox(), 2)).await.unwrap().id, id);
}

pub async fn the_sandbox_moves_no_credits(fixture: &Fixture) {
    let sandbox = Key { id: "key_2".to_owned(), sandbox: true, ..key() };
    assert!(fixture.store.create_key(new_key(sandbox.clone(), 2)).await.unwrap());
    let sample = Submission { key: Arc::new(sandbox), sample: Some(Output::default()), ..fox() };
    let submitted = fixture.store.submit(sample).await.unwrap();
    assert_eq!((submitted.phase, submitted.position), (Phase::Completed, 0));
    let request = fixture.request(submitted.id).await;
    assert_eq!((request.cost, fixture.available().await), (Credits::new(12), 100));
    let history = fixture.store.request_history(submitted.id).await.unwrap().unwrap();
    assert!(history.request.sandbox && history.movements.is_empty());
    let refused = fixture.store.cancel(submitted.id).await;
    assert!(matches!(refused, Err(WorkRefused::Lifecycle(Refused::Phase { .. }))));
}

pub async fn one_that_is_canceled_is_refunded_and_delivered(fixture: &Fixture) {
    let store = &fixture.store;
    let (running, waiting) = (fixture.submit(fox()).await, fixture.submit(fox()).await);
    let behind = fixture.submit(fox()).await;
    fixture.claim().await;
    for (id, left) in [(waiting, 76), (running, 88)] {
        store.cancel(id).await.unwrap();
        let canceled = fixture.request(id).await;
        assert_eq!((canceled.phase, canceled.cost), (Phase::Canceled, Credits::ZERO));
        assert_eq!(canceled.completed_at, Some(NOW));
        assert_eq!(fixture.available().await, left);
        let twice = store.cancel(id).await;
        assert!(matches!(twice, Err(WorkRefused::Lifecycle(Refused::Phase { .. }))));
    }
    assert_eq!(fixture.request(behind).await.position, 0);
    let claim = DeliveryClaim {
        node: NODE,
        most: 10,
        shares: Shares::new(100),
        most_of_host: 10,
        hosts: Vec::new(),
        lease: Duration::from_secs(30),
        under_way: Default::default(),
    };
    let due = store.claim_deliveries(claim).await.unwrap().due;
    let has_delivery = |id: &clipia_queue::RequestId| {
        let id = id.to_string();
        due.iter().any(|delivery| String::from_utf8_lossy(&delivery.body).contains(&id))
    };
    assert_eq!(due.len(), 2);
    assert!([running, waiting].iter().all(has_delivery));
    let unknown = store.cancel(clipia_queue::RequestId::generate()).await;
    assert!(matches!(unknown, Err(WorkRefused::Unknown)));
}
