//! What an attempt sends, and the outcome for each kind of response.

use crate::receiver::{Behaviour, Receiver};
use crate::support::{Outbox, SECRET, account};
use clipia_queue::rotation::Rotation;
use clipia_server::clock::now;
use clipia_server::outbound::{Lookup, Outbound, Target};
use clipia_server::store::{AttemptClass, DeliveryState};
use clipia_webhook::{Verifier, sign_standard};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;

/// A lookup with one name, which has private addresses only.
struct OnlyInside;

#[async_trait::async_trait]
impl Lookup for OnlyInside {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        match name {
            "inside.example" => Ok(vec!["10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap()]),
            _ => Err(io::Error::other("no such name")),
        }
    }
}

fn outbound() -> Outbound {
    Outbound::with_lookup(Target::new(true, &[]), Arc::new(OnlyInside)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_signatures_verify_with_the_new_secret_and_with_the_old_one() {
    let outbox = Outbox::new().await;
    let receiver = Receiver::start(Behaviour::status(503, "retry-after: 5\r\n", "later")).await;
    let new = "whsec_".to_owned() + &"QUJD".repeat(12);
    let rotation = Rotation::plan(None, None, now()).unwrap();
    outbox.store.rotate_webhook_secret(&account(), new.clone(), rotation).await.unwrap();
    let id = outbox.deliver(&receiver.url()).await;
    let _running = outbox.dispatch(outbound());
    receiver.wait_for(1).await;
    receiver.set_behaviour(Behaviour::status(200, "", "thank you"));
    let calls = receiver.wait_for(2).await;
    for call in &calls {
        let (t, signature) = (call.header("x-clipia-timestamp"), call.header("x-clipia-signature"));
        let seconds = t.parse().unwrap();
        for secret in [SECRET, &new] {
            Verifier::new([secret]).unwrap().verify(signature, &call.body, seconds).unwrap();
        }
        // Published receivers keep the last `v1`, and still have the old secret.
        let last = signature.rsplit(',').next().unwrap();
        assert_eq!(clipia_webhook::sign([SECRET], seconds, &call.body), format!("t={t},{last}"));
        assert_eq!(call.header("x-clipia-webhook-id"), id.to_string());
        assert_eq!(call.header("webhook-id"), id.to_string());
        assert_eq!(call.header("webhook-timestamp"), t);
        let standard = sign_standard([new.as_str(), SECRET], &id.to_string(), seconds, &call.body);
        assert_eq!(call.header("webhook-signature"), standard.unwrap());
    }
    assert_ne!(calls[0].header("x-clipia-signature"), calls[1].header("x-clipia-signature"));
    let details = outbox.until(id, |details| details.delivery.state == DeliveryState::Delivered).await;
    let log: Vec<_> =
        details.log.iter().map(|a| (a.number, a.status, a.class.as_str(), a.reply.as_str())).collect();
    assert_eq!(log, [(1, Some(503), "status_5xx", "later"), (2, Some(200), "delivered", "thank you")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_failure_has_its_class() {
    let outbox = Outbox::new().await;
    let elsewhere = Receiver::start(Behaviour::status(200, "", "")).await;
    let location = format!("location: {}\r\n", elsewhere.url());
    let mut receivers = Vec::new();
    let mut expected = Vec::new();
    for (behaviour, status, class) in [
        (Behaviour::status(204, "", ""), Some(204), AttemptClass::Delivered),
        (Behaviour::status(302, &location, ""), Some(302), AttemptClass::Status3xx),
        (Behaviour::status(307, &location, ""), Some(307), AttemptClass::Status3xx),
        (Behaviour::status(404, "", "where?"), Some(404), AttemptClass::Status4xx),
        (Behaviour::status(500, "", ""), Some(500), AttemptClass::Status5xx),
        (Behaviour::Bytes(b"220 mail ready\r\n".to_vec()), None, AttemptClass::Protocol),
        (Behaviour::Bytes(b"HTTP/1.1 20".to_vec()), None, AttemptClass::Reset),
        (Behaviour::Close, None, AttemptClass::Reset),
    ] {
        let receiver = Receiver::start(behaviour).await;
        expected.push((receiver.url(), status, class));
        receivers.push(receiver);
    }
    // A mail server speaks first.
    let mail = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mail_url = format!("https://{}/", mail.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = mail.accept().await {
            let _ = stream.write_all(b"220 mail ready\r\n").await;
        }
    });
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    for (url, class) in [
        (mail_url, AttemptClass::Tls),
        (format!("http://127.0.0.1:{closed}/"), AttemptClass::Connect),
        ("http://no.example/".to_owned(), AttemptClass::Dns),
        ("http://inside.example/".to_owned(), AttemptClass::RefusedAddress),
        ("http://10.0.0.1/".to_owned(), AttemptClass::RefusedAddress),
        ("http://169.254.169.254/?token=hidden".to_owned(), AttemptClass::RefusedAddress),
    ] {
        expected.push((url, None, class));
    }
    let mut ids = Vec::new();
    for (url, ..) in &expected {
        ids.push(outbox.deliver(url).await);
    }
    let running = outbox.dispatch(outbound());
    for ((url, status, class), id) in expected.iter().zip(ids) {
        let details = outbox.until(id, |details| !details.log.is_empty()).await;
        let attempt = &details.log[0];
        assert_eq!((attempt.status, attempt.class.as_str()), (*status, class.name()), "{url}: {attempt:?}");
        let arrived = *class == AttemptClass::Delivered;
        assert_eq!(details.delivery.state == DeliveryState::Delivered, arrived, "{url}");
        assert_eq!(attempt.error.is_none(), arrived, "{url}: {attempt:?}");
        let shown = format!("{details:?}");
        assert!(!shown.contains("hidden") && !attempt.error.iter().any(|e| e.contains("http://")), "{shown}");
    }
    assert!(elsewhere.calls().is_empty(), "a redirect was followed");
    let counted: u64 = running.statistics.attempts().map(|(_, count)| count).sum();
    assert!(counted >= 14 && running.statistics.lag().count == 14, "{:?}", running.statistics);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_response_is_cut_and_its_status_decides() {
    let outbox = Outbox::new().await;
    let endless = Receiver::start(Behaviour::Endless).await;
    let long = Receiver::start(Behaviour::status(500, "", &"\u{0}é".repeat(50_000))).await;
    let ids = [outbox.deliver(&endless.url()).await, outbox.deliver(&long.url()).await];
    let _running = outbox.dispatch(outbound());
    let details = outbox.until(ids[0], |details| details.delivery.state == DeliveryState::Delivered).await;
    assert!(details.log[0].duration_ms < 10_000 && details.log[0].reply.len() == 2_048, "{details:?}");
    let details = outbox.until(ids[1], |details| !details.log.is_empty()).await;
    assert!(details.log[0].reply.starts_with("\u{fffd}é\u{fffd}"), "{details:?}");
    assert!(details.log[0].reply.chars().count() <= 2_048);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_410_a_delivery_is_given_up_until_an_operator_replays_it() {
    let outbox = Outbox::new().await;
    let receiver = Receiver::start(Behaviour::status(410, "", "")).await;
    let id = outbox.deliver(&receiver.url()).await;
    let running = outbox.dispatch(outbound());
    outbox.until(id, |details| details.delivery.state == DeliveryState::Abandoned).await;
    assert_eq!(running.statistics.given_up(), 1);

    assert!(outbox.store.replay(id).await.unwrap());
    let details = outbox.until(id, |details| details.log.len() == 2).await;
    let delivery = &details.delivery;
    assert_eq!((delivery.state, delivery.attempts, delivery.next_at), (DeliveryState::Abandoned, 1, None));

    receiver.set_behaviour(Behaviour::status(200, "", ""));
    assert!(outbox.store.replay(id).await.unwrap());
    let details = outbox.until(id, |details| details.delivery.state == DeliveryState::Delivered).await;
    let replays: Vec<_> = details.log.iter().map(|attempt| (attempt.number, attempt.replay)).collect();
    assert_eq!((details.delivery.attempts, replays), (1, vec![(1, false), (2, true), (3, true)]));
}
