//! The body of a delivery, from the result that an API returned.

use clipia::webhook::{Delivery, Payload};
use clipia::{ResultResponse, Status};
use clipia_queue::Failure;

/// The body that a server sends for `result`. `None` if the generation has not ended.
pub(crate) fn body_of(result: &ResultResponse) -> Option<Delivery> {
    let id = result.request_id.clone();
    Some(match result.status {
        Status::Completed => Delivery::completed(
            id,
            Payload {
                model: result.model.clone(),
                output: result.output.clone(),
                cost: result.cost,
                extra: Default::default(),
            },
        ),
        Status::Failed => {
            let unexplained = || Failure::generation("the generation failed; its credits were returned");
            Delivery::failed(id, result.error.clone().unwrap_or_else(|| unexplained().into()))
        }
        Status::Canceled => Delivery::failed(id, Failure::canceled().into()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clipia::json;

    fn body(result: serde_json::Value) -> Option<serde_json::Value> {
        let result: ResultResponse = serde_json::from_value(result).unwrap();
        body_of(&result).map(|body| serde_json::to_value(body).unwrap())
    }

    #[test]
    fn an_outcome_becomes_the_body_of_its_delivery() {
        let output = json!({ "images": [{ "url": "https://media.example/1.webp" }] });
        let completed =
            json!({ "request_id": "7", "status": "COMPLETED", "model": "m", "output": output, "cost": 12 });
        let payload = json!({ "model": "m", "output": output, "cost": 12 });
        assert_eq!(body(completed), Some(json!({ "request_id": "7", "status": "OK", "payload": payload })));
        let error = json!({ "code": "GENERATION_FAILED", "message": "too dark" });
        let failed =
            json!({ "request_id": "7", "status": "FAILED", "model": "m", "error": error, "cost": 0 });
        assert_eq!(body(failed), Some(json!({ "request_id": "7", "status": "ERROR", "error": error })));
        let canceled = body(json!({ "request_id": "7", "status": "CANCELED" })).unwrap();
        assert_eq!(
            (&canceled["status"], &canceled["error"]["code"]),
            (&json!("ERROR"), &json!("GENERATION_FAILED"))
        );
        for status in ["IN_QUEUE", "IN_PROGRESS", "PAUSED"] {
            assert_eq!(body(json!({ "request_id": "7", "status": status })), None, "{status}");
        }
    }
}
