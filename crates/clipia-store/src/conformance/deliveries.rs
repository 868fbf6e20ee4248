use super::{Fixture, NODE, NOW, fox};
use crate::living::Living;
use crate::{AfterAttempt, AttemptClass, DeliveryAttempt, DeliveryClaim, NodeId};
use clipia_api::types::Output;
use clipia_queue::shares::Shares;
use std::time::Duration;
use uuid::Uuid;

fn due_now(under_way: &Living<Uuid>) -> DeliveryClaim {
    let lease = Duration::from_secs(30);
    DeliveryClaim {
        node: NODE,
        most: 10,
        shares: Shares::new(100),
        most_of_host: 10,
        hosts: Vec::new(),
        lease,
        under_way: under_way.clone(),
    }
}

pub async fn a_living_sender_keeps_its_delivery_whatever_the_clock_says(fixture: &Fixture) {
    let store = &fixture.store;
    let id = fixture.submit(fox()).await;
    let claim = fixture.claim().await;
    store.complete(id, claim.epoch, Output::default()).await.unwrap();
    let under_way = Living::default();
    let due = store.claim_deliveries(due_now(&under_way)).await.unwrap().due.remove(0);
    let alive = under_way.enter(due.id);
    let late = NOW + Duration::from_secs(3_600);
    assert!(fixture.at(late).claim_deliveries(due_now(&under_way)).await.unwrap().due.is_empty());
    // It is gone, and has recorded nothing.
    drop(alive);
    assert_eq!(store.claim_deliveries(due_now(&under_way)).await.unwrap().due.remove(0).id, due.id);
}

pub async fn a_delivery_is_given_to_one_sender_until_it_arrives(fixture: &Fixture) {
    let store = &fixture.store;
    let id = fixture.submit(fox()).await;
    let claim = fixture.claim().await;
    store.complete(id, claim.epoch, Output::default()).await.unwrap();
    let claim = || due_now(&Living::default());
    let due = store.claim_deliveries(claim()).await.unwrap().due.remove(0);
    assert_eq!((due.attempts, due.secrets.as_slice()), (0, &["whsec_1".to_owned()][..]));
    assert!(store.claim_deliveries(claim()).await.unwrap().due.is_empty());

    let attempt = |number, next| DeliveryAttempt {
        delivery: due.id,
        number,
        of_schedule: Some(number),
        started: NOW,
        status: Some(500),
        duration: Duration::ZERO,
        class: AttemptClass::Status5xx,
        error: None,
        reply: String::new(),
        next,
    };
    let later = NOW + Duration::from_secs(5);
    store.record_attempt(attempt(1, AfterAttempt::Retry(later))).await.unwrap();
    assert_eq!(store.next_delivery().await.unwrap(), Some(later));
    let again = fixture.at(later).claim_deliveries(claim()).await.unwrap().due.remove(0);
    assert_eq!((again.id, again.attempts), (due.id, 1));
    store.record_attempt(attempt(2, AfterAttempt::Delivered)).await.unwrap();
    assert_eq!(store.next_delivery().await.unwrap(), None);
}

pub async fn a_delivery_of_another_node_is_free_when_its_lease_expires(fixture: &Fixture) {
    let id = fixture.submit(fox()).await;
    let claim = fixture.claim().await;
    fixture.store.complete(id, claim.epoch, Output::default()).await.unwrap();
    let (here, there) = (Living::default(), Living::default());
    let due = fixture.store.claim_deliveries(due_now(&here)).await.unwrap().due.remove(0);
    let _alive = here.enter(due.id);
    // A sender that the other node has, too, protects nothing of this one.
    let _alive = there.enter(due.id);
    let other = || DeliveryClaim { node: NodeId(Uuid::from_u128(2)), ..due_now(&there) };
    let expires = NOW + other().lease;
    let early = fixture.at(expires - Duration::from_micros(1)).claim_deliveries(other()).await.unwrap();
    assert!(early.due.is_empty());
    let late = fixture.at(expires).claim_deliveries(other()).await.unwrap();
    assert_eq!(late.due.iter().map(|due| due.id).collect::<Vec<_>>(), [due.id]);
}
