//! Values of the wire and of this crate.

use crate::executor::JobError;
use crate::job::Job;
use crate::work::AttemptId;
use clipia_queue::lifecycle::Epoch;
use clipia_queue::logs::LogLines;
use clipia_queue::{AccountId, RequestId};
use clipia_remote::types;
use std::sync::Arc;

/// An attempt as the wire names it.
pub(super) fn name(attempt: AttemptId) -> types::AttemptName {
    types::AttemptName { epoch: attempt.epoch.0, request_id: request(attempt) }
}

/// A request as the wire names it.
pub(super) fn request(attempt: AttemptId) -> clipia_api::RequestId {
    attempt.id.to_string().into()
}

/// Log lines for a report; none where there is no line.
pub(super) fn lines(logs: LogLines) -> Option<types::LoggedLines> {
    let lines = types::LoggedLines { lines: logs.lines.into(), offset: logs.offset };
    (!lines.lines.is_empty()).then_some(lines)
}

/// The attempt and the work of a claimed request; none if its id is not one of ours.
pub(super) fn job(claimed: types::ClaimedJob) -> Option<(AttemptId, Result<Job, JobError>)> {
    let id = RequestId(claimed.request_id.as_str().parse().ok()?);
    let attempt = AttemptId { id, epoch: Epoch(claimed.epoch) };
    let job = Job {
        id,
        account: AccountId(claimed.account_id),
        model: Arc::new(claimed.model),
        input: claimed.input,
        base_url: claimed.base_url,
        source: None,
        directory: None,
    };
    Some((attempt, Ok(job)))
}
