//! Beats: one call at a time carries those of all attempts of a session.

use super::backoff::pause;
use super::calls::{CALL_MAX, CallFailed, Series, Shared, within};
use super::session::Session;
use super::wire;
use crate::work::{AttemptId, ReportRefused};
use clipia_remote::types::{BeatAnswer, BeatOrder, JobBeat};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;
use tokio::time::sleep;

/// The most failures that the pause after a failed call grows with: a lease lasts 30 s, and the next beat must come well before.
const FAILURES_MAX: u32 = 4;

/// The beats of a session.
pub(super) struct Beats {
    session: Arc<Session>,
    waiting: Mutex<Waiting>,
    series: Series,
}

/// The beats that the next call carries.
#[derive(Default)]
struct Waiting {
    beats: Vec<Waiter>,
    /// Whether a task makes calls.
    is_calling: bool,
}

struct Waiter {
    attempt: AttemptId,
    beat: JobBeat,
    answer: oneshot::Sender<Result<(), ReportRefused>>,
}

/// The lease of an attempt is not in force.
#[derive(Debug, thiserror::Error)]
#[error("the lease is not in force: {0}")]
struct NotInForce(String);

/// The response says nothing of an attempt.
#[derive(Debug, thiserror::Error)]
#[error("the server did not say whether the attempt goes on")]
struct Unsaid;

impl Beats {
    /// The beats of a session.
    pub(super) fn new(session: Arc<Session>) -> Arc<Self> {
        Arc::new(Self { session, waiting: Mutex::default(), series: Series::new("the report of progress") })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a beat with the next call.
    pub(super) async fn send(
        self: &Arc<Self>,
        attempt: AttemptId,
        beat: JobBeat,
    ) -> Result<(), ReportRefused> {
        let (answer, answered) = oneshot::channel();
        let is_calling = {
            let mut waiting = self.waiting();
            waiting.beats.push(Waiter { attempt, beat, answer });
            std::mem::replace(&mut waiting.is_calling, true)
        };
        if !is_calling {
            // A task of its own: an attempt that ends must not take the beats of others with it.
            tokio::spawn(Arc::clone(self).call_on());
        }
        answered.await.unwrap_or_else(|_| Err(unrecorded(Arc::new(Unsaid), true)))
    }

    /// Makes calls as long as there are beats.
    async fn call_on(self: Arc<Self>) {
        let mut failures = 0;
        loop {
            let beats = {
                let mut waiting = self.waiting();
                // An attempt that has ended does not wait for its answer.
                waiting.beats.retain(|waiter| !waiter.answer.is_closed());
                if waiting.beats.is_empty() {
                    waiting.is_calling = false;
                    return;
                }
                std::mem::take(&mut waiting.beats)
            };
            let order = BeatOrder { jobs: beats.iter().map(|waiter| waiter.beat.clone()).collect() };
            let response = within(CALL_MAX, self.session.remote.beat(&order)).await;
            match &response {
                Ok(_) => {
                    failures = 0;
                    self.series.succeeded();
                }
                Err(error) => {
                    failures = (failures + 1).min(FAILURES_MAX);
                    self.series.failed(error);
                }
            }
            self.answer(beats, response);
            if failures > 0 {
                sleep(pause(failures, rand::random())).await;
            }
        }
    }

    /// Tells each attempt what becomes of it.
    fn answer(&self, beats: Vec<Waiter>, response: Result<BeatAnswer, CallFailed>) {
        let answers = match response {
            Ok(answer) => answer.jobs,
            Err(error) => {
                let is_revoked = self.session.is_revoked(error.refused(), &error);
                let transient = error.is_transient();
                let error: Shared = Arc::new(error);
                for waiter in beats {
                    let error = Arc::clone(&error);
                    // Leases of a revoked worker have ended.
                    let refused =
                        if is_revoked { ReportRefused::Lost(error) } else { unrecorded(error, transient) };
                    let _ = waiter.answer.send(Err(refused));
                }
                return;
            }
        };
        let mut said: HashMap<_, _> =
            answers.into_iter().map(|answer| ((answer.request_id.clone(), answer.epoch), answer)).collect();
        for waiter in beats {
            let answer = match said.remove(&(wire::request(waiter.attempt), waiter.attempt.epoch.0)) {
                Some(answer) if answer.goes_on => Ok(()),
                Some(answer) => {
                    let why = answer
                        .why
                        .unwrap_or_else(|| "the request was canceled, or its lease expired".to_owned());
                    Err(ReportRefused::Lost(Arc::new(NotInForce(why))))
                }
                None => Err(unrecorded(Arc::new(Unsaid), true)),
            };
            // An attempt that has ended meanwhile does not listen.
            let _ = waiter.answer.send(answer);
        }
    }
}

fn unrecorded(error: Shared, transient: bool) -> ReportRefused {
    ReportRefused::Unrecorded { error, transient }
}
