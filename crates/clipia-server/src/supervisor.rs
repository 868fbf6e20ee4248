//! Keeps the long-lived tasks of a server running: one that dies is started again, counted, and seen by health.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The pause before a task is started again that has lived for long. It doubles with each death that counts, up to 3.2 s.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a death counts.
const WINDOW: Duration = Duration::from_secs(60);

/// So many deaths in [`WINDOW`], and the task is taken for one that cannot be kept alive. The pauses before them are three
/// seconds together.
const DEATHS_MAX: usize = 6;

/// How often tasks were started again, by their name.
pub(crate) type Restarts = Family<Task, Counter>;

/// A task's name, which the program gives.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Task {
    task: &'static str,
}

/// The tasks of a server.
#[derive(Clone, Default)]
pub(crate) struct Supervisor {
    kept: Arc<Mutex<Vec<Arc<Kept>>>>,
    restarts: Restarts,
}

/// A task that is kept running.
struct Kept {
    name: &'static str,
    deaths: Mutex<Deaths>,
}

#[derive(Default)]
struct Deaths {
    /// The latest [`DEATHS_MAX`], the oldest first.
    latest: VecDeque<Instant>,
    /// Whether the task is dead at this moment.
    dead: bool,
}

impl Supervisor {
    /// A supervisor that counts in `restarts`.
    pub(crate) fn new(restarts: Restarts) -> Self {
        Self { kept: Arc::default(), restarts }
    }

    /// Runs in `tracker` what `start` makes, and makes it again whenever it panics or ends, until `stop`. `start` is
    /// dropped then, with whatever it holds; the task that runs is to end by itself.
    pub(crate) fn keep<F: Future<Output = ()> + Send + 'static>(
        &self,
        tracker: &TaskTracker,
        name: &'static str,
        stop: CancellationToken,
        start: impl Fn() -> F + Send + 'static,
    ) {
        let kept = Arc::new(Kept { name, deaths: Mutex::default() });
        lock(&self.kept).push(Arc::clone(&kept));
        // From its start at zero, so that the first death is a rise.
        let restarts = self.restarts.get_or_create(&Task { task: name }).clone();
        tracker.spawn(kept.run(restarts, stop, start));
    }

    /// The name of a task that dies again and again.
    pub(crate) fn failing(&self) -> Option<&'static str> {
        let now = Instant::now();
        lock(&self.kept)
            .iter()
            .find(|kept| lock(&kept.deaths).within_window(now) >= DEATHS_MAX)
            .map(|kept| kept.name)
    }

    /// The name of a task that does not run at this moment.
    pub(crate) fn dead(&self) -> Option<&'static str> {
        lock(&self.kept).iter().find(|kept| lock(&kept.deaths).dead).map(|kept| kept.name)
    }
}

impl Kept {
    async fn run<F: Future<Output = ()> + Send + 'static>(
        self: Arc<Self>,
        restarts: Counter,
        stop: CancellationToken,
        start: impl Fn() -> F + Send + 'static,
    ) {
        let task = self.name;
        loop {
            let mut running = tokio::spawn(start());
            let ended = tokio::select! {
                ended = &mut running => ended,
                () = stop.cancelled() => {
                    drop(start);
                    if let Err(panic) = running.await {
                        tracing::error!(task, %panic, "a task of the server died at its end");
                    }
                    return;
                }
            };
            if stop.is_cancelled() {
                return;
            }
            restarts.inc();
            let pause = lock(&self.deaths).died(Instant::now());
            let why = ended
                .map_or_else(|panic| panic.to_string(), |()| "it ended before the server did".to_owned());
            let pause_seconds = pause.as_secs_f64();
            tracing::error!(task, why, pause_seconds, "a task of the server died and is started again");
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => lock(&self.deaths).dead = false,
            }
        }
    }
}

impl Deaths {
    /// Notes a death; tells how long to pause before the next start.
    fn died(&mut self, now: Instant) -> Duration {
        self.dead = true;
        if self.latest.len() == DEATHS_MAX {
            self.latest.pop_front();
        }
        self.latest.push_back(now);
        let before = u32::try_from(self.within_window(now)).unwrap_or(u32::MAX).saturating_sub(1);
        PAUSE.saturating_mul(2_u32.saturating_pow(before))
    }

    fn within_window(&self, now: Instant) -> usize {
        self.latest.iter().filter(|death| now.duration_since(**death) < WINDOW).count()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    /// A task that dies as long as it is told to, once by a panic and once by an end, and then runs until the stop.
    struct Watched {
        supervisor: Supervisor,
        tracker: TaskTracker,
        stop: CancellationToken,
        starts: Arc<AtomicUsize>,
    }

    impl Watched {
        fn start(deaths: usize) -> Self {
            let (supervisor, tracker, stop) =
                (Supervisor::default(), TaskTracker::new(), CancellationToken::new());
            let starts = Arc::<AtomicUsize>::default();
            let (counted, ends) = (Arc::clone(&starts), stop.clone());
            supervisor.keep(&tracker, "watched", stop.clone(), move || {
                let (count, ends) = (counted.fetch_add(1, SeqCst), ends.clone());
                async move {
                    assert!(count >= deaths || count % 2 == 0, "it dies");
                    if count >= deaths {
                        ends.cancelled().await;
                    }
                }
            });
            Self { supervisor, tracker, stop, starts }
        }

        fn restarts(&self) -> u64 {
            self.supervisor.restarts.get_or_create(&Task { task: "watched" }).get()
        }

        /// Its end, and how often it was started in all.
        async fn stopped(self) -> usize {
            self.stop.cancel();
            self.tracker.close();
            self.tracker.wait().await;
            self.starts.load(SeqCst)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_dies_is_started_again_and_told_of_until_it_runs() {
        let watched = Watched::start(2);
        assert_eq!((watched.supervisor.dead(), watched.restarts()), (None, 0));
        tokio::time::sleep(PAUSE / 2).await;
        assert_eq!((watched.supervisor.dead(), watched.restarts()), (Some("watched"), 1));
        tokio::time::sleep(4 * PAUSE).await;
        assert_eq!((watched.supervisor.dead(), watched.restarts()), (None, 2));
        assert_eq!(watched.supervisor.failing(), None);
        assert_eq!(watched.stopped().await, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_cannot_be_kept_alive_is_failing_until_it_has_lived_for_a_while() {
        let watched = Watched::start(DEATHS_MAX);
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!((watched.supervisor.failing(), watched.supervisor.dead()), (Some("watched"), None));
        tokio::time::sleep(WINDOW).await;
        assert_eq!(watched.supervisor.failing(), None);
        assert_eq!(watched.stopped().await, DEATHS_MAX + 1);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_always_dies_is_started_seldom_and_not_after_the_stop() {
        let watched = Watched::start(usize::MAX);
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        assert_eq!(watched.supervisor.failing(), Some("watched"));
        let started = watched.starts.load(SeqCst);
        assert!((1_100..1_150).contains(&started), "{started}");
        assert_eq!(watched.stopped().await, started);
    }
}
