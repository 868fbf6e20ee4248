//! The beats of a session: they prolong its leases.

use super::attempts::{Attempt, not_in_force};
use super::authorization::Caller;
use super::order::Order;
use super::{Remote, attempt_named, lines};
use crate::api_error::ApiError;
use crate::store::{Beat, WorkRefused};
use axum::Json;
use axum::extract::{Extension, State};
use clipia_remote::types::{BeatAnswer, BeatOrder, JobAnswer, JobBeat};
use clipia_worker::work::AttemptId;
use futures_util::stream::{self, StreamExt};
use std::sync::Arc;

/// The most attempts of an order.
const JOBS_MAX: usize = 4_096;

/// The questions to the store at once for one order: they share commits.
const AT_ONCE: usize = 32;

pub(super) async fn beat(
    State(remote): State<Arc<Remote>>,
    Extension(caller): Extension<Caller>,
    Order(order): Order<BeatOrder>,
) -> Result<Json<BeatAnswer>, ApiError> {
    if order.jobs.len() > JOBS_MAX {
        return Err(ApiError::invalid(format!("an order has {JOBS_MAX} attempts at most")));
    }
    remote.sessions.heard(remote.store.as_ref(), &caller.session, None).await?;
    let (mut reports, mut answers) = (Vec::new(), Vec::new());
    for job in order.jobs {
        let id = attempt_named(&job.request_id, job.epoch)?;
        reports.push((id, Report::new(id, job)?));
        answers.push(id);
    }
    let accepted = remote.report(&caller, reports).await?;
    let answer = |(id, why): (AttemptId, Option<String>)| JobAnswer {
        request_id: id.id.into(),
        epoch: id.epoch.0,
        goes_on: why.is_none(),
        why,
    };
    let say = caller.word();
    remote.sessions.said(&caller.session, say);
    Ok(Json(BeatAnswer { jobs: answers.into_iter().zip(accepted).map(answer).collect(), say }))
}

/// What a session reports of an attempt.
enum Report {
    /// Its inputs are being fetched.
    Preparing,
    Beat(Beat),
}

impl Report {
    fn new(AttemptId { id, epoch }: AttemptId, job: JobBeat) -> Result<Self, ApiError> {
        if job.preparing {
            return Ok(Self::Preparing);
        }
        let progress = job.progress.unwrap_or_default();
        Ok(Self::Beat(Beat { id, epoch, progress, logs: lines(job.logs)? }))
    }
}

impl Remote {
    /// Reports to the store. Says of each report why its lease is not in force; nothing where it was prolonged.
    async fn report(
        &self,
        caller: &Caller,
        reports: Vec<(AttemptId, Report)>,
    ) -> Result<Vec<Option<String>>, ApiError> {
        let ids: Vec<AttemptId> = reports.iter().map(|(id, _)| *id).collect();
        let known = stream::iter(ids.into_iter().map(|id| self.held(caller, id)));
        let known: Vec<_> = known.buffered(AT_ONCE).collect().await;
        // What is not said of a report below is that its lease is not in force.
        let mut answers = Vec::new();
        let (mut beats, mut holds) = (Vec::new(), Vec::new());
        for (place, ((id, report), known)) in reports.into_iter().zip(known).enumerate() {
            answers.push(Some(not_in_force(id).message().to_owned()));
            match (known?, report) {
                (None, _) => {}
                (Some(attempt), Report::Preparing) => holds.push((place, attempt)),
                (Some(attempt), Report::Beat(beat)) => beats.push((place, attempt, beat)),
            }
        }
        let (places, beats): (Vec<_>, Vec<_>) =
            beats.into_iter().map(|(place, attempt, beat)| ((place, attempt), beat)).unzip();
        let holding = holds.iter().map(|(_, attempt)| attempt.id).collect::<Vec<_>>();
        let holding = holding.into_iter().map(|id| self.store.hold(id.id, id.epoch));
        let held: Vec<_> = stream::iter(holding).buffered(AT_ONCE).collect().await;
        let beaten = if beats.is_empty() { Vec::new() } else { self.store.beat_many(beats).await? };
        let held = holds.into_iter().zip(held).map(|(whose, result)| (whose, result, true));
        let beaten = places.into_iter().zip(beaten).map(|(whose, result)| (whose, result, false));
        for ((place, attempt), result, preparing) in held.chain(beaten) {
            let answer = self.prolonged(&attempt, result, preparing)?;
            if let Some(place) = answers.get_mut(place) {
                *place = answer;
            }
        }
        Ok(answers)
    }

    /// Notes what the store said to a report. Says why the lease is not in force; nothing where it was prolonged.
    fn prolonged(
        &self,
        attempt: &Attempt,
        result: Result<(), WorkRefused>,
        preparing: bool,
    ) -> Result<Option<String>, ApiError> {
        match result {
            Ok(()) => {
                attempt.prolonged(preparing);
                Ok(None)
            }
            Err(WorkRefused::Store(error)) => Err(error.into()),
            Err(refused) => {
                tracing::info!(request_id = %attempt.id.id, worker = attempt.session.worker, error = %refused, "a worker elsewhere has lost its lease");
                self.forget(attempt.id);
                Ok(Some(refused.to_string()))
            }
        }
    }
}
