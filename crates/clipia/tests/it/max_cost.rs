//! A submit with `max_cost` asks for the price first, and is not sent if the price is higher.

use crate::peer::{ID, Peer, Reply, error_reply, json_reply, state, submitted};
use crate::secrets::Everything;
use clipia::{Credits, Error, Outcome, json};

/// The cost of the submit that the peer accepts.
const COST: u64 = 12;

fn estimate(credits: u64) -> Reply {
    json_reply(200, json!({ "credits": credits }))
}

fn paths(peer: &Peer) -> Vec<String> {
    peer.seen().into_iter().map(|seen| seen.path).collect()
}

#[tokio::test]
async fn a_higher_price_is_refused_with_the_estimate() {
    let peer = Peer::script(vec![estimate(120)]).await;
    let error = peer.client().submit("seedance-2-fast-t2v", json!({ "prompt": "waves" })).max_cost(40).await;
    let error = error.unwrap_err();
    assert_eq!(
        error.to_string(),
        "this costs 120 credits, more than the 40 allowed by `max_cost`; nothing was submitted"
    );
    assert!(!error.is_retryable() && error.code().is_none() && error.request_id().is_none());
    let Error::MaxCost { model, estimate, max_cost } = error else { panic!("{error:?}") };
    assert_eq!((model.as_str(), estimate, max_cost), ("seedance-2-fast-t2v", Credits::new(120), 40.into()));
    assert_eq!(paths(&peer), ["/v1/models/seedance-2-fast-t2v/estimate"]);
    let body: serde_json::Value = serde_json::from_slice(&peer.seen()[0].body).unwrap();
    assert_eq!(body, json!({ "input": { "prompt": "waves" } }));
}

#[tokio::test]
async fn an_allowed_price_is_submitted_and_never_cached() {
    let peer = Peer::new(|_, seen| match seen.path.as_str() {
        "/v1/models/m/estimate" => estimate(COST),
        "/v1/models/m" => submitted(),
        _ => state("COMPLETED", json!({ "model": "m", "cost": COST })),
    })
    .await;
    let clipia = peer.client();
    let fox = clipia.submit("m", json!({ "prompt": "a fox" })).max_cost(Credits::new(COST)).await.unwrap();
    assert_eq!(fox.cost().unwrap().whole().unwrap(), COST);
    let body: serde_json::Value = serde_json::from_slice(&peer.seen()[1].body).unwrap();
    assert_eq!(body, json!({ "input": { "prompt": "a fox" } }));
    let outcome = clipia.subscribe("m", json!({})).max_cost(COST).await.unwrap();
    assert!(matches!(outcome, Outcome::Completed(_)));
    let refused = clipia.subscribe("m", json!({})).max_cost(COST - 1).await;
    assert!(matches!(refused, Err(Error::MaxCost { .. })));
    let (estimate, submit) = ("/v1/models/m/estimate", "/v1/models/m");
    let result = format!("/v1/requests/{ID}");
    assert_eq!(paths(&peer), [estimate, submit, estimate, submit, &result, estimate]);
}

#[tokio::test]
async fn the_estimate_is_retried_like_any_call_and_its_refusal_is_returned() {
    let trouble = error_reply(503, "service_unavailable", &[]);
    let peer = Peer::script(vec![trouble, Reply::Reset, estimate(COST), submitted()]).await;
    peer.client().submit("m", json!({})).max_cost(COST).await.unwrap();
    assert_eq!(peer.seen().len(), 4);

    let peer = Peer::script(vec![error_reply(422, "model_input_invalid", &[])]).await;
    let error = peer.client().submit("m", json!({})).max_cost(COST).await.unwrap_err();
    assert!(matches!(error, Error::ModelInputInvalid(_)), "{error:?}");
    assert_eq!(paths(&peer), ["/v1/models/m/estimate"]);
}

#[tokio::test]
async fn a_generation_accepted_at_a_higher_price_is_returned_and_logged() {
    let everything = Everything::here();
    let _guard = tracing::subscriber::set_default(everything.clone());
    let peer = Peer::script(vec![estimate(COST - 1), submitted()]).await;
    let fox = peer.client().submit("m", json!({ "prompt": "a fox" })).max_cost(COST - 1).await.unwrap();
    assert_eq!((fox.id().to_string().as_str(), fox.cost().unwrap().whole().unwrap()), (ID, COST));
    let traced = everything.text();
    let warning = traced.lines().find(|line| line.contains("accepted at more than `max_cost`")).unwrap();
    assert!(warning.contains(ID) && warning.contains("cost=12 max_cost=11"), "{warning}");
}
