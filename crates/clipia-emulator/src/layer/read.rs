//! Reads of the status and the result of a scripted request.

use super::body::Received;
use super::{Call, Made};
use crate::Operation;
use crate::scripts::Read;
use crate::words::Script;
use axum::body::Body;
use clipia_api::Status;
use clipia_queue::RequestId;
use http::StatusCode;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// How long a read is held for the end of a request that its script says now, in real time.
const END_WAIT: Duration = Duration::from_secs(5);

/// Runs a read, and writes what the script says into its response.
pub(super) async fn read(call: &mut Call, request: RequestId, body: Body) -> Made {
    let script = call.emulation.scripts.learned(request);
    call.note.script = script.as_ref().map(|script| script.to_string()).filter(|words| !words.is_empty());
    let mut response = call.run(body).await;
    // Only who may read the request takes it a step on.
    if response.is_unfinished() {
        let now = call.emulation.server.now();
        match call.emulation.scripts.read(request, now) {
            Read::AsItIs => {}
            Read::Scripted(script, step) => {
                return scripted(response, &script, |json| script.write_step(step, json));
            }
            Read::End => {
                let ended = call.emulation.server.ended(request);
                let in_time = async { tokio::time::timeout(END_WAIT, ended).await.unwrap_or_default() };
                call.emulation.hold(in_time).await;
                response = call.run(Body::empty()).await;
            }
        }
    }
    // Only a response to who may read the request tells of its end.
    let has_ended = response.parts.status.is_success() && !response.is_unfinished();
    if let Some(script) = script.as_deref().filter(|_| has_ended)
        && call.emulation.early.hides_end(request)
    {
        response.parts.status = match call.note.operation {
            Some(Operation::Result) => StatusCode::ACCEPTED,
            _ => response.parts.status,
        };
        return scripted(response, script, hide_end);
    }
    match script {
        Some(script) => scripted(response, &script, |_| {}),
        None => Made { response, bent_by: None },
    }
}

/// The response with what the script says.
pub(super) fn scripted(
    mut response: Received,
    script: &Script,
    write: impl FnOnce(&mut Map<String, Value>),
) -> Made {
    let before = response.json.as_ref().filter(|_| response.parts.status.is_success());
    let Some(Value::Object(before)) = before else { return Made { response, bent_by: None } };
    let mut json = before.clone();
    write(&mut json);
    if script.extra {
        add_unknown_fields(&mut json);
    }
    if json == *before {
        return Made { response, bent_by: None };
    }
    response.replace(Value::Object(json));
    Made { response, bent_by: Some(script.names_of_reads()) }
}

/// Writes that a request which has ended still runs.
fn hide_end(json: &mut Map<String, Value>) {
    for name in ["output", "error", "completed_at", "expired_at"] {
        json.remove(name);
    }
    json.insert("status".to_owned(), Status::InProgress.as_str().into());
    json.insert("progress".to_owned(), 99.into());
}

/// Adds fields that no client knows.
fn add_unknown_fields(json: &mut Map<String, Value>) {
    let unknown =
        || json!({"text": "a field that this client does not know", "list": [1, null, {"deep": true}]});
    if let Some(Value::Object(output)) = json.get_mut("output") {
        output.insert("emulator_extra".to_owned(), unknown());
    }
    json.insert("emulator_extra".to_owned(), unknown());
}
