//! Submits: the script of a request is found, and learned with the request's id.

use super::read::scripted;
use super::{Call, Made, body, has_secret, refused};
use crate::Operation;
use crate::layer::body::Received;
use crate::scripts::Submit;
use crate::words::{self, DeliveryTime, Script, Word, WordError};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use clipia_api::error_code::ErrorCode;
use clipia_server::ApiError;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Runs a submit.
pub(super) async fn submit(mut call: Call, body: Body) -> Response {
    let (read, body) = body::read(body).await;
    let members: Map<String, Value> = serde_json::from_slice(&read).unwrap_or_default();
    drop(read);
    let webhook_url = members.get("webhook_url").and_then(Value::as_str);
    let has_webhook = webhook_url.is_some();
    if webhook_url.is_some_and(has_secret) {
        call.note.secret_in = Some("its `webhook_url`");
    }
    let input = members.get("input").and_then(Value::as_object);
    call.note.input = input.cloned();
    let (submit, script) = match script(&call, input) {
        Ok(found) => found,
        Err(error) => {
            let refused = ApiError::new(ErrorCode::ModelInputInvalid, error.to_string());
            return call.end(Received::whole(refused.into_response()).await);
        }
    };
    call.note.script = Some(script.to_string()).filter(|words| !words.is_empty());
    if let Some(reject) = call.emulation.scripts.refuse(&submit) {
        let by = format!("{}={reject}", Word::Reject);
        let why = format!("the emulator refused this submit: its script says `{by}`");
        let mut response = Received::whole(refused(reject.refusal, None, why)).await;
        response.mark(&by);
        call.note.fault = Some(by);
        return call.end(response);
    }
    let fault = call.emulation.fault(Operation::Submit);
    if let Some(fault) = &fault
        && let Some(bent) = super::bend::before(fault)
    {
        call.emulation.scripts.forget(&submit);
        return call.end_bent(fault, bent).await;
    }
    let is_early = has_webhook && script.deliver.time == DeliveryTime::Early;
    let made = accept(&mut call, &submit, &script, is_early, body).await;
    call.end_made(fault, made).await
}

/// The script of a submit.
fn script(call: &Call, input: Option<&Map<String, Value>>) -> Result<(Submit, Arc<Script>), WordError> {
    let nothing = Map::new();
    let (in_prompt, prompt) = words::of_input(input.unwrap_or(&nothing))?;
    let model = call.note.model.as_deref().unwrap_or_default();
    let key = call.note.key.as_ref().map(|key| key.hash);
    let submit = Submit::new(key, call.note.idempotency_key.as_deref(), model, prompt);
    let script = call.emulation.scripts.choose(&submit, model, in_prompt, prompt);
    Ok((submit, script))
}

/// Has the server take a submit, and learns the id of its request.
async fn accept(call: &mut Call, submit: &Submit, script: &Arc<Script>, is_early: bool, body: Body) -> Made {
    let under_way = call.emulation.scripts.submit_begins();
    let response = call.run(body).await;
    let id = response.json.as_ref().and_then(|json| json.get("request_id")).and_then(Value::as_str);
    let accepted = id.filter(|_| response.parts.status.is_success()).and_then(|id| id.parse().ok());
    let Some(request) = accepted else {
        call.emulation.scripts.forget(submit);
        return Made { response, bent_by: None };
    };
    call.note.request = Some(request);
    if is_early {
        // Before the executor learns the script, so before the request ends.
        call.emulation.early.expect(request);
    }
    call.emulation.scripts.learn(request, submit, script, call.emulation.server.now());
    drop(under_way);
    let is_unfinished = response.is_unfinished();
    scripted(response, script, |json| {
        if let Some(first) = script.position.first().filter(|_| is_unfinished) {
            json.insert("queue_position".to_owned(), (*first).into());
        }
    })
}
