use super::{House, NOW, fox};
use crate::{AfterAttempt, AttemptClass, DeliveryAttempt, DeliveryClaim, DueOf, DuePage};
use clipia_api::types::Output;
use clipia_queue::retention::{Keep, Part, Retention};
use clipia_queue::shares::Shares;
use clipia_queue::{RequestId, retention};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn horizon(house: &House, part: Part) -> retention::Horizon {
    let day = Keep::days(1);
    Retention::new(day, day, day, day).horizon(part, house.store.now()).unwrap()
}

async fn due(house: &House, part: Part) -> DuePage {
    let of = DueOf::After { after: None, limit: 10 };
    house.store.due(part, horizon(house, part), of).await.unwrap()
}

async fn let_go(house: &House, part: Part, ids: &[RequestId]) -> Vec<RequestId> {
    house.store.let_go(part, horizon(house, part), ids.to_vec()).await.unwrap()
}

async fn deliver(house: &House) {
    let claim = DeliveryClaim {
        node: super::NODE,
        most: 10,
        shares: Shares::new(100),
        most_of_host: 10,
        hosts: Vec::new(),
        lease: Duration::from_secs(30),
        under_way: Default::default(),
    };
    let due = house.store.claim_deliveries(claim).await.unwrap().due.remove(0);
    let attempt = DeliveryAttempt {
        delivery: due.id,
        number: 1,
        of_schedule: Some(1),
        started: house.store.now(),
        status: Some(200),
        duration: Duration::ZERO,
        class: AttemptClass::Delivered,
        error: None,
        reply: String::new(),
        next: AfterAttempt::Delivered,
    };
    house.store.record_attempt(attempt).await.unwrap();
}

pub async fn what_has_had_its_time_is_let_go_and_the_books_stay_as_they_are(house: &House) {
    let store = &house.store;
    let (ended, runs) = (house.submit(fox()).await, house.submit(fox()).await);
    let claim = house.claim().await;
    store.complete(ended, claim.epoch, Output::default()).await.unwrap();
    house.claim().await;
    // Its delivery may still be sent, however old it is.
    house.clock.set(NOW + 3 * DAY);
    for part in [Part::Media, Part::Input, Part::Attempts, Part::Request] {
        assert_eq!(due(house, part).await, DuePage { due: vec![], late: vec![ended, runs], next: None });
        assert_eq!(let_go(house, part, &[ended, runs]).await, []);
    }
    deliver(house).await;
    assert_eq!(due(house, Part::Media).await.due, []);
    house.clock.set(NOW + 4 * DAY);
    let available = house.available().await;
    for part in [Part::Media, Part::Input, Part::Attempts] {
        assert_eq!(due(house, part).await.due, [ended]);
        assert_eq!(let_go(house, part, &[ended, runs]).await, [ended]);
        assert!(due(house, part).await.due.is_empty() && let_go(house, part, &[ended]).await.is_empty());
        house.is_content().await;
    }
    assert_eq!(house.request(ended).await.expired_at, Some(store.now()));
    let history = store.request_history(ended).await.unwrap().unwrap();
    assert_eq!((history.input, history.attempts.len(), history.movements.len()), (None, 0, 2));
    assert_eq!(let_go(house, Part::Request, &[ended, runs]).await, [ended]);
    assert!(store.request(&super::account(), ended).await.unwrap().is_none());
    assert_eq!(house.available().await, available);
    // A second one is carried forward with the first.
    store.cancel(runs).await.unwrap();
    house.clock.set(NOW + 5 * DAY);
    deliver(house).await;
    house.clock.set(NOW + 7 * DAY);
    assert_eq!(let_go(house, Part::Request, &due(house, Part::Request).await.due).await, [runs]);
    assert_eq!(house.available().await, available + 12);
    while store.give_back().await.unwrap().more {}
}
