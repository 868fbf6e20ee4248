//! Updates: what a status says of a generation.

use clipia_api::types::{RequestId, ResultResponse, StatusResponse};
use clipia_api::{Progress, Status};
use serde_json::{Map, Value};

/// One change of a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Update {
    /// The id of the generation.
    pub request_id: RequestId,
    /// The status of the generation.
    pub status: Status,
    /// The number of requests ahead in the queue; 0 is next.
    pub queue_position: Option<u64>,
    /// Percent done.
    pub progress: Option<Progress>,
    /// The last lines or records that the model has logged, if any. A self-hosted server gives strings, 50 at most.
    pub logs: Vec<Value>,
    /// Fields that this version does not know.
    pub extra: Map<String, Value>,
}

impl Update {
    /// Whether the update differs from the one before. The end of a generation is one change, even if it is reported
    /// twice.
    pub(crate) fn is_change(&self, before: &Self) -> bool {
        self != before && !(self.status.is_terminal() && self.status == before.status)
    }
}

impl From<StatusResponse> for Update {
    fn from(response: StatusResponse) -> Self {
        let StatusResponse { request_id, status, queue_position, progress, logs, extra, .. } = response;
        Self { request_id, status, queue_position, progress, logs, extra }
    }
}

impl From<Update> for StatusResponse {
    /// The response that brought the update.
    fn from(update: Update) -> Self {
        let Update { request_id, status, queue_position, progress, logs, extra } = update;
        let mut response = Self::new(request_id, status);
        (response.queue_position, response.progress) = (queue_position, progress);
        (response.logs, response.extra) = (logs, extra);
        response
    }
}

impl From<&ResultResponse> for Update {
    fn from(response: &ResultResponse) -> Self {
        Self {
            request_id: response.request_id.clone(),
            status: response.status.clone(),
            queue_position: response.queue_position,
            progress: response.progress,
            logs: Vec::new(),
            extra: Map::new(),
        }
    }
}
