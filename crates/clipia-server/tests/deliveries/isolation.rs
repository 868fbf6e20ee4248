//! A host that hangs or is down keeps its own deliveries waiting, and nobody else's.

use crate::receiver::{Answer, DEADLINE, Receiver};
use crate::support::Outbox;
use clipia_queue::breaker::{FAILURES_MAX, HOST_UNDER_WAY_MAX};
use clipia_server::clock::now;
use clipia_server::outbound::Outbound;
use clipia_server::store::{DeliveryState, Store};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_hangs_delays_nobody_and_spends_no_attempt_of_those_that_wait() {
    let outbox = Outbox::new().await;
    let hanging = Receiver::start(Answer::Hang).await;
    let healthy = Receiver::start(Answer::status(200, "", "")).await;
    let mut hung = Vec::new();
    for _ in 0..200 {
        hung.push(outbox.deliver(&hanging.url()).await);
    }
    for _ in 0..50 {
        outbox.deliver(&healthy.url()).await;
    }
    let running = outbox.dispatch(Outbound::new(true).unwrap());
    healthy.wait_for(50).await;
    for id in &hung {
        let told = outbox.details(*id).await;
        assert!(told.log.is_empty(), "{told:?}");
    }
    assert!(hanging.calls().len() <= HOST_UNDER_WAY_MAX as usize);

    // All that were under way time out; the breaker opens, and the others wait.
    let start = Instant::now();
    while running.statistics.under_way() > 0 {
        assert!(start.elapsed() < DEADLINE);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!((running.statistics.open_breakers(), running.statistics.waiting_hosts()), (1, 1));
    let mut attempted = 0;
    for id in hung {
        let told = outbox.details(id).await;
        match told.log.first() {
            Some(attempt) => {
                assert_eq!((attempt.class.as_str(), told.delivery.attempts), ("timeout", 1), "{told:?}");
                assert!((10_000..12_000).contains(&attempt.duration_ms), "{told:?}");
                attempted += 1;
            }
            None => assert!(told.delivery.postponed && told.delivery.attempts == 0, "{told:?}"),
        }
    }
    assert!((FAILURES_MAX..=HOST_UNDER_WAY_MAX).contains(&attempted), "{attempted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_back_gets_at_once_what_waited() {
    let outbox = Outbox::new().await;
    let receiver = Receiver::start(Answer::status(503, "retry-after: 9\r\n", "")).await;
    let mut ids = Vec::new();
    for _ in 0..60 {
        ids.push(outbox.deliver(&receiver.url()).await);
    }
    let running = outbox.dispatch(Outbound::new(true).unwrap());
    let start = Instant::now();
    while running.statistics.open_breakers() == 0 || running.statistics.under_way() > 0 {
        assert!(start.elapsed() < DEADLINE);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let refused = receiver.calls().len();
    assert!(refused < ids.len() / 2, "{refused}");
    receiver.answer(Answer::status(200, "", ""));
    // The last in line, which an operator asks for, finds out that the host is back.
    assert!(outbox.store.replay(ids[59], now()).await.unwrap());
    receiver.wait_for(ids.len()).await;
    assert!(start.elapsed() < Duration::from_secs(9), "they waited for the pause to end");
    assert_eq!(running.statistics.open_breakers(), 0);
    for id in ids {
        outbox.until(id, |told| told.delivery.state == DeliveryState::Delivered).await;
    }
}
