//! The ends of attempts that sessions report.
//!
//! An end is recorded by a task of its own: keeping the files of an output may take longer than a proxy lets a call last. A
//! repeated report waits for it, and is accepted if it is the end that was recorded.

use super::attempts::{Attempt, Found, not_in_force};
use super::authorization::Caller;
use super::order::Order;
use super::{Remote, attempt_named, lines};
use crate::api_error::ApiError;
use crate::blocking::Lost;
use axum::Json;
use axum::extract::{Extension, State};
use clipia_api::error_code::ErrorCode;
use clipia_api::types::Output;
use clipia_queue::Failure;
use clipia_queue::leases::AttemptEnd;
use clipia_queue::logs::LogLines;
use clipia_queue::media_address::urls;
use clipia_remote::types::{CompleteOrder, FailOrder, ReleaseOrder};
use clipia_worker::JobOutput;
use clipia_worker::work::{AttemptId, End, KeepError, Line, ReportRefused};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// The most files of an output.
const FILES_MAX: usize = 4_096;

/// The longest code of a failure, in bytes.
const CODE_BYTES_MAX: usize = 100;

/// The `Retry-After` of an output that cannot be kept now.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// The body of an accepted report.
type Done = Json<()>;

pub(super) async fn complete(
    State(remote): State<Arc<Remote>>,
    Extension(caller): Extension<Caller>,
    Order(order): Order<CompleteOrder>,
) -> Result<Done, ApiError> {
    let CompleteOrder { request_id, epoch, output, files, logs } = order;
    let files: Vec<(String, u64)> = files.into_iter().map(|file| (file.name, file.bytes)).collect();
    check(&output, &files)?;
    let id = attempt_named(&request_id, epoch)?;
    remote.end(caller, id, Reported::Completed(Box::new(output), files), lines(logs)?).await
}

pub(super) async fn fail(
    State(remote): State<Arc<Remote>>,
    Extension(caller): Extension<Caller>,
    Order(order): Order<FailOrder>,
) -> Result<Done, ApiError> {
    let (id, failure, logs) = failure(order)?;
    remote.end(caller, id, Reported::Failed(failure), logs).await
}

pub(super) async fn lose(
    State(remote): State<Arc<Remote>>,
    Extension(caller): Extension<Caller>,
    Order(order): Order<FailOrder>,
) -> Result<Done, ApiError> {
    let (id, failure, logs) = failure(order)?;
    remote.end(caller, id, Reported::Lost(failure), logs).await
}

pub(super) async fn release(
    State(remote): State<Arc<Remote>>,
    Extension(caller): Extension<Caller>,
    Order(order): Order<ReleaseOrder>,
) -> Result<Done, ApiError> {
    let ReleaseOrder { request_id, epoch, logs } = order;
    let id = attempt_named(&request_id, epoch)?;
    remote.end(caller, id, Reported::Released, lines(logs)?).await
}

fn failure(order: FailOrder) -> Result<(AttemptId, Failure, LogLines), ApiError> {
    let FailOrder { request_id, epoch, message, code, logs } = order;
    let id = attempt_named(&request_id, epoch)?;
    let failure = match code {
        None => Failure::generation(message),
        Some(code) if !code.is_empty() && code.len() <= CODE_BYTES_MAX => Failure::coded(code, message),
        Some(_) => return Err(ApiError::invalid(format!("a `code` has 1 to {CODE_BYTES_MAX} bytes"))),
    };
    Ok((id, failure, lines(logs)?))
}

/// Checks that an output and its files belong together: each file once, and no URL that is not the name of one. A URL is part of
/// an address that callers read.
fn check(output: &Output, files: &[(String, u64)]) -> Result<(), ApiError> {
    if files.len() > FILES_MAX {
        return Err(ApiError::invalid(format!("an output has {FILES_MAX} files at most")));
    }
    let mut names = BTreeSet::new();
    if let Some((twice, _)) = files.iter().find(|(name, _)| !names.insert(name.as_str())) {
        return Err(ApiError::invalid(format!("there are two files of the name `{twice}`")));
    }
    match urls(output).find(|url| !names.contains(url)) {
        Some(url) => Err(ApiError::invalid(format!("the output names `{url}`, which is none of its files"))),
        None => Ok(()),
    }
}

/// The end that a session reports.
enum Reported {
    Completed(Box<Output>, Vec<(String, u64)>),
    Failed(Failure),
    Lost(Failure),
    Released,
}

impl Reported {
    /// The end as the store records it.
    fn recorded(&self) -> AttemptEnd {
        match self {
            Self::Completed(..) => AttemptEnd::Completed,
            Self::Failed(_) => AttemptEnd::Failed,
            Self::Lost(_) => AttemptEnd::Lost,
            Self::Released => AttemptEnd::Released,
        }
    }
}

impl Remote {
    /// Records the end of an attempt.
    async fn end(
        self: Arc<Self>,
        caller: Caller,
        id: AttemptId,
        reported: Reported,
        logs: LogLines,
    ) -> Result<Done, ApiError> {
        let span = tracing::Span::current();
        let remote = Arc::clone(&self);
        let ending = async move { remote.record(&caller, id, reported, logs).await };
        let ended = self.tasks.spawn(tracing::Instrument::instrument(ending, span)).await;
        ended.map_err(|error| match error.is_panic() {
            true => ApiError::internal(&Lost::Panicked),
            false => ApiError::internal(&Lost::Ending),
        })??;
        Ok(Json(()))
    }

    async fn record(
        &self,
        caller: &Caller,
        id: AttemptId,
        reported: Reported,
        logs: LogLines,
    ) -> Result<(), ApiError> {
        let as_recorded = reported.recorded();
        // A report of the same end may be under way.
        let known = self.attempts.get(id).filter(|attempt| attempt.session == caller.session);
        let _ending = match &known {
            Some(attempt) => Some(attempt.ending.lock().await),
            None => None,
        };
        let attempt = match known.clone().filter(|attempt| attempt.seems_in_force()) {
            // The store refuses the end if the lease was lost meanwhile.
            Some(attempt) => attempt,
            None => match self.find(caller, id).await? {
                Found::InForce(attempt) => attempt,
                Found::Ended(end) if end.is_repeated_by(as_recorded) => return Ok(()),
                Found::Ended(_) | Found::Others => return Err(not_in_force(id)),
            },
        };
        let end = match reported {
            Reported::Completed(output, files) => self.keep(&attempt, *output, &files).await?,
            Reported::Failed(failure) => End::Failed(failure),
            Reported::Lost(failure) => End::Lost(failure),
            Reported::Released => End::Released,
        };
        match attempt.line.end(id, &end, logs).await {
            Ok(()) => {
                let (name, after) = (end.name(), attempt.counted(&end));
                let worker = &caller.session.worker;
                tracing::info!(request_id = %id.id, worker, outcome = name, seconds = after.as_secs_f64(), "generation ended");
                self.forget(id);
                attempt.line.recorded(id, end).await;
                Ok(())
            }
            Err(error) => {
                let answer = match &error {
                    ReportRefused::Lost(_) => {
                        tracing::warn!(request_id = %id.id, worker = caller.session.worker, %error, "the end of a generation was refused");
                        // Another report may have been faster.
                        match self.find(caller, id).await? {
                            Found::Ended(end) if end.is_repeated_by(as_recorded) => Ok(()),
                            _ => Err(not_in_force(id)),
                        }
                    }
                    ReportRefused::Unrecorded { error, transient: true } => {
                        tracing::error!(request_id = %id.id, %error, "the end of a generation cannot be stored yet");
                        let message = "the end cannot be stored now; the call can be repeated";
                        Err(ApiError::new(ErrorCode::ServiceUnavailable, message).after(RETRY_AFTER))
                    }
                    ReportRefused::Unrecorded { error, transient: false } => Err(ApiError::internal(error)),
                };
                if let (ReportRefused::Lost(_), End::Completed(kept)) = (error, end) {
                    attempt.line.discard(kept).await;
                }
                answer
            }
        }
    }

    /// Has the files of an output kept.
    async fn keep(
        &self,
        attempt: &Attempt,
        output: Output,
        files: &[(String, u64)],
    ) -> Result<End, ApiError> {
        let staged = attempt.files().await.map_err(|error| self.no_room(0, error))?;
        let made = JobOutput { output, files: staged.whole(files)? };
        match attempt.line.keep_files(attempt.id, made).await {
            Ok(kept) => Ok(End::Completed(kept)),
            Err(KeepError::Unfit(why)) => Ok(End::Failed(Failure::generation(why))),
            Err(KeepError::NoRoom) => {
                let message = "the server cannot keep a file now; the call can be repeated";
                Err(ApiError::new(ErrorCode::ServiceUnavailable, message).after(RETRY_AFTER))
            }
            Err(KeepError::Lost) => Err(attempt.lost()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clipia_api::types::Image;

    #[test]
    fn an_output_names_its_own_files_alone() {
        let output = |url: &str| {
            let mut output = Output::default();
            output.images.push(Image::at(url.to_owned()));
            output
        };
        let files = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), 1)).collect::<Vec<_>>();
        assert!(check(&output("a.png"), &files(&["a.png", "b.txt"])).is_ok());
        assert!(check(&Output::default(), &[]).is_ok());
        for (url, names) in [
            ("a.png", &[][..]),
            ("../a.png", &["a.png"]),
            ("https://elsewhere/a.png", &["a.png"]),
            ("/media/x/y/a.png", &["a.png"]),
            ("a.png", &["a.png", "a.png"]),
        ] {
            assert!(check(&output(url), &files(names)).is_err(), "{url} {names:?}");
        }
    }
}
