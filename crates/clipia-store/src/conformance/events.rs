use super::{Fixture, NOW, fox, key, new_key};
use crate::living::LivingAttempts;
use crate::{Key, StoreEvent, Submission};
use clipia_api::types::Output;
use clipia_queue::Credits;
use clipia_queue::leases::SILENCE_MAX;
use std::collections::HashSet;
use std::sync::Arc;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

/// The events that were sent by now, each once.
fn sent(events: &mut Receiver<StoreEvent>) -> HashSet<StoreEvent> {
    let mut sent = HashSet::new();
    loop {
        match events.try_recv() {
            Ok(event) => drop(sent.insert(event)),
            Err(TryRecvError::Empty) => return sent,
            Err(error) => panic!("{error}"),
        }
    }
}

pub async fn an_event_comes_before_the_answer_to_its_command(fixture: &Fixture) {
    let store = &fixture.store;
    let mut events = store.events();
    let submitted = |queue: &str| StoreEvent::WorkSubmitted { queue: queue.into() };
    let mut expect_events = |expected: &[StoreEvent], what: &str| {
        assert_eq!(sent(&mut events), expected.iter().cloned().collect(), "{what}");
    };

    let id = fixture.submit(fox()).await;
    expect_events(&[submitted("render")], "a submit");
    let dear = Submission { cost: Credits::new(1_000), ..fox() };
    assert!(store.submit(dear).await.is_err());
    expect_events(&[], "a refused submit");
    let claim = fixture.claim().await;
    store.beat(id, claim.epoch, clipia_api::Progress::new(1)).await.unwrap();
    expect_events(&[], "a claim and a beat");
    store.complete(id, claim.epoch, Output::default()).await.unwrap();
    expect_events(&[StoreEvent::OutboxChanged], "an end with a webhook");
    let quiet = fixture.submit(Submission { webhook_url: None, queue: "other".to_owned(), ..fox() }).await;
    expect_events(&[submitted("other")], "a submit to another queue");
    store.cancel(quiet).await.unwrap();
    expect_events(&[StoreEvent::RequestCanceled { id: quiet }], "a cancel without a webhook");
    assert!(store.cancel(quiet).await.is_err());
    expect_events(&[], "a cancel that changes nothing");

    let lost = fixture.submit(fox()).await;
    assert_eq!(fixture.claim().await.id, lost);
    expect_events(&[submitted("render")], "a submit");
    let late = fixture.at(NOW + SILENCE_MAX);
    assert_eq!(late.rescue(&LivingAttempts::default()).await.unwrap().requeued, 1);
    expect_events(&[submitted("render")], "a lease that expired");

    let sandbox = Arc::new(Key { id: "key_2".to_owned(), sandbox: true, ..key() });
    assert!(store.create_key(new_key(Key::clone(&sandbox), 2)).await.unwrap());
    let sample = Submission { key: sandbox, sample: Some(Output::default()), ..fox() };
    let sample = fixture.submit(sample).await;
    expect_events(&[StoreEvent::OutboxChanged], "a sample with a webhook");
    let filter = crate::DeliveryFilter { request: Some(sample), ..Default::default() };
    let delivery = store.list_deliveries(filter, None, 1).await.unwrap().remove(0);
    assert!(store.replay(delivery.id).await.unwrap());
    expect_events(&[StoreEvent::OutboxChanged], "a replay");
    assert!(store.revoke_key("key_2").await.unwrap());
    expect_events(&[StoreEvent::KeyRevoked { id: "key_2".into() }], "a revoked key");
}
