//! The cache of the catalogue: each response is kept for a while, and simultaneous callers share one call.

use crate::error::{Error, deepest};
use crate::shared_budget::now;
use clipia_api::types::Model;
use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::{Handle, Id as RuntimeId};
use tokio::sync::watch;
use tracing::Instrument;

/// How long a response is kept. Checks then cost next to no requests, and a new model or rule is still seen soon. The
/// price of an input must be exact, and is never kept.
const LIFETIME: Duration = Duration::from_secs(300);

/// Models kept at once, far more than a catalogue has. A further one replaces the oldest.
const MODELS_MAX: usize = 1_000;

/// The responses that a client and its clones keep.
#[derive(Default)]
pub(crate) struct CatalogueCache {
    /// The list, whose entries may lack details of a model.
    pub(crate) list: Cache<(), Vec<Model>>,
    /// Models by slug.
    pub(crate) models: Cache<String, Model>,
}

/// Values by key. An error is not kept: callers that wait for the same call share it, the next caller makes a new call.
pub(crate) struct Cache<K, V>(Arc<Mutex<Table<K, V>>>);

impl<K: Clone + Eq + Hash + Send + 'static, V: Send + Sync + 'static> Cache<K, V> {
    /// The kept value, or else the value that `call` returns.
    ///
    /// The call runs in a task of its own, so that no caller depends on the future of another, which may be dropped or
    /// not polled.
    pub(crate) async fn get<F>(&self, key: K, call: impl Fn() -> F) -> Result<Arc<V>, Error>
    where
        F: Future<Output = Result<V, Error>> + Send + 'static,
    {
        let here = Handle::current();
        let found = self.table().look_up(&key, here.id(), now());
        let mut outcome = match found {
            Lookup::Cached(value) => return Ok(value),
            Lookup::Pending(outcome) => outcome,
            Lookup::Call(sender, outcome) => {
                let (cache, call) = (Self(Arc::clone(&self.0)), call());
                let task = async move {
                    let outcome = call.await.map(Arc::new).map_err(Arc::new);
                    if let Ok(value) = &outcome {
                        cache.table().put(key, Slot::cached(value, now()));
                    }
                    // Fails if no caller waits any more. The next caller finds the value in the table.
                    let _ = sender.send(Some(outcome));
                };
                here.spawn(task.in_current_span());
                outcome
            }
        };
        let outcome =
            outcome.wait_for(Option::is_some).await.ok().and_then(|outcome| Option::clone(&outcome));
        match outcome {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(copy_of(&error)),
            // The task ended with its runtime.
            None => call().await.map(Arc::new),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Table(HashMap::new()))))
    }
}

/// The outcome of a call, once there is one, for every caller that waits for it.
type CallOutcome<V> = Option<Result<Arc<V>, Arc<Error>>>;

/// Decides which caller makes a call. The time is an argument.
struct Table<K, V>(HashMap<K, Slot<V>>);

struct Slot<V> {
    since: Instant,
    state: State<V>,
}

enum State<V> {
    Cached(Arc<V>),
    /// A task of this runtime makes the call. It has ended once the channel is closed.
    Pending(RuntimeId, watch::Receiver<CallOutcome<V>>),
}

/// What a caller has to do for a value.
enum Lookup<V> {
    /// Nothing: the value is there.
    Cached(Arc<V>),
    /// Wait for the call of another.
    Pending(watch::Receiver<CallOutcome<V>>),
    /// Make the call, and send its outcome.
    Call(watch::Sender<CallOutcome<V>>, watch::Receiver<CallOutcome<V>>),
}

impl<V> Slot<V> {
    fn cached(value: &Arc<V>, since: Instant) -> Self {
        Self { since, state: State::Cached(Arc::clone(value)) }
    }
}

impl<K: Clone + Eq + Hash, V> Table<K, V> {
    fn look_up(&mut self, key: &K, here: RuntimeId, now: Instant) -> Lookup<V> {
        match self.0.get(key) {
            Some(Slot { since, state: State::Cached(value) }) if now.duration_since(*since) < LIFETIME => {
                return Lookup::Cached(Arc::clone(value));
            }
            // Another runtime may not be driven, and a closed channel has no task.
            Some(Slot { state: State::Pending(runtime, outcome), .. })
                if *runtime == here && outcome.has_changed().is_ok() =>
            {
                return Lookup::Pending(outcome.clone());
            }
            _ => {}
        }
        let (sender, outcome) = watch::channel(None);
        self.put(key.clone(), Slot { since: now, state: State::Pending(here, outcome.clone()) });
        Lookup::Call(sender, outcome)
    }

    fn put(&mut self, key: K, slot: Slot<V>) {
        if self.0.len() >= MODELS_MAX && !self.0.contains_key(&key) {
            let oldest = self.0.iter().min_by_key(|(_, slot)| slot.since).map(|(key, _)| key.clone());
            oldest.map(|oldest| self.0.remove(&oldest));
        }
        self.0.insert(key, slot);
    }
}

/// A copy of an error, for another caller that waited for the same call. Of a source from another crate only the
/// message is kept, because such a source cannot be cloned.
fn copy_of(error: &Error) -> Error {
    match error {
        Error::Unreachable { request_id, server, attempts, elapsed, cause } => Error::Unreachable {
            request_id: request_id.clone(),
            server: server.clone(),
            attempts: *attempts,
            elapsed: *elapsed,
            cause: deepest(cause.as_ref()).into(),
        },
        Error::Connection { request_id, attempts, elapsed, cause } => Error::Connection {
            request_id: request_id.clone(),
            attempts: *attempts,
            elapsed: *elapsed,
            cause: deepest(cause.as_ref()).into(),
        },
        Error::Timeout { request_id, attempts, elapsed } => {
            Error::Timeout { request_id: request_id.clone(), attempts: *attempts, elapsed: *elapsed }
        }
        Error::Input(input) => Error::Input(input.clone()),
        other => match other.api() {
            Some(api) => Error::from_api(api.clone()),
            None => Error::Setup { cause: other.to_string().into() },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> (Table<usize, &'static str>, RuntimeId, Instant) {
        (Table(HashMap::new()), Handle::current().id(), now())
    }

    #[tokio::test]
    async fn one_caller_calls_the_others_wait_and_the_value_is_kept_for_its_lifetime() {
        let (mut table, here, now) = table();
        let Lookup::Call(sender, _) = table.look_up(&1, here, now) else { panic!() };
        assert!(matches!(table.look_up(&1, here, now), Lookup::Pending(_)));
        assert!(matches!(table.look_up(&2, here, now), Lookup::Call(..)), "another key is another call");
        table.put(1, Slot::cached(&Arc::new("fox"), now));
        drop(sender);
        let just = now + LIFETIME - Duration::from_nanos(1);
        assert!(matches!(table.look_up(&1, here, just), Lookup::Cached(value) if *value == "fox"));
        assert!(matches!(table.look_up(&1, here, now + LIFETIME), Lookup::Call(..)));
    }

    #[tokio::test]
    async fn a_call_that_was_dropped_or_runs_on_another_runtime_delays_no_caller() {
        let (mut table, here, now) = table();
        let Lookup::Call(sender, _) = table.look_up(&1, here, now) else { panic!() };
        drop(sender);
        let Lookup::Call(_sender, _) = table.look_up(&1, here, now) else { panic!() };
        let elsewhere = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.handle().id()
        });
        assert!(matches!(table.look_up(&1, elsewhere.join().unwrap(), now), Lookup::Call(..)));
    }

    #[tokio::test]
    async fn a_further_model_replaces_the_oldest() {
        let (mut table, here, now) = table();
        for key in 0..=MODELS_MAX {
            table.put(key, Slot::cached(&Arc::new("fox"), now + Duration::from_nanos(key as u64)));
        }
        assert_eq!(table.0.len(), MODELS_MAX);
        assert!(matches!(table.look_up(&MODELS_MAX, here, now), Lookup::Cached(_)));
        assert!(!table.0.contains_key(&0));
    }
}
