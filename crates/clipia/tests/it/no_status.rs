//! Responses without a status: a wait for the generation ends in time, and the result is asked for in place of the
//! status.

use crate::peer::{ID, NO_LIMIT, Peer, body_reply, id, json_reply, key_of, with_headers};
use clipia::{Error, Outcome, Status, json};
use serde_json::Value;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn a_wait_that_never_gets_a_status_ends() {
    let envelope = json!({ "error": { "type": "api_error", "code": "internal_error", "message": "sorry" } });
    for response in [
        json!({}),
        json!({ "ok": true }),
        json!({ "status": null }),
        json!({ "status": [1] }),
        // An error envelope with the HTTP status 200.
        envelope,
    ] {
        let body = response.clone();
        let peer = Peer::new(move |_, _| with_headers(200, &NO_LIMIT, body.clone())).await;
        let fox = peer.client().generation(ID);
        let wait = fox.wait().timeout(Duration::from_secs(600));
        let mut updates = fox.updates();
        for error in [wait.await.unwrap_err(), updates.next().await.unwrap().unwrap_err()] {
            assert!(matches!(error, Error::UnexpectedAnswer(_)), "{response}: {error:?}");
            assert_eq!(error.request_id(), Some(&id()));
            assert!(error.to_string().contains("the response has no status"), "{error}");
        }
        // A single call returns the response as it is.
        assert!(matches!(fox.status().await.unwrap().status, Status::Unknown(_)));
    }
}

/// A watched generation is polled for its status, but only the result may be readable.
#[tokio::test]
async fn the_result_is_polled_if_the_status_is_unreadable() {
    let peer = Peer::new(|_, seen| match seen.path.ends_with("/status") {
        true => with_headers(200, &NO_LIMIT, json!({ "request_id": ID, "status": null })),
        false => {
            with_headers(200, &NO_LIMIT, json!({ "request_id": ID, "status": "COMPLETED", "output": {} }))
        }
    })
    .await;
    let fox = peer.client().generation(ID);
    let timeout = Duration::from_secs(10);
    let ended = fox.wait().timeout(timeout).on_update(|_| {}).await.unwrap();
    assert!(matches!(ended, Outcome::Completed(_)));
    let last = tokio::time::timeout(timeout, fox.updates().next()).await.unwrap().unwrap().unwrap();
    assert_eq!(last.status, Status::Completed);
}

#[tokio::test]
async fn a_status_in_another_spelling_ends_the_wait() {
    for spelt in ["completed", " COMPLETED\n", "Completed"] {
        let body = json!({ "request_id": ID, "status": spelt, "output": {} });
        let peer = Peer::script(vec![json_reply(200, body.clone())]).await;
        let ended = peer.client().generation(ID).wait().timeout(Duration::from_secs(5)).await.unwrap();
        assert!(matches!(ended, Outcome::Completed(_)));
        let written: Value = serde_json::to_value(ended.response()).unwrap();
        assert_eq!(written["status"], "COMPLETED");
        assert_eq!(serde_json::from_value::<clipia::ResultResponse>(written).unwrap(), *ended.response());
    }
}

#[tokio::test]
async fn a_submit_with_a_truncated_response_or_a_redirect_returns_the_id_and_the_key() {
    let half = format!(r#"{{"request_id": "{ID}", "status": "IN_QU"#);
    let half = body_reply(202, &NO_LIMIT, half.as_bytes());
    let place = format!("https://api.example/v1/requests/{ID}?secret=1");
    let led_on = body_reply(303, &[("location", &place)], b"");
    for (reply, tries) in [(half, 3), (led_on, 1)] {
        let peer = Peer::script(vec![reply]).await;
        let clipia = peer.builder().retry_delay(Duration::from_millis(1)).max_retries(2).build().unwrap();
        let error = clipia.submit("m", json!({})).await.unwrap_err();
        assert_eq!(error.request_id(), Some(&id()), "{error:?}");
        assert_eq!(error.idempotency_key(), Some(key_of(&peer.seen()[0])), "{error:?}");
        assert_eq!(peer.seen().len(), tries, "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    // A truncated status is fetched again.
    let whole = json!({ "request_id": ID, "status": "IN_PROGRESS" });
    let peer =
        Peer::script(vec![body_reply(200, &[], &whole.to_string().as_bytes()[..30]), json_reply(200, whole)])
            .await;
    assert_eq!(peer.client().status(ID).await.unwrap().status, Status::InProgress);
}

/// A value that is no part of a path is no id.
#[tokio::test]
async fn an_id_that_no_path_can_hold_is_refused() {
    for wrong in ["..", ".", " ", "\n"] {
        let body = json!({ "request_id": wrong, "status": "IN_QUEUE", "status_url": format!("https://a.example/v1/requests/{ID}/status") });
        let peer = Peer::script(vec![json_reply(200, body)]).await;
        assert_eq!(peer.client().submit("m", json!({})).await.unwrap().id(), &id(), "{wrong:?}");
    }
}
