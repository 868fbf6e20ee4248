//! Tasks of the protocol's extension `io.modelcontextprotocol/tasks`. The id of a task is that of its request, and everything about it
//! is asked of the API: so a task outlives every server of tools.

use crate::progress::in_words;
use crate::refusal::Refusal;
use crate::result::{Show, Shown};
use crate::waiting::Known;
use clipia::{Clipia, Error, RequestId, ResultResponse, Status, Timestamp};
use rmcp::ErrorData;
use rmcp::model::{DetailedTask, GetTaskResult, Task, TaskPayload, TaskStatus};
use serde_json::Value;

/// How long a task is kept for certain, in milliseconds since its submit. Every submit has an idempotency key, and a request with one
/// is kept for a day at least.
const TTL_MS: u64 = 24 * 60 * 60 * 1_000;

/// How often a client should ask, in milliseconds: often enough to notice the end of an image, and rarely enough that ten tasks fit
/// into the 120 requests a minute of a key.
const POLL_MS: u64 = 5_000;

/// The task of a generation.
pub(crate) fn task_of(response: &ResultResponse) -> Task {
    let now = Timestamp::now();
    let at = |time: Option<Timestamp>| format!("{:.3}", time.unwrap_or(now));
    let (status, words) = match response.status {
        Status::Completed | Status::Failed => (TaskStatus::Completed, response.status.to_string()),
        Status::Canceled => {
            (TaskStatus::Cancelled, "an operator canceled it; the credits were returned".to_owned())
        }
        _ => (TaskStatus::Working, in_words(&response.status, response.queue_position, response.progress)),
    };
    Task::new(response.request_id.as_str(), status, at(response.created_at), at(response.completed_at))
        .with_status_message(words)
        .with_ttl_ms(TTL_MS)
        .with_poll_interval_ms(POLL_MS)
}

/// The answer to `tasks/get`.
pub(crate) async fn get(clipia: &Clipia, id: &str, show: Show<'_>) -> Result<GetTaskResult, ErrorData> {
    let known = Known::now(clipia, &RequestId::from(id)).await.map_err(unknown)?;
    let task = task_of(&known.response);
    let payload = match known.response.status {
        // A generation that failed is a tool that failed, and not a protocol that did.
        Status::Completed | Status::Failed => {
            let result = Shown::of(&known, show).await.result();
            match serde_json::to_value(result) {
                Ok(Value::Object(result)) => TaskPayload::Completed { result },
                _ => return Err(ErrorData::internal_error("the result is no object", None)),
            }
        }
        Status::Canceled => TaskPayload::Cancelled,
        _ => TaskPayload::Working,
    };
    Ok(GetTaskResult::new(DetailedTask::new(task, payload)))
}

/// The answer to `tasks/cancel`: a task that has ended needs none, and the API cancels no other.
pub(crate) async fn cancel(clipia: &Clipia, id: &str) -> Result<(), ErrorData> {
    let response = clipia.result(id).await.map_err(unknown)?;
    if response.status.is_terminal() {
        return Ok(());
    }
    Err(ErrorData::invalid_request(
        format!(
            "the API cannot cancel a generation: {id} goes on, and is charged if it completes. An operator of a server of your own cancels it with `clipia requests cancel {id}`"
        ),
        None,
    ))
}

fn unknown(error: Error) -> ErrorData {
    let is_unknown = matches!(error, Error::NotFound(_) | Error::Input(_));
    let Refusal(message) = error.into();
    if is_unknown {
        ErrorData::invalid_params(message, None)
    } else {
        ErrorData::internal_error(message, None)
    }
}
