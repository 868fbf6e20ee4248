//! The supervision of a server's long-lived tasks. A task that panics or ends is restarted and counted, and health reports it.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The pause before the first restart of a task. It doubles with each further death in [`WINDOW`], up to 3.2 s.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a death of a task counts.
const WINDOW: Duration = Duration::from_secs(60);

/// The deaths in [`WINDOW`] at which a task counts as failing. The pauses between so many deaths are three seconds together.
const DEATHS_MAX: usize = 6;

/// The restarts of tasks, by name.
pub(crate) type Restarts = Family<Task, Counter>;

/// The label with a task's name. The names are constants of the program.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Task {
    task: &'static str,
}

/// Supervises the tasks of a server.
#[derive(Clone, Default)]
pub(crate) struct Supervisor {
    supervised: Arc<Mutex<Vec<Arc<SupervisedTask>>>>,
    restarts: Restarts,
}

/// A task under supervision.
struct SupervisedTask {
    name: &'static str,
    deaths: Mutex<Deaths>,
}

#[derive(Default)]
struct Deaths {
    /// The times of the latest [`DEATHS_MAX`] deaths, the oldest first.
    latest: VecDeque<Instant>,
    /// Whether the task is not running now.
    dead: bool,
}

impl Supervisor {
    /// A supervisor that counts in `restarts`.
    pub(crate) fn new(restarts: Restarts) -> Self {
        Self { supervised: Arc::default(), restarts }
    }

    /// Runs the task that `start` makes, in `tracker`, and restarts it when it panics or ends. At `stop`, no task is started
    /// any more and `start` is dropped; the running task must end by itself.
    pub(crate) fn supervise<F: Future<Output = ()> + Send + 'static>(
        &self,
        tracker: &TaskTracker,
        name: &'static str,
        stop: CancellationToken,
        start: impl Fn() -> F + Send + 'static,
    ) {
        let task = Arc::new(SupervisedTask { name, deaths: Mutex::default() });
        lock(&self.supervised).push(Arc::clone(&task));
        // The counter exists from the start at zero, so that a scraper sees the first restart as an increase.
        let restarts = self.restarts.get_or_create(&Task { task: name }).clone();
        tracker.spawn(task.run(restarts, stop, start));
    }

    /// The name of a task that died [`DEATHS_MAX`] times in [`WINDOW`], if there is one.
    pub(crate) fn failing(&self) -> Option<&'static str> {
        let now = Instant::now();
        lock(&self.supervised)
            .iter()
            .find(|task| lock(&task.deaths).within_window(now) >= DEATHS_MAX)
            .map(|task| task.name)
    }

    /// The name of a task that is not running now, if there is one.
    pub(crate) fn dead(&self) -> Option<&'static str> {
        lock(&self.supervised).iter().find(|task| lock(&task.deaths).dead).map(|task| task.name)
    }
}

impl SupervisedTask {
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
            let pause = lock(&self.deaths).record(Instant::now());
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
    /// Records a death; returns the pause before the next start.
    fn record(&mut self, now: Instant) -> Duration {
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

    /// A task that dies `deaths` times, by a panic and by its end in turn, and then runs until the stop.
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
            supervisor.supervise(&tracker, "watched", stop.clone(), move || {
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

        /// Stops the task; returns how often it was started in all.
        async fn stopped(self) -> usize {
            self.stop.cancel();
            self.tracker.close();
            self.tracker.wait().await;
            self.starts.load(SeqCst)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_dies_is_restarted_and_reported_until_it_runs() {
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
    async fn a_task_that_keeps_dying_is_failing_until_it_has_lived_for_a_while() {
        let watched = Watched::start(DEATHS_MAX);
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!((watched.supervisor.failing(), watched.supervisor.dead()), (Some("watched"), None));
        tokio::time::sleep(WINDOW).await;
        assert_eq!(watched.supervisor.failing(), None);
        assert_eq!(watched.stopped().await, DEATHS_MAX + 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_always_dies_is_restarted_rarely_and_never_after_the_stop() {
        let watched = Watched::start(usize::MAX);
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        assert_eq!(watched.supervisor.failing(), Some("watched"));
        let started = watched.starts.load(SeqCst);
        assert!((1_100..1_150).contains(&started), "{started}");
        assert_eq!(watched.stopped().await, started);
    }
}
