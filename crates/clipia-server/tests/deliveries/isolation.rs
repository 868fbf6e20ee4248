//! A host that hangs or is down keeps its own deliveries waiting, and nobody else's.

use crate::receiver::{Answer, DEADLINE, Receiver};
use crate::support::Outbox;
use clipia_queue::breaker::{FAILURES_MAX, HOST_UNDER_WAY_MAX};
use clipia_server::outbound::{Lookup, Outbound, Target};
use clipia_server::store::{AccountId, AttemptClass, DeliveryState};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Names that begin with `silent` are told by nobody.
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

/// Two accounts name hosts that never answer, each another one, so that no bound of a host holds them.
#[tokio::test(flavor = "multi_thread")]
async fn accounts_whose_receivers_are_silent_delay_no_other_account() {
    let outbox = Outbox::new().await;
    let healthy = Receiver::start(Answer::status(200, "", "")).await;
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
        running.look();
        healthy.wait_for(round).await;
    }
    let failed = || running.statistics.attempts().find(|(class, _)| *class == AttemptClass::Dns).unwrap().1;
    assert_eq!(failed(), 0, "they waited for the silent ones to end: {:?}", start.elapsed());
    // The sandbox of one account has an eighth of what is free, and a second one of what is left.
    let under_way = running.statistics.under_way();
    assert!((40..=60).contains(&under_way), "{under_way}");
    while failed() == 0 {
        assert!(start.elapsed() < DEADLINE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(start.elapsed() < Duration::from_secs(9), "a lookup ends before an attempt would");
}

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
    assert!(outbox.store.replay(ids[59]).await.unwrap());
    receiver.wait_for(ids.len()).await;
    assert!(start.elapsed() < Duration::from_secs(9), "they waited for the pause to end");
    assert_eq!(running.statistics.open_breakers(), 0);
    for id in ids {
        outbox.until(id, |told| told.delivery.state == DeliveryState::Delivered).await;
    }
}
