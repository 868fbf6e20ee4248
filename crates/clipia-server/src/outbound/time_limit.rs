//! The time limit of a call.

use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// The most time that the limit loses when this process is stopped for a while.
const TICK: Duration = Duration::from_secs(1);

/// A time limit for all parts of a call together.
///
/// Only the time in which this process runs counts, give or take a second. A process that was stopped for a minute, as in a
/// suspended container, still reads the responses that came meanwhile. A deadline would discard them, and blame their hosts.
#[derive(Debug)]
pub struct TimeLimit {
    left: Duration,
}

impl TimeLimit {
    /// A limit of `most`.
    pub fn new(most: Duration) -> Self {
        Self { left: most }
    }

    /// The result of `part`; none if the time is over first.
    pub async fn of<T>(&mut self, part: impl Future<Output = T>) -> Option<T> {
        let mut part = pin!(part);
        while !self.left.is_zero() {
            let (tick, began) = (self.left.min(TICK), Instant::now());
            let done = timeout(tick, part.as_mut()).await.ok();
            self.left -= began.elapsed().min(tick);
            if done.is_some() {
                return done;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use tokio::sync::oneshot;
    use tokio::time::{advance, sleep};

    const MOST: Duration = Duration::from_millis(4_500);

    #[tokio::test(start_paused = true)]
    async fn the_parts_of_a_call_share_the_time() {
        let (began, mut limit) = (Instant::now(), TimeLimit::new(MOST));
        assert!(limit.of(sleep(Duration::from_millis(2_300))).await.is_some());
        assert!(limit.of(pending::<()>()).await.is_none());
        assert!(began.elapsed() - MOST < Duration::from_millis(10), "{:?}", began.elapsed());
        assert!(limit.of(async {}).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_of_a_stopped_process_does_not_count() {
        let (sender, response) = oneshot::channel();
        let call = tokio::spawn(async move { TimeLimit::new(MOST).of(response).await });
        tokio::task::yield_now().await;
        advance(Duration::from_secs(40)).await;
        // The process goes on, and reads the response a little later.
        sleep(Duration::from_millis(100)).await;
        sender.send("here").unwrap();
        assert_eq!(call.await.unwrap(), Some(Ok("here")));
    }
}
