//! The wait for the end of generations, in one call.

use crate::call::Call;
use crate::progress::{in_words, percent};
use clipia::{Clipia, Completed, Error, Outcome, RequestId, ResultResponse, Update};
use futures_util::future::join_all;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What is known of a generation.
pub(crate) struct Known {
    pub(crate) response: ResultResponse,
    /// The output, with which its files can be fetched.
    pub(crate) completed: Option<Completed>,
}

impl Known {
    pub(crate) fn of(outcome: Outcome) -> Self {
        let response = outcome.response().clone();
        let completed = match outcome {
            Outcome::Completed(completed) => Some(completed),
            _ => None,
        };
        Self { response, completed }
    }

    /// Asks what is known now.
    pub(crate) async fn now(clipia: &Clipia, id: &RequestId) -> Result<Self, Error> {
        let response = clipia.result(id).await?;
        if !response.status.is_terminal() {
            return Ok(Self { response, completed: None });
        }
        clipia.generation(id).outcome().await.map(Self::of)
    }
}

/// Waits until every one of these generations has ended, for at most `longest`, or until nobody waits any more. Returns what is known of each
/// then, in the same order.
pub(crate) async fn wait(call: &Call<'_>, ids: &[RequestId], longest: Duration) -> Vec<Result<Known, Error>> {
    let (sender, receiver) = unbounded_channel();
    let waits = join_all(ids.iter().enumerate().map(|(index, id)| {
        let sender = sender.clone();
        wait_for(call, id, longest, index, sender)
    }));
    let ended = async {
        tokio::select! {
            ended = waits => Some(ended),
            () = call.given_up() => None,
            () = tell(call, receiver, ids.len()) => None,
        }
    };
    let ended = if longest.is_zero() { None } else { ended.await };
    match ended {
        Some(ended) => ended,
        None => join_all(ids.iter().map(|id| Known::now(call.clipia(), id))).await,
    }
}

async fn wait_for(
    call: &Call<'_>,
    id: &RequestId,
    longest: Duration,
    index: usize,
    updates: UnboundedSender<(usize, Update)>,
) -> Result<Known, Error> {
    let mut wait = call.clipia().generation(id).wait().timeout(longest);
    // A wait that is watched takes more calls of the API.
    if call.context.meta.get_progress_token().is_some() {
        wait = wait.on_update(move |update| {
            // The receiver is gone once nobody waits.
            let _ = updates.send((index, update.clone()));
        });
    }
    match wait.await {
        Ok(outcome) => Ok(Known::of(outcome)),
        Err(Error::Deadline { .. }) => Known::now(call.clipia(), id).await,
        Err(error) => Err(error),
    }
}

/// Tells the updates of so many generations, until it is dropped.
async fn tell(call: &Call<'_>, mut updates: UnboundedReceiver<(usize, Update)>, generations: usize) {
    let Some(mut progress) = call.progress() else { return std::future::pending().await };
    let mut percents = vec![0.0; generations];
    while let Some((index, update)) = updates.recv().await {
        percents[index] = percent(&update);
        let ended = percents.iter().filter(|percent| **percent >= 100.0).count();
        let message = match generations {
            1 => in_words(&update.status, update.queue_position, update.progress),
            _ => format!("{ended} of {generations} have ended"),
        };
        progress.tell(percents.iter().sum::<f64>() / generations as f64, message).await;
    }
    // Every wait has ended.
    std::future::pending().await
}
