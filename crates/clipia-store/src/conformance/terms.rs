use super::{Fixture, NODE};
use crate::NodeId;
use std::time::Duration;
use uuid::Uuid;

const TERM: Duration = Duration::from_secs(60);

pub async fn a_task_is_led_by_the_node_that_asks_again_and_after_its_term_by_another(fixture: &Fixture) {
    let (store, other) = (&fixture.store, NodeId(Uuid::from_u128(2)));
    for _ in 0..3 {
        assert!(store.lead("cleaner", NODE, TERM).await.unwrap());
        fixture.clock.advance(TERM / 2);
    }
    // Another task is another matter.
    assert!(store.lead("giver_up", other, TERM).await.unwrap());
    fixture.clock.advance(TERM / 2);
    assert!(store.lead("cleaner", other, TERM).await.unwrap());
    assert!(store.lead("cleaner", other, Duration::ZERO).await.unwrap(), "it gives its task away");
    assert!(store.lead("cleaner", NODE, TERM).await.unwrap());
}
