//! How long a call may take.

use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// The most that a stop of this process takes of a limit.
const TICK: Duration = Duration::from_secs(1);

/// The time that the parts of a call have together.
///
/// It is that in which this process runs, give or take a second. A process that is stopped for a minute, as by a suspended
/// container, finds the answers that came meanwhile; a deadline would have it throw them away and blame their hosts.
#[derive(Debug)]
pub struct TimeLimit {
    left: Duration,
}

impl TimeLimit {
    /// A limit of `most`.
    pub fn new(most: Duration) -> Self {
        Self { left: most }
    }

    /// What comes of `part`; nothing where the time is over before that.
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
    async fn a_stop_of_the_process_is_none_of_the_time() {
        let (answers, answer) = oneshot::channel();
        let call = tokio::spawn(async move { TimeLimit::new(MOST).of(answer).await });
        tokio::task::yield_now().await;
        advance(Duration::from_secs(40)).await;
        // The process goes on, and what came meanwhile is read a little later than the clock.
        sleep(Duration::from_millis(100)).await;
        answers.send("here").unwrap();
        assert_eq!(call.await.unwrap(), Some(Ok("here")));
    }
}
