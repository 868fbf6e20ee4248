//! A pause of work whose cause is the server's own: a disk without room, an executor that cannot work now.
//!
//! Nothing fails for such a cause. The work is given back, and one tries again after a backoff until it succeeds.

use crate::metrics::Metrics;
use prometheus_client::metrics::gauge::Gauge;
use std::fmt::{self, Display};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// The first backoff.
const BACKOFF_MIN: Duration = Duration::from_secs(1);

/// The longest backoff: room is noticed so much later at most.
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// Whether work pauses, and until when.
pub struct Pause {
    of: String,
    /// What `/metrics` shows, and what is asked before each claim: it takes no lock.
    on: Gauge,
    changed: watch::Sender<bool>,
    state: Mutex<State>,
    trying: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    current: Option<Current>,
    /// The latest backoff.
    backoff: Duration,
    /// When the last pause was over.
    over: Option<Instant>,
}

struct Current {
    reason: &'static str,
    since: Instant,
    /// When to try again.
    until: Instant,
}

/// The right to try again, which one holds at a time.
#[derive(Debug)]
pub struct Trial<'p> {
    _trying: tokio::sync::MutexGuard<'p, ()>,
}

impl Pause {
    /// The pauses of what `of` names in the log and in the metrics.
    pub fn new(of: &str, metrics: &Metrics) -> Arc<Self> {
        Arc::new(Self {
            of: of.to_owned(),
            on: metrics.pause(of),
            changed: watch::Sender::new(false),
            state: Mutex::default(),
            trying: tokio::sync::Mutex::default(),
        })
    }

    /// Whether work pauses.
    pub fn is_on(&self) -> bool {
        self.on.get() != 0
    }

    /// Why work pauses, if it does, in words for `/readyz`.
    pub fn reason(&self) -> Option<&'static str> {
        self.lock().current.as_ref().map(|current| current.reason)
    }

    /// Work pauses from now on, if it does not yet. A pause that follows soon on another has the longer backoff.
    pub fn begin(&self, reason: &'static str, error: &dyn Display) {
        let now = Instant::now();
        let mut state = self.lock();
        if let Some(current) = &state.current {
            // What was claimed before may fail now; what was claimed since and fails, such as a fetch, took no turn.
            let tried = current.until <= now;
            drop(state);
            if tried {
                self.prolong(error);
            }
            return;
        }
        let again = state.over.is_some_and(|over| now.duration_since(over) < BACKOFF_MAX);
        state.backoff = if again { longer(state.backoff) } else { BACKOFF_MIN };
        state.current = Some(Current { reason, since: now, until: now + state.backoff });
        self.on.set(1);
        self.changed.send_replace(true);
        drop(state);
        // No error of the program: it goes on by itself, and `/readyz` calls for the operator.
        tracing::warn!(of = self.of, reason, %error, "generations wait until this is over");
    }

    /// The trial failed, too.
    pub fn prolong(&self, error: &dyn Display) {
        let mut state = self.lock();
        let backoff = longer(state.backoff);
        state.backoff = backoff;
        if let Some(current) = &mut state.current {
            current.until = Instant::now() + backoff;
        }
        drop(state);
        tracing::debug!(of = self.of, %error, seconds = backoff.as_secs(), "generations wait still");
    }

    /// Work goes on.
    pub fn end(&self) {
        let now = Instant::now();
        let mut state = self.lock();
        let Some(current) = state.current.take() else {
            return;
        };
        state.over = Some(now);
        self.on.set(0);
        self.changed.send_replace(false);
        drop(state);
        let seconds = now.duration_since(current.since).as_secs_f64();
        tracing::info!(of = self.of, reason = current.reason, seconds, "generations are made again");
    }

    /// Comes when work pauses.
    pub async fn begun(&self) {
        // The sender is this value's own.
        let _ = self.changed.subscribe().wait_for(|on| *on).await;
    }

    /// Comes when work does not pause.
    pub async fn over(&self) {
        let _ = self.changed.subscribe().wait_for(|on| !*on).await;
    }

    /// The right to try again, once the backoff is over; nothing where work does not pause, or no longer. The others wait meanwhile.
    pub async fn trial(&self) -> Option<Trial<'_>> {
        if !self.is_on() {
            return None;
        }
        let trying = self.trying.lock().await;
        let until = self.lock().current.as_ref()?.until;
        tokio::time::sleep_until(until).await;
        Some(Trial { _trying: trying })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn longer(backoff: Duration) -> Duration {
    (backoff * 2).clamp(BACKOFF_MIN, BACKOFF_MAX)
}

impl fmt::Debug for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pause").field("of", &self.of).field("reason", &self.reason()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long one waits for its trial, in seconds.
    async fn waited(pause: &Pause) -> u64 {
        let asked = Instant::now();
        pause.trial().await.unwrap();
        asked.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn one_tries_again_ever_more_rarely_until_it_succeeds() {
        let pause = Pause::new("test", &Metrics::default());
        assert!(pause.trial().await.is_none());
        pause.begin("full", &"no space");
        assert_eq!(pause.reason(), Some("full"));
        let mut waits = vec![waited(&pause).await];
        for _ in 0..6 {
            pause.prolong(&"no space");
            // Whoever comes later changes nothing.
            pause.begin("other", &"no space");
            waits.push(waited(&pause).await);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        pause.end();
        assert!(!pause.is_on() && pause.reason().is_none() && pause.trial().await.is_none());
        pause.over().await;
        // One that is soon back is no new one.
        pause.begin("full", &"no space");
        assert_eq!(waited(&pause).await, 30);
        pause.end();
        tokio::time::advance(BACKOFF_MAX).await;
        pause.begin("full", &"no space");
        assert_eq!(waited(&pause).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_fails_without_a_turn_once_it_is_time_makes_the_others_wait() {
        let pause = Pause::new("test", &Metrics::default());
        pause.begin("no means", &"too many open files");
        let mut waits = vec![waited(&pause).await];
        for _ in 0..3 {
            pause.begin("no means", &"too many open files");
            pause.begin("no means", &"too many open files");
            waits.push(waited(&pause).await);
        }
        assert_eq!(waits, [1, 2, 4, 8]);
    }

    #[tokio::test(start_paused = true)]
    async fn all_wait_while_one_tries() {
        let pause = Pause::new("test", &Metrics::default());
        pause.begin("full", &"no space");
        let trial = pause.trial().await.unwrap();
        let mut second = Box::pin(pause.trial());
        assert!(tokio::time::timeout(BACKOFF_MAX, &mut second).await.is_err());
        pause.end();
        drop(trial);
        assert!(second.await.is_none());
    }
}
