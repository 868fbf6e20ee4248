//! A submit with `max_cost` asks for the price first, and is not sent if the price is higher.

use crate::emulated::{COST, Emulated, MODEL, input};
use crate::peer::{ID, Peer, json_reply, submitted};
use crate::secrets::Everything;
use clipia::{Credits, Error, FoundBy, json};

#[tokio::test]
async fn a_higher_price_is_refused_with_the_estimate() {
    let emulated = Emulated::new(&[]);
    let error = emulated.client().submit(MODEL, input("")).max_cost(5).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "this costs 12 credits, more than the 5 allowed by `max_cost`; nothing was submitted"
    );
    assert!(!error.is_retryable() && error.code().is_none() && error.request_id().is_none());
    let Error::MaxCost { model, estimate, max_cost } = error else { panic!("{error:?}") };
    assert_eq!((model.as_str(), estimate, max_cost), (MODEL, Credits::new(COST), 5.into()));
    assert_eq!(emulated.operations(), ["estimate"]);
}

#[tokio::test]
async fn an_allowed_price_is_submitted_and_never_cached() {
    let emulated = Emulated::new(&[]);
    let clipia = emulated.client();
    let fox = clipia.submit(MODEL, input("")).max_cost(Credits::new(COST)).await.unwrap();
    assert_eq!(fox.cost(), Some(COST.into()));
    clipia.subscribe(MODEL, input("@polls=2")).max_cost(COST).await.unwrap().completed().unwrap();
    let refused = clipia.subscribe(MODEL, input("")).max_cost(COST - 1).await;
    assert!(matches!(refused, Err(Error::MaxCost { .. })));
    let (estimate, submit, result) = ("estimate", "submit", "result");
    assert_eq!(emulated.operations(), [estimate, submit, estimate, submit, result, result, estimate]);
}

#[tokio::test]
async fn the_estimate_is_retried_like_any_call_and_its_refusal_is_returned() {
    let emulated = Emulated::new(&["estimate 503 x1", "estimate reset x1"]);
    let clipia = emulated.client();
    clipia.submit(MODEL, input("")).max_cost(COST).await.unwrap();
    assert_eq!(emulated.operations(), ["estimate", "estimate", "estimate", "submit"]);
    let error = clipia.submit(MODEL, json!({})).max_cost(COST).await.unwrap_err();
    assert!(matches!(&error, Error::Input(input) if input.found_by() == FoundBy::Server), "{error:?}");
    assert_eq!(emulated.operations().len(), 5);
}

/// The price that a server names and the one that it charges differ.
#[tokio::test]
async fn a_generation_accepted_at_a_higher_price_is_returned_and_logged() {
    let everything = Everything::here();
    let _guard = tracing::subscriber::set_default(everything.clone());
    let peer = Peer::script(vec![json_reply(200, json!({ "credits": COST - 1 })), submitted()]).await;
    let fox = peer.client().submit("m", json!({ "prompt": "a fox" })).max_cost(COST - 1).await.unwrap();
    assert_eq!((fox.id().to_string().as_str(), fox.cost().unwrap().whole().unwrap()), (ID, COST));
    let traced = everything.text();
    let warning = traced.lines().find(|line| line.contains("accepted at more than `max_cost`")).unwrap();
    assert!(warning.contains(ID) && warning.contains("cost=12 max_cost=11"), "{warning}");
}
