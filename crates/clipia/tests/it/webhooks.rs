//! Deliveries: which are genuine, which waits they end, and how many requests that saves.

use crate::peer::{ID, KEY, NO_LIMIT, Peer, another_id, body_reply, state, submitted, with_headers};
use clipia::webhook::{ID_HEADER, Refusal, SIGNATURE_HEADER, sign, sign_standard};
use clipia::{Clipia, Error, Outcome, Received, RequestId, Status, Webhooks, json};
use futures_util::FutureExt;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::task::JoinSet;

const SECRET: &str = "whsec_0123456789ab";
const DELIVERY_ID: &str = "5f0c1b8e-9a37-4a53-8f0e-3f1f4a3d9b11";
const URL: &str = "https://example.com/clipia";

/// Less than the time after which a wait with a webhook polls. A wait that ends within it was ended by a delivery.
const SOON: Duration = Duration::from_secs(5);

fn id() -> RequestId {
    ID.parse().unwrap()
}

fn ok(id: RequestId) -> Value {
    let output = json!({ "images": [{ "url": "https://media/fox.webp" }] });
    json!({ "request_id": id, "status": "OK", "payload": { "model": "m", "output": output, "cost": 12 } })
}

fn failure(id: RequestId) -> Value {
    let error = json!({ "code": "GENERATION_FAILED", "message": "too dark" });
    json!({ "request_id": id, "status": "ERROR", "error": error })
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Receives what the server would post.
fn deliver(webhooks: &Webhooks, body: &Value) -> Received {
    let body = body.to_string();
    let signature = sign([SECRET], now(), body.as_bytes());
    let headers = [(ID_HEADER, DELIVERY_ID), (SIGNATURE_HEADER, &signature)];
    webhooks.receive(headers, body.as_bytes()).unwrap()
}

/// A client with webhooks. For its server every generation runs.
async fn running() -> (Peer, Clipia, Webhooks) {
    let peer = Peer::script(vec![state("IN_PROGRESS", json!({ "progress": 10 }))]).await;
    let clipia = peer.client();
    let webhooks = clipia.webhooks(SECRET).unwrap();
    (peer, clipia, webhooks)
}

/// A peer that accepts each submit under a new id. Every generation runs.
async fn accepting(accepted: impl Fn(RequestId) + Send + Sync + 'static) -> Peer {
    Peer::new(move |_, seen| {
        if seen.method != "POST" {
            return state("IN_PROGRESS", json!({}));
        }
        let id = another_id();
        accepted(id.clone());
        with_headers(
            200,
            &NO_LIMIT,
            json!({ "request_id": id, "status": "IN_QUEUE", "queue_position": 0, "cost": 12,
                    "status_url": "x", "response_url": "y" }),
        )
    })
    .await
}

#[tokio::test]
async fn a_delivery_ends_everything_that_waits_for_its_generation() {
    let (peer, clipia, webhooks) = running().await;
    let (fox, other) = (clipia.generation(id()), clipia.generation(another_id()));
    let updates_seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&updates_seen);
    let mut updates = fox.updates();
    let all_updates = async {
        let mut all = Vec::new();
        while let Some(update) = updates.next().await {
            all.push(update.unwrap().status);
        }
        all
    };
    let delivered = async {
        while peer.seen().len() < 4 || updates_seen.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        deliver(&webhooks, &ok(id()))
    };
    let (plain, watched, updates, elsewhere, received) = tokio::join!(
        fox.wait().timeout(SOON),
        fox.wait().timeout(SOON).on_update(move |update| sink.lock().unwrap().push(update.status.clone())),
        all_updates,
        other.wait().timeout(Duration::from_secs(1)),
        delivered,
    );
    for outcome in [plain, watched] {
        let picture = outcome.unwrap().completed().unwrap();
        assert_eq!(
            (picture.id(), picture.model(), picture.cost().unwrap().whole().unwrap()),
            (&id(), Some("m"), 12)
        );
        assert_eq!(picture.output().images[0].url, "https://media/fox.webp");
    }
    assert_eq!(updates, [Status::InProgress, Status::Completed]);
    assert_eq!(*updates_seen.lock().unwrap(), [Status::InProgress, Status::Completed]);
    assert!(matches!(elsewhere, Err(Error::Deadline { .. })), "of another generation it says nothing");

    assert_eq!((received.request_id(), received.resolved(), received.is_duplicate()), (&id(), 3, false));
    assert_eq!(received.delivery_id().unwrap().to_string(), DELIVERY_ID);
    assert_eq!(received.delivery().payload.as_ref().unwrap().cost, Some(12.into()));
    assert_eq!(
        format!("{received:?}"),
        format!("Received {{ request_id: {ID}, status: OK, duplicate: false, resolved: 3, .. }}")
    );
}

#[tokio::test]
async fn a_failure_is_an_outcome() {
    let (_peer, clipia, webhooks) = running().await;
    let received = deliver(&webhooks, &failure(id()));
    let Outcome::Failed(failed) = clipia.generation(id()).wait().timeout(SOON).await.unwrap() else {
        panic!("it failed")
    };
    assert_eq!((failed.code(), failed.message()), ("GENERATION_FAILED", "too dark"));
    assert_eq!(failed.response().cost, Some(0.into()));
    let error = received.outcome().unwrap().completed().unwrap_err();
    assert_eq!((error.request_id(), error.code()), (Some(&id()), Some("GENERATION_FAILED")));
}

#[tokio::test]
async fn a_fleet_costs_one_request_a_generation_in_whatever_order_it_ends() {
    const COUNT: usize = 100;
    let submitted = Arc::new(Mutex::new(Vec::new()));
    let submits = Arc::clone(&submitted);
    let peer = accepting(move |id| submits.lock().unwrap().push(id)).await;
    let clipia = peer.client();
    let webhooks = clipia.webhooks(SECRET).unwrap();
    let mut waits = JoinSet::new();
    for _ in 0..COUNT {
        let submit = clipia.submit("m", json!({})).webhook(URL);
        waits.spawn(async move {
            let fox = submit.await.unwrap();
            (fox.id().clone(), fox.wait().timeout(SOON).await.unwrap().completed().unwrap().id().clone())
        });
    }
    while submitted.lock().unwrap().len() < COUNT {
        tokio::task::yield_now().await;
    }
    let mut order = submitted.lock().unwrap().clone();
    order.rotate_left(COUNT / 3);
    order.reverse();
    for id in order {
        deliver(&webhooks, &ok(id));
    }
    while let Some(ended) = waits.join_next().await {
        let (asked_for, got) = ended.unwrap();
        assert_eq!(asked_for, got);
    }
    assert_eq!(peer.seen().len(), COUNT);
}

#[tokio::test]
async fn a_delivery_that_overtakes_the_response_to_the_submit_is_kept() {
    let webhooks = Arc::new(OnceLock::<Webhooks>::new());
    let early = Arc::clone(&webhooks);
    let peer = accepting(move |id| {
        let received = deliver(early.get().unwrap(), &ok(id));
        assert_eq!((received.resolved(), received.is_duplicate()), (0, false));
    })
    .await;
    let clipia = peer.client();
    webhooks.set(clipia.webhooks(SECRET).unwrap()).unwrap();
    let fox = clipia.submit("m", json!({})).webhook(URL).await.unwrap();
    fox.wait().timeout(SOON).await.unwrap().completed().unwrap();
    // And not only for the first wait.
    assert_eq!(fox.updates().next().await.unwrap().unwrap().status, Status::Completed);
    fox.wait().timeout(SOON).await.unwrap().completed().unwrap();
    assert_eq!(peer.seen().len(), 1);
}

#[tokio::test]
async fn a_repeat_changes_nothing_and_the_first_of_two_different_deliveries_counts() {
    let (_peer, clipia, webhooks) = running().await;
    let first = deliver(&webhooks, &failure(id()));
    // Another receiver of the same client knows what this one has received.
    let again = clipia.webhooks(SECRET).unwrap();
    let repeats = [deliver(&webhooks, &failure(id())), deliver(&again, &ok(id()))];
    assert!(!first.is_duplicate() && repeats.iter().all(Received::is_duplicate));
    assert!(matches!(clipia.generation(id()).wait().timeout(SOON).await.unwrap(), Outcome::Failed(_)));
    assert!(!deliver(&webhooks, &ok(another_id())).is_duplicate());
}

#[tokio::test]
async fn a_delivery_after_the_end_of_the_wait_is_harmless() {
    let peer = Peer::script(vec![state("COMPLETED", json!({ "cost": 12, "output": {} }))]).await;
    let clipia = peer.client();
    let webhooks = clipia.webhooks(SECRET).unwrap();
    let fox = clipia.generation(id());
    fox.wait().timeout(SOON).await.unwrap().completed().unwrap();
    let received = deliver(&webhooks, &ok(id()));
    assert_eq!((received.resolved(), received.is_duplicate()), (0, false));
    fox.wait().timeout(SOON).await.unwrap().completed().unwrap();
}

#[tokio::test]
async fn a_delivery_without_a_wait_has_the_outcome() {
    let peer = Peer::script(vec![body_reply(200, &[("content-type", "image/png")], b"a fox")]).await;
    let webhooks = peer.client().webhooks(SECRET).unwrap();
    let output = json!({ "images": [{ "url": format!("{}/fox.png", peer.url) }] });
    let payload = json!({ "model": "m", "output": output, "cost": 12 });
    let body = json!({ "request_id": id(), "status": "OK", "payload": payload });
    let received = deliver(&webhooks, &body);
    assert_eq!(received.resolved(), 0);
    let directory = tempfile::tempdir().unwrap();
    let picture = received.outcome().unwrap().completed().unwrap();
    let saved = picture.download(directory.path()).await.unwrap();
    assert_eq!(std::fs::read(&saved[0]).unwrap(), b"a fox");
}

#[tokio::test]
async fn a_forged_delivery_changes_nothing() {
    let (_peer, clipia, webhooks) = running().await;
    let (body, now) = (ok(id()).to_string(), now());
    let genuine = sign([SECRET], now, body.as_bytes());
    let changed = body.replace("12", "13");
    let forgeries = [
        (sign(["a bold guess"], now, body.as_bytes()), &body, "no signature matches"),
        (genuine.clone(), &changed, "no signature matches"),
        (sign([SECRET], now - 600, body.as_bytes()), &body, "an old delivery sent again"),
        (sign([SECRET], now + 600, body.as_bytes()), &body, "a clock that is wrong"),
        ("v1=none".to_owned(), &body, "has no `t`"),
    ];
    for (signature, body, reason) in forgeries {
        let refusal = webhooks.receive([(SIGNATURE_HEADER, signature)], body.as_bytes()).unwrap_err();
        assert!(refusal.to_string().contains(reason), "{refusal}");
    }
    let bare = webhooks.receive([("x-clipia-timestamp", now.to_string())], body.as_bytes()).unwrap_err();
    for expected in ["X-Clipia-Signature", "webhook-id", "webhook-timestamp", "webhook-signature"] {
        assert!(bare.to_string().contains(expected), "{bare}");
    }
    let signed = sign([SECRET], now, b"[]");
    assert!(matches!(webhooks.receive([(SIGNATURE_HEADER, signed)], b"[]"), Err(Refusal::Body(_))));

    let waited = clipia.generation(id()).wait().timeout(Duration::from_millis(200)).await;
    assert!(matches!(waited, Err(Error::Deadline { .. })), "{waited:?}");
    assert!(!deliver(&webhooks, &ok(id())).is_duplicate(), "a forgery does not shadow the genuine one");
}

/// The headers of a delivery with this secret by Standard Webhooks.
fn standard(secret: &str, body: &[u8]) -> [(&'static str, String); 3] {
    let signature = sign_standard([secret], DELIVERY_ID, now(), body).unwrap();
    let (id, t) = (DELIVERY_ID.to_owned(), now().to_string());
    [("Webhook-Id", id), ("Webhook-Timestamp", t), ("Webhook-Signature", signature)]
}

#[tokio::test]
async fn a_delivery_signed_only_by_standard_webhooks_ends_its_wait() {
    let (_peer, clipia, webhooks) = running().await;
    let body = ok(id()).to_string();
    let forged = webhooks.receive(standard("whsec_QUJDREVGR0hJSktM", body.as_bytes()), body.as_bytes());
    assert!(matches!(forged, Err(Refusal::NoMatch)), "{forged:?}");
    let fox = clipia.generation(id());
    let delivered = async { webhooks.receive(standard(SECRET, body.as_bytes()), body.as_bytes()).unwrap() };
    let (outcome, received) = tokio::join!(fox.wait().timeout(SOON), delivered);
    outcome.unwrap().completed().unwrap();
    assert_eq!((received.resolved(), received.is_duplicate()), (1, false));
    assert_eq!(received.delivery_id().unwrap().to_string(), DELIVERY_ID);
    // The same delivery with both signatures is a repeat.
    let signature = [(SIGNATURE_HEADER, sign([SECRET], now(), body.as_bytes()))];
    let both: Vec<_> =
        signature.into_iter().chain(standard("whsec_QUJDREVGR0hJSktM", body.as_bytes())).collect();
    assert!(webhooks.receive(both, body.as_bytes()).unwrap().is_duplicate());
}

#[tokio::test]
async fn a_delivery_that_this_version_cannot_read_makes_waits_poll_at_once() {
    let ended = Arc::new(OnceLock::new());
    let says = Arc::clone(&ended);
    let peer = Peer::new(move |_, seen| match (seen.method.as_str(), says.get()) {
        ("POST", _) => submitted(),
        (_, None) => state("IN_PROGRESS", json!({})),
        _ => state("COMPLETED", json!({ "cost": 12, "output": {} })),
    })
    .await;
    let clipia = peer.client();
    let webhooks = clipia.webhooks(SECRET).unwrap();
    for body in [
        json!({ "request_id": id(), "status": "PARTLY" }),
        json!({ "request_id": id(), "status": "OK" }),
        // Not a status of deliveries, so not an end.
        json!({ "request_id": id(), "status": "COMPLETED" }),
    ] {
        let fox = clipia.submit("m", json!({})).webhook(URL).await.unwrap();
        let delivered = async {
            ended.get_or_init(|| ());
            let received = deliver(&webhooks, &body);
            assert_eq!((received.resolved(), received.is_duplicate()), (0, false));
            let error = received.outcome().unwrap_err();
            assert!(matches!(error, Error::DeliveryInconclusive { .. }), "{error:?}");
        };
        let (outcome, ()) = tokio::join!(fox.wait().timeout(SOON), delivered);
        outcome.unwrap().completed().unwrap();
    }
}

#[tokio::test]
async fn a_lost_delivery_only_delays() {
    let peer = Peer::new(|_, seen| match seen.method.as_str() {
        "POST" => submitted(),
        _ => state("COMPLETED", json!({ "cost": 12, "output": {} })),
    })
    .await;
    let clipia = peer.client();
    let _webhooks = clipia.webhooks(SECRET).unwrap();
    let fox = clipia.submit("m", json!({})).webhook(URL).await.unwrap();
    let mut wait = fox.wait();
    assert!((&mut wait).now_or_never().is_none());
    // An hour passes.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(3_600)).await;
    tokio::time::resume();
    wait.await.unwrap().completed().unwrap();
}

#[tokio::test]
async fn a_watched_generation_shows_its_progress_before_the_delivery() {
    let peer = accepting(|_| {}).await;
    let clipia = peer.client();
    let _webhooks = clipia.webhooks(SECRET).unwrap();
    let fox = clipia.submit("m", json!({})).webhook(URL).await.unwrap();
    let mut updates = fox.updates();
    let soon = tokio::time::timeout(SOON, updates.next()).await.expect("it is asked for");
    assert_eq!(soon.unwrap().unwrap().status, Status::InProgress);
}

#[tokio::test]
async fn without_a_receiver_a_webhook_delays_no_poll() {
    let peer = Peer::new(|_, seen| match seen.method.as_str() {
        "POST" => submitted(),
        _ => state("COMPLETED", json!({ "cost": 12, "output": {} })),
    })
    .await;
    let clipia = peer.client();
    // A receiver was attached, and was dropped.
    drop(clipia.webhooks(SECRET).unwrap().secret("the old one").unwrap());
    let wait = clipia.subscribe("m", json!({})).webhook(URL).timeout(SOON);
    wait.await.unwrap().completed().unwrap();
}

#[test]
fn headers_are_accepted_in_the_form_of_any_framework() {
    let clipia = Clipia::builder().key(KEY).base_url("http://localhost").build().unwrap();
    let webhooks = clipia.webhooks(SECRET).unwrap();
    let body = ok(id()).to_string();
    let body = body.as_bytes();
    let signature = sign([SECRET], now(), body);

    let mut map = reqwest::header::HeaderMap::new();
    map.insert(SIGNATURE_HEADER, signature.parse().unwrap());
    webhooks.receive(&map, body).unwrap();
    webhooks.receive(map.iter(), body).unwrap();
    let map = HashMap::from([("X-Clipia-Signature".to_owned(), signature.clone())]);
    webhooks.receive(&map, body).unwrap();
    webhooks.receive(map, body).unwrap();
    let pairs: &[(&str, &str)] = &[("host", "x"), ("X-CLIPIA-SIGNATURE", &signature)];
    webhooks.receive(pairs, body).unwrap();
    let bytes = vec![(b"x-clipia-signature".to_vec(), signature.into_bytes())];
    webhooks.receive(bytes, body).unwrap();
}

#[test]
fn secrets_are_required_hidden_and_several_during_a_rotation() {
    fn shared<T: Clone + Send + Sync>(_: &T) {}
    let clipia = Clipia::builder().key(KEY).base_url("http://localhost").build().unwrap();
    let webhooks = clipia.webhooks("the new one").unwrap().secret(SECRET).unwrap();
    shared(&webhooks);
    assert!(!format!("{webhooks:?}").contains(SECRET));
    deliver(&webhooks, &ok(id()));
    for missing in ["", " ", "\n"] {
        for without in [clipia.webhooks(missing), webhooks.clone().secret(missing)] {
            assert!(matches!(without, Err(Error::WebhookSecretMissing)), "{without:?}");
        }
    }
    for weak in ["whsec_", " whsec_ \n", "s", "whsec_1234567"] {
        for refused in [clipia.webhooks(weak), webhooks.clone().secret(weak)] {
            assert!(matches!(&refused, Err(Error::WebhookSecretWeak)), "{refused:?}");
            assert!(refused.unwrap_err().to_string().contains("too short: it needs 8 characters"));
        }
    }
    // A file ends with a line break, and may begin with a byte order mark.
    deliver(&clipia.webhooks(format!("\u{feff}{SECRET}\r\n")).unwrap(), &ok(id()));
}

#[cfg(feature = "axum")]
mod axum_application {
    use super::*;
    use axum::Router;
    use axum::extract::FromRef;
    use axum::http::StatusCode;
    use axum::routing::post;
    use tokio::net::TcpListener;

    /// Serves on a free port until the test ends.
    async fn serve(router: Router) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/clipia", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    /// Posts a body signed with this secret. Returns the status and the body of the response.
    async fn post_signed(url: &str, secret: &str, body: impl Into<Vec<u8>>) -> (u16, String) {
        let body = body.into();
        let signature = sign([secret], now(), &body);
        let response = reqwest::Client::new()
            .post(url)
            .header("X-Clipia-Signature", signature)
            .body(body)
            .send()
            .await
            .unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    #[tokio::test]
    async fn the_route_ends_waits_and_reveals_nothing_to_forgers() {
        let (_peer, clipia, webhooks) = running().await;
        let url = serve(Router::new().route("/clipia", webhooks.into_route())).await;
        let body = ok(id()).to_string();
        let nothing = String::new();
        assert_eq!(post_signed(&url, "a bold guess", body.clone()).await, (400, nothing.clone()));
        assert_eq!(post_signed(&url, SECRET, "[]").await, (400, nothing.clone()));
        assert_eq!(post_signed(&url, SECRET, vec![b' '; 2_000_000]).await, (413, nothing.clone()));
        assert_eq!(reqwest::get(&url).await.unwrap().status(), 405);

        let fox = clipia.generation(id());
        let (outcome, response) =
            tokio::join!(fox.wait().timeout(SOON), post_signed(&url, SECRET, body.clone()));
        outcome.unwrap().completed().unwrap();
        assert_eq!(response, (204, nothing.clone()));
        let mut request = reqwest::Client::new().post(&url);
        for (name, value) in standard(SECRET, body.as_bytes()) {
            request = request.header(name, value);
        }
        assert_eq!(request.body(body.clone()).send().await.unwrap().status(), 204);
        assert_eq!(post_signed(&url, SECRET, body).await, (204, nothing));
    }

    #[derive(Clone)]
    struct App {
        webhooks: Webhooks,
        stored: Arc<Mutex<Vec<RequestId>>>,
    }

    impl FromRef<App> for Webhooks {
        fn from_ref(app: &App) -> Self {
            app.webhooks.clone()
        }
    }

    #[tokio::test]
    async fn a_handler_sees_only_genuine_deliveries() {
        let (_peer, clipia, webhooks) = running().await;
        let stored = Arc::default();
        let app = App { webhooks, stored: Arc::clone(&stored) };
        let handler =
            async |axum::extract::State(app): axum::extract::State<App>, received: Received| match received
                .outcome()
            {
                Ok(outcome) => {
                    app.stored.lock().unwrap().push(outcome.request_id().clone());
                    StatusCode::CREATED
                }
                Err(_) => StatusCode::ACCEPTED,
            };
        let url = serve(Router::new().route("/clipia", post(handler)).with_state(app)).await;
        let body = ok(id()).to_string();
        assert_eq!(post_signed(&url, "a bold guess", body.clone()).await, (400, String::new()));
        assert!(stored.lock().unwrap().is_empty());
        assert_eq!(post_signed(&url, SECRET, body).await.0, 201);
        assert_eq!(*stored.lock().unwrap(), [id()]);
        clipia.generation(id()).wait().timeout(SOON).await.unwrap().completed().unwrap();
        let newer = json!({ "request_id": another_id(), "status": "PARTLY" }).to_string();
        assert_eq!(post_signed(&url, SECRET, newer).await.0, 202);
    }
}
