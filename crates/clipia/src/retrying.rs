//! Repeats the attempts of a call, as `retry` decides.

use crate::error::Error;
use crate::request::Operation;
use crate::retry::{self, Attempts, Bounds};
use crate::shared_budget::now;
use std::future::Future;

/// Repeats an attempt until it succeeds, or until `retry` ends the call. `attempt` takes the number of attempts before
/// it.
pub(crate) async fn retrying<T, A, F>(
    operation: Operation<'_>,
    bounds: Bounds,
    mut attempt: A,
) -> Result<T, Error>
where
    A: FnMut(u32) -> F,
    F: Future<Output = Result<T, Error>>,
{
    // The time counts from the first response, because waiting for the request budget is no attempt.
    let (mut begun, mut attempts) = (None, Attempts::default());
    loop {
        let error = match attempt(attempts.count()).await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        attempts = attempts.with(&error);
        let elapsed = now().saturating_duration_since(*begun.get_or_insert_with(now));
        let Some(pause) = retry::decide(&error, attempts, elapsed, bounds, rand::random()) else {
            return Err(operation.ended(error.after(attempts.count(), elapsed), attempts));
        };
        let (tries, pause_ms) = (attempts.count(), pause.as_millis() as u64);
        let (elapsed_ms, waits_for) = (elapsed.as_millis() as u64, retry::waits_for(&error));
        tracing::info!(%error, tries, elapsed_ms, pause_ms, waits_for, "trying again");
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ApiError;
    use std::time::Duration;

    fn api(http_status: u16, code: &str, retry_after: Option<u64>) -> Error {
        let retry_after = retry_after.map(Duration::from_secs);
        Error::from_api(ApiError { retry_after, ..ApiError::bare(http_status, code) })
    }

    async fn submit(
        bounds: Bounds,
        mut respond: impl FnMut(u32) -> Result<(), Error>,
    ) -> (Result<(), Error>, Duration) {
        let begun = now();
        let ended =
            retrying(Operation::submit("m", "mine"), bounds, |tries| std::future::ready(respond(tries)));
        (ended.await, now() - begun)
    }

    const BOUNDS: Bounds =
        Bounds { retries: 5, within: Duration::from_secs(600), pause_first: Duration::from_millis(500) };

    #[tokio::test(start_paused = true)]
    async fn a_fleet_beyond_the_limit_gets_through_while_there_is_time() {
        let (ended, took) = submit(BOUNDS, |tries| match tries {
            0..60 => Err(api(429, "concurrency_limit_exceeded", Some(5))),
            _ => Ok(()),
        })
        .await;
        assert!(ended.is_ok() && (300..320).contains(&took.as_secs()), "{ended:?} {took:?}");

        let (ended, took) = submit(BOUNDS, |_| Err(api(429, "concurrency_limit_exceeded", Some(5)))).await;
        let error = ended.unwrap_err();
        assert!(matches!(error, Error::ConcurrencyLimitExceeded(_)), "{error:?}");
        assert!((590..=600).contains(&took.as_secs()), "{took:?}");
        let api = error.api().unwrap();
        assert!(api.attempts() > 100 && api.elapsed() == took, "{api:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn failures_end_the_call_by_count_or_by_time() {
        let (ended, _) = submit(BOUNDS, |_| Err(api(503, "service_unavailable", None))).await;
        assert_eq!(ended.unwrap_err().api().unwrap().attempts(), 6);
        let short = Bounds { within: Duration::from_secs(12), ..BOUNDS };
        let (ended, took) = submit(short, |_| Err(api(503, "service_unavailable", Some(5)))).await;
        assert_eq!(ended.unwrap_err().api().unwrap().attempts(), 3);
        assert!(took <= Duration::from_secs(12), "{took:?}");
    }
}
