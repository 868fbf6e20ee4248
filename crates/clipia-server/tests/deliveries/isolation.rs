//! A host that hangs or is down delays its own deliveries only.

use crate::receiver::{Behaviour, DEADLINE, Receiver};
use crate::support::Outbox;
use clipia_queue::breaker::{FAILURES_MAX, HOST_UNDER_WAY_MAX};
use clipia_server::outbound::{Lookup, Outbound, Target};
use clipia_server::store::{AccountId, AttemptClass, DeliveryState};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A lookup that never ends for names that begin with `silent`.
struct SomeSilent;

#[async_trait::async_trait]
impl Lookup for SomeSilent {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        if name.starts_with("silent") {
            std::future::pending::<()>().await;
        }
        Ok(vec![Ipv4Addr::LOCALHOST.into()])
    }
}

/// Two accounts name many hosts that cannot be looked up. Each host has few deliveries, so that the limit of a host does not
/// apply.
#[tokio::test(flavor = "multi_thread")]
async fn accounts_with_silent_receivers_delay_no_other_account() {
    let outbox = Outbox::new().await;
    let healthy = Receiver::start(Behaviour::status(200, "", "")).await;
    for (number, account) in ["acct_noisy_1", "acct_noisy_2"].into_iter().enumerate() {
        let account = AccountId(account.to_owned());
        outbox.join(account.clone(), 8 + u8::try_from(number).unwrap()).await;
        for host in 0..200 {
            outbox.deliver_for(account.clone(), &format!("http://silent{host}.example/hook")).await;
        }
    }
    let outbound = Outbound::with_lookup(Target::new(true, &[]), Arc::new(SomeSilent)).unwrap();
    let running = outbox.dispatch(outbound);
    let start = Instant::now();
    for round in 1..=50 {
        outbox.deliver(&format!("http://well.example:{}/hook", healthy.port)).await;
        running.wake();
        healthy.wait_for(round).await;
    }
    let failed = || running.statistics.attempts().find(|(class, _)| *class == AttemptClass::Dns).unwrap().1;
    assert_eq!(failed(), 0, "the deliveries waited for the silent hosts: {:?}", start.elapsed());
    // The sandbox of an account gets an eighth of the free slots, and that of the second account an eighth of the remaining ones.
    let under_way = running.statistics.under_way();
    assert!((40..=60).contains(&under_way), "{under_way}");
    while failed() == 0 {
        assert!(start.elapsed() < DEADLINE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(start.elapsed() < Duration::from_secs(9), "a lookup ends before an attempt would");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_hangs_delays_no_other_and_waiting_deliveries_spend_no_attempt() {
    let outbox = Outbox::new().await;
    let hanging = Receiver::start(Behaviour::Hang).await;
    let healthy = Receiver::start(Behaviour::status(200, "", "")).await;
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
        let details = outbox.details(*id).await;
        assert!(details.log.is_empty(), "{details:?}");
    }
    assert!(hanging.calls().len() <= HOST_UNDER_WAY_MAX as usize);

    // All attempts under way time out. Then the breaker opens, and the other deliveries wait.
    let start = Instant::now();
    while running.statistics.under_way() > 0 {
        assert!(start.elapsed() < DEADLINE);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!((running.statistics.open_breakers(), running.statistics.waiting_hosts()), (1, 1));
    let mut attempted = 0;
    for id in hung {
        let details = outbox.details(id).await;
        match details.log.first() {
            Some(attempt) => {
                assert_eq!(
                    (attempt.class.as_str(), details.delivery.attempts),
                    ("timeout", 1),
                    "{details:?}"
                );
                assert!((10_000..12_000).contains(&attempt.duration_ms), "{details:?}");
                attempted += 1;
            }
            None => assert!(details.delivery.postponed && details.delivery.attempts == 0, "{details:?}"),
        }
    }
    assert!((FAILURES_MAX..=HOST_UNDER_WAY_MAX).contains(&attempted), "{attempted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_back_gets_its_waiting_deliveries_at_once() {
    let outbox = Outbox::new().await;
    let receiver = Receiver::start(Behaviour::status(503, "retry-after: 9\r\n", "")).await;
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
    receiver.set_behaviour(Behaviour::status(200, "", ""));
    // An operator replays the last delivery, and its attempt shows that the host is back.
    assert!(outbox.store.replay(ids[59]).await.unwrap());
    receiver.wait_for(ids.len()).await;
    assert!(start.elapsed() < Duration::from_secs(9), "the deliveries waited for the breaker's pause to end");
    assert_eq!(running.statistics.open_breakers(), 0);
    for id in ids {
        outbox.until(id, |details| details.delivery.state == DeliveryState::Delivered).await;
    }
}
