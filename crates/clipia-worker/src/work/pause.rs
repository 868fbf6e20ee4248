//! A pause of work for a cause in the workers' own process: a full disk, or an executor that cannot work now.
//!
//! No generation fails for such a cause. Its request is released. After a backoff one task tries again, until it succeeds.

use prometheus_client::metrics::gauge::Gauge;
use std::fmt::{self, Display};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// The first backoff.
const BACKOFF_MIN: Duration = Duration::from_secs(1);

/// The longest backoff, and so the longest time until the end of the cause is noticed.
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// The pause of one thing: of the media, or of an executor. It is on or off.
pub struct Pause {
    /// The name of the thing, in the log and in the metrics.
    of: String,
    /// 1 while the pause is on. Each claim reads it, without a lock, and `/metrics` shows it.
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
    /// The end of the last pause.
    over: Option<Instant>,
}

struct Current {
    reason: &'static str,
    /// The latest error.
    error: String,
    since: Instant,
    /// The time of the next trial.
    until: Instant,
}

/// The right to try again. One task has it at a time.
#[derive(Debug)]
pub struct Trial<'p> {
    _trying: tokio::sync::MutexGuard<'p, ()>,
}

impl Pause {
    /// The pause of the thing `of`. It is off. `on` is 1 while it is on.
    pub fn new(of: &str, on: Gauge) -> Arc<Self> {
        Arc::new(Self {
            of: of.to_owned(),
            on,
            changed: watch::Sender::new(false),
            state: Mutex::default(),
            trying: tokio::sync::Mutex::default(),
        })
    }

    /// Whether the pause is on.
    pub fn is_on(&self) -> bool {
        self.on.get() != 0
    }

    /// Why the pause is on, in words for `/readyz`; none while it is off.
    pub fn reason(&self) -> Option<&'static str> {
        self.lock().current.as_ref().map(|current| current.reason)
    }

    /// The name of the thing.
    pub fn of(&self) -> &str {
        &self.of
    }

    /// The latest error while the pause is on, for the operator.
    pub fn error(&self) -> Option<String> {
        self.lock().current.as_ref().map(|current| current.error.clone())
    }

    /// Begins the pause if it is off. A pause soon after another goes on with the longer backoff.
    pub fn begin(&self, reason: &'static str, error: &dyn Display) {
        let now = Instant::now();
        let mut state = self.lock();
        if let Some(current) = &state.current {
            // Before the time of the trial, the error is of work that was claimed before the pause. After it, the error is of a
            // trial that did not take the right to it, such as a fetch.
            let was_trial = current.until <= now;
            drop(state);
            if was_trial {
                self.prolong(error);
            }
            return;
        }
        let again = state.over.is_some_and(|over| now.duration_since(over) < BACKOFF_MAX);
        state.backoff = if again { longer(state.backoff) } else { BACKOFF_MIN };
        state.current =
            Some(Current { reason, error: error.to_string(), since: now, until: now + state.backoff });
        self.on.set(1);
        self.changed.send_replace(true);
        drop(state);
        // A warning, no error: the server goes on by itself, and `/readyz` reports the pause.
        tracing::warn!(of = self.of, reason, %error, "generations wait until this is over");
    }

    /// Prolongs the pause after a failed trial.
    pub fn prolong(&self, error: &dyn Display) {
        let mut state = self.lock();
        let backoff = longer(state.backoff);
        state.backoff = backoff;
        if let Some(current) = &mut state.current {
            current.until = Instant::now() + backoff;
            current.error = error.to_string();
        }
        drop(state);
        tracing::debug!(of = self.of, %error, seconds = backoff.as_secs(), "generations wait still");
    }

    /// Ends the pause.
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

    /// Waits until the pause is on.
    pub async fn until_on(&self) {
        // `self` owns the sender, so this does not fail.
        let _ = self.changed.subscribe().wait_for(|on| *on).await;
    }

    /// Waits until the pause is off.
    pub async fn until_over(&self) {
        let _ = self.changed.subscribe().wait_for(|on| !*on).await;
    }

    /// Waits for the backoff, and for other trials; returns the right to try again. `None` if the pause is off by then.
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

    /// How long a task waits for its trial, in seconds.
    async fn waited(pause: &Pause) -> u64 {
        let asked = Instant::now();
        pause.trial().await.unwrap();
        asked.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn the_backoff_doubles_until_a_trial_succeeds() {
        let pause = Pause::new("test", Gauge::default());
        assert!(pause.trial().await.is_none());
        pause.begin("full", &"no space");
        assert_eq!((pause.reason(), pause.error().as_deref()), (Some("full"), Some("no space")));
        let mut waits = vec![waited(&pause).await];
        for _ in 0..6 {
            pause.prolong(&"no space");
            // Another error before the trial changes nothing.
            pause.begin("other", &"no space");
            waits.push(waited(&pause).await);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        pause.end();
        assert!(!pause.is_on() && pause.reason().is_none() && pause.trial().await.is_none());
        pause.until_over().await;
        // A pause soon after another goes on with its backoff.
        pause.begin("full", &"no space");
        assert_eq!(waited(&pause).await, 30);
        pause.end();
        tokio::time::advance(BACKOFF_MAX).await;
        pause.begin("full", &"no space");
        assert_eq!(waited(&pause).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_after_the_backoff_prolongs_the_pause_without_a_trial() {
        let pause = Pause::new("test", Gauge::default());
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
    async fn other_tasks_wait_while_one_tries() {
        let pause = Pause::new("test", Gauge::default());
        pause.begin("full", &"no space");
        let trial = pause.trial().await.unwrap();
        let mut second = Box::pin(pause.trial());
        assert!(tokio::time::timeout(BACKOFF_MAX, &mut second).await.is_err());
        pause.end();
        drop(trial);
        assert!(second.await.is_none());
    }
}
