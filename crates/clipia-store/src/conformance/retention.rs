use super::{Fixture, NOW, fox};
use crate::{AfterAttempt, AttemptClass, DeliveryAttempt, DeliveryClaim, DueOf, DuePage};
use clipia_api::types::Output;
use clipia_queue::retention::{Keep, Part, Retention};
use clipia_queue::shares::Shares;
use clipia_queue::{RequestId, ids, retention};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn horizon(fixture: &Fixture, part: Part) -> retention::Horizon {
    let day = Keep::days(1);
    Retention::new(day, day, day, day).horizon(part, fixture.store.now()).unwrap()
}

async fn due(fixture: &Fixture, part: Part) -> DuePage {
    let horizon = horizon(fixture, part);
    let of = DueOf::After { after: None, through: RequestId(ids::last_before(horizon.ended)), limit: 10 };
    fixture.store.due(part, horizon, of).await.unwrap()
}

async fn let_go(fixture: &Fixture, part: Part, ids: &[RequestId]) -> Vec<RequestId> {
    fixture.store.let_go(part, horizon(fixture, part), ids.to_vec()).await.unwrap()
}

async fn deliver(fixture: &Fixture) {
    let claim = DeliveryClaim {
        node: super::NODE,
        most: 10,
        shares: Shares::new(100),
        most_of_host: 10,
        hosts: Vec::new(),
        lease: Duration::from_secs(30),
        under_way: Default::default(),
    };
    let due = fixture.store.claim_deliveries(claim).await.unwrap().due.remove(0);
    let attempt = DeliveryAttempt {
        delivery: due.id,
        number: 1,
        of_schedule: Some(1),
        started: fixture.store.now(),
        status: Some(200),
        duration: Duration::ZERO,
        class: AttemptClass::Delivered,
        error: None,
        reply: String::new(),
        next: AfterAttempt::Delivered,
    };
    fixture.store.record_attempt(attempt).await.unwrap();
}

pub async fn what_has_had_its_time_is_let_go_and_the_books_stay_as_they_are(fixture: &Fixture) {
    let store = &fixture.store;
    let (ended, runs) = (fixture.submit(fox()).await, fixture.submit(fox()).await);
    let claim = fixture.claim().await;
    store.complete(ended, claim.epoch, Output::default()).await.unwrap();
    fixture.claim().await;
    // Its delivery may still be sent, however old it is.
    fixture.clock.set(NOW + 3 * DAY);
    for part in [Part::Media, Part::Input, Part::Attempts, Part::Request] {
        assert_eq!(due(fixture, part).await, DuePage { due: vec![], late: vec![ended, runs], next: None });
        assert_eq!(let_go(fixture, part, &[ended, runs]).await, []);
    }
    deliver(fixture).await;
    assert_eq!(due(fixture, Part::Media).await.due, []);
    fixture.clock.set(NOW + 4 * DAY);
    let available = fixture.available().await;
    for part in [Part::Media, Part::Input, Part::Attempts] {
        assert_eq!(due(fixture, part).await.due, [ended]);
        assert_eq!(let_go(fixture, part, &[ended, runs]).await, [ended]);
        assert!(due(fixture, part).await.due.is_empty() && let_go(fixture, part, &[ended]).await.is_empty());
        fixture.is_consistent().await;
    }
    assert_eq!(fixture.request(ended).await.expired_at, Some(store.now()));
    let history = store.request_history(ended).await.unwrap().unwrap();
    assert_eq!((history.input, history.attempts.len(), history.movements.len()), (None, 0, 2));
    assert_eq!(let_go(fixture, Part::Request, &[ended, runs]).await, [ended]);
    assert!(store.request(&super::account(), ended).await.unwrap().is_none());
    assert_eq!(fixture.available().await, available);
    // A second one is carried forward with the first.
    store.cancel(runs).await.unwrap();
    fixture.clock.set(NOW + 5 * DAY);
    deliver(fixture).await;
    fixture.clock.set(NOW + 7 * DAY);
    assert_eq!(let_go(fixture, Part::Request, &due(fixture, Part::Request).await.due).await, [runs]);
    assert_eq!(fixture.available().await, available + 12);
    while store.give_back().await.unwrap().more {}
}
