use super::{Fixture, NODE, NOW, fox};
use crate::{Failure, MINUTES_KEPT, NodeId, QueueMinute};
use clipia_api::types::Output;
use clipia_queue::Moment;
use jiff::Timestamp;
use std::time::Duration;
use uuid::Uuid;

const MINUTE: Duration = Duration::from_secs(60);

/// Figures of the queue: when, in minutes since the first, and `submitted`, `completed`, `failed`, `canceled`, `credits`.
type Figures = (i64, [u64; 5]);

fn figures(minutes: &[QueueMinute]) -> Vec<Figures> {
    let first = NOW.as_micros() / 60_000_000;
    let of = |minute: &QueueMinute| {
        assert_eq!(minute.queue, "render");
        let at = minute.minute.as_microsecond();
        assert_eq!(at % 60_000_000, 0);
        (
            at / 60_000_000 - first,
            [minute.submitted, minute.completed, minute.failed, minute.canceled, minute.credits],
        )
    };
    minutes.iter().map(of).collect()
}

pub async fn what_a_queue_did_is_counted_by_minutes(fixture: &Fixture) {
    let store = &fixture.store;
    let since = |at: Moment| Timestamp::from_microsecond(at.as_micros()).unwrap();
    assert_eq!(store.minutes(since(NOW)).await.unwrap(), []);
    let (first, second) = (fixture.submit(fox()).await, fixture.submit(fox()).await);
    let third = fixture.submit(fox()).await;
    fixture.clock.set(NOW + MINUTE);
    let claims = store.claim("render", NODE, 2).await.unwrap();
    fixture.clock.set(NOW + 2 * MINUTE);
    store.complete(first, claims[0].epoch, Output::default()).await.unwrap();
    let why = Failure { code: "no".to_owned(), message: "no".to_owned() };
    store.fail(second, claims[1].epoch, why).await.unwrap();
    let expected: [Figures; 2] = [(0, [3, 0, 0, 0, 0]), (2, [0, 1, 1, 0, 12])];
    let counted = store.minutes(since(NOW)).await.unwrap();
    assert_eq!(figures(&counted), expected);
    assert_eq!(counted[1].run_micros, 60_000_000);
    // What is recorded is not counted again, and what comes then is added to it.
    let other = NodeId(Uuid::from_u128(2));
    store.record_minutes(NODE).await.unwrap();
    store.record_minutes(NODE).await.unwrap();
    assert_eq!(store.minutes(since(NOW)).await.unwrap(), counted);
    store.cancel(third).await.unwrap();
    store.record_minutes(other).await.unwrap();
    let expected: [Figures; 2] = [expected[0], (2, [0, 1, 1, 1, 12])];
    assert_eq!(figures(&store.minutes(since(NOW)).await.unwrap()), expected);
    // The minute that goes on at that time is among them.
    assert_eq!(figures(&store.minutes(since(NOW + MINUTE)).await.unwrap()), expected[1..]);
    let late = since(NOW + 2 * MINUTE + Duration::from_secs(30));
    assert_eq!(figures(&store.minutes(late).await.unwrap()), expected[1..]);
    assert_eq!(store.minutes(since(NOW + 3 * MINUTE)).await.unwrap(), []);
    fixture.clock.set(NOW + MINUTES_KEPT + 2 * MINUTE);
    store.record_minutes(NODE).await.unwrap();
    assert_eq!(figures(&store.minutes(since(NOW)).await.unwrap()), expected[1..]);
}
