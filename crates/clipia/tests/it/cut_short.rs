//! Futures that are dropped before their end: the log has the id or key that the caller needs.

use crate::peer::{ID, Peer, Reply, error_reply, id, key_of, state, submitted};
use crate::secrets::Everything;
use clipia::{Clipia, Error, json};
use std::future::IntoFuture;
use std::time::Duration;

/// Starts a call and drops it before its end.
async fn cut<F: IntoFuture>(call: F) {
    let call = call.into_future();
    assert!(tokio::time::timeout(Duration::from_millis(300), call).await.is_err(), "it should not end");
}

/// Runs `calls` and records their log.
async fn traced(calls: impl AsyncFnOnce(Everything)) {
    let everything = Everything::here();
    let guard = tracing::subscriber::set_default(everything.clone());
    calls(everything).await;
    drop(guard);
}

fn lines(everything: &Everything, word: &str) -> Vec<String> {
    everything.text().lines().filter(|line| line.contains(word)).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_submit_that_is_cut_short_logs_its_key() {
    traced(async |everything| {
        // While the request is in flight, and while the submit pauses before a retry.
        let busy = error_reply(503, "service_unavailable", &[("retry-after", "30")]);
        for reply in [Reply::Hang, busy] {
            let peer = Peer::script(vec![reply]).await;
            let submit = peer.client().submit("m", json!({}));
            let (own, given) = (submit.get_idempotency_key().to_owned(), format!("mine-{}", peer.url));
            cut(submit).await;
            cut(peer.client().subscribe("m", json!({})).idempotency_key(&given)).await;
            let logged = lines(&everything, "submit cut short");
            for (key, seen) in [own, given].iter().zip(peer.seen()) {
                assert_eq!(key_of(&seen), key);
                let logged =
                    logged.iter().filter(|line| line.contains(&format!("idempotency_key=\"{key}\"")));
                assert_eq!(logged.count(), 1, "{key}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_submit_that_has_ended_or_was_never_sent_logs_nothing() {
    traced(async |everything| {
        let peer = Peer::script(vec![submitted(), error_reply(402, "insufficient_credits", &[])]).await;
        let clipia = peer.client();
        drop(clipia.submit("m", json!({})).into_future());
        clipia.submit("m", json!({})).await.unwrap();
        clipia.submit("m", json!({})).await.unwrap_err();
        let estimating = Peer::script(vec![Reply::Hang]).await;
        cut(estimating.client().submit("m", json!({})).max_cost(1)).await;
        assert_eq!(lines(&everything, "cut short"), [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_wait_that_is_cut_short_logs_the_id() {
    traced(async |everything| {
        let peer = Peer::new(|_, seen| match seen.method.as_str() {
            "POST" => submitted(),
            _ => state("IN_PROGRESS", json!({})),
        })
        .await;
        let clipia: Clipia = peer.client();
        for (n, call) in (1..).zip(["wait", "subscribe"]) {
            match call {
                "wait" => cut(clipia.generation(id()).wait()).await,
                _ => cut(clipia.subscribe("m", json!({}))).await,
            }
            let logged = lines(&everything, "wait cut short");
            assert_eq!(logged.len(), n, "{logged:?}");
            assert!(logged[n - 1].contains(&format!("request_id={ID}")), "{logged:?}");
        }
        // A wait that ends by itself logs nothing.
        let error = clipia.generation(id()).wait().timeout(Duration::from_millis(200)).await.unwrap_err();
        assert!(matches!(error, Error::Deadline { .. }), "{error:?}");
        drop(clipia.generation(id()).wait());
        assert_eq!(lines(&everything, "wait cut short").len(), 2);
    })
    .await;
}
