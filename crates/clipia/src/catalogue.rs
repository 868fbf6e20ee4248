//! The catalogue as a client remembers it: each answer for a while, and one call for all who ask at once.

use crate::error::{Error, deepest};
use crate::spending::now;
use clipia_api::types::Model;
use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::{Handle, Id as RuntimeId};
use tokio::sync::watch;
use tracing::Instrument;

/// How long an answer is good for: checks then cost next to no requests, and a new model or rule is still seen
/// soon. What must be exact, the price of an input, is never remembered.
const LIFETIME: Duration = Duration::from_secs(300);

/// Models remembered at once; the oldest makes room. Far more than a catalogue has.
const MODELS_MAX: usize = 1_000;

/// What one client and its clones remember.
#[derive(Default)]
pub(crate) struct Catalogue {
    /// The list, which need not tell all about each model.
    pub(crate) list: Cache<(), Vec<Model>>,
    /// Models asked for by slug.
    pub(crate) models: Cache<String, Model>,
}

/// Answers by key. Failures are not remembered: those who wait for a call share it, the next one asks anew.
pub(crate) struct Cache<K, V>(Arc<Mutex<Table<K, V>>>);

impl<K: Clone + Eq + Hash + Send + 'static, V: Send + Sync + 'static> Cache<K, V> {
    /// What is remembered, or else what `call` answers.
    ///
    /// The call is a task of its own, so that nobody waits for a future that was dropped or is not polled.
    pub(crate) async fn get<F>(&self, key: K, call: impl Fn() -> F) -> Result<Arc<V>, Error>
    where
        F: Future<Output = Result<V, Error>> + Send + 'static,
    {
        let here = Handle::current();
        let want = self.table().want(&key, here.id(), now());
        let mut answer = match want {
            Want::Held(value) => return Ok(value),
            Want::Coming(answer) => answer,
            Want::Ask(tell, answer) => {
                let (cache, call) = (Self(Arc::clone(&self.0)), call());
                let task = async move {
                    let answer = call.await.map(Arc::new).map_err(Arc::new);
                    if let Ok(value) = &answer {
                        cache.table().put(key, Slot::held(value, now()));
                    }
                    // Where all have given up waiting, the next one finds it.
                    let _ = tell.send(Some(answer));
                };
                here.spawn(task.in_current_span());
                answer
            }
        };
        let answer = answer.wait_for(Option::is_some).await.ok().and_then(|answer| Option::clone(&answer));
        match answer {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(again(&error)),
            // The task went down with its runtime.
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

/// What a call came to, for all who wait for it.
type Answer<V> = Option<Result<Arc<V>, Arc<Error>>>;

/// The decisions, with the time as an argument.
struct Table<K, V>(HashMap<K, Slot<V>>);

struct Slot<V> {
    since: Instant,
    state: State<V>,
}

enum State<V> {
    Held(Arc<V>),
    /// A task of this runtime asks for it, for as long as the channel is open.
    Coming(RuntimeId, watch::Receiver<Answer<V>>),
}

/// What one who wants a value has to do.
enum Want<V> {
    /// Nothing.
    Held(Arc<V>),
    /// Wait for the answer of another's call.
    Coming(watch::Receiver<Answer<V>>),
    /// Ask, and tell the others.
    Ask(watch::Sender<Answer<V>>, watch::Receiver<Answer<V>>),
}

impl<V> Slot<V> {
    fn held(value: &Arc<V>, since: Instant) -> Self {
        Self { since, state: State::Held(Arc::clone(value)) }
    }
}

impl<K: Clone + Eq + Hash, V> Table<K, V> {
    fn want(&mut self, key: &K, here: RuntimeId, now: Instant) -> Want<V> {
        match self.0.get(key) {
            Some(Slot { since, state: State::Held(value) }) if now.duration_since(*since) < LIFETIME => {
                return Want::Held(Arc::clone(value));
            }
            // Nobody may be driving another runtime, and a closed channel has no task.
            Some(Slot { state: State::Coming(runtime, answer), .. })
                if *runtime == here && answer.has_changed().is_ok() =>
            {
                return Want::Coming(answer.clone());
            }
            _ => {}
        }
        let (tell, answer) = watch::channel(None);
        self.put(key.clone(), Slot { since: now, state: State::Coming(here, answer.clone()) });
        Want::Ask(tell, answer)
    }

    fn put(&mut self, key: K, slot: Slot<V>) {
        if self.0.len() >= MODELS_MAX && !self.0.contains_key(&key) {
            let oldest = self.0.iter().min_by_key(|(_, slot)| slot.since).map(|(key, _)| key.clone());
            oldest.map(|oldest| self.0.remove(&oldest));
        }
        self.0.insert(key, slot);
    }
}

/// The error of a call, for another who waited for it. Of a cause from below this crate only the words are
/// kept.
fn again(error: &Error) -> Error {
    match error {
        Error::Unreachable { request_id, server, attempts, elapsed, source } => Error::Unreachable {
            request_id: request_id.clone(),
            server: server.clone(),
            attempts: *attempts,
            elapsed: *elapsed,
            source: deepest(source.as_ref()).into(),
        },
        Error::Connection { request_id, attempts, elapsed, source } => Error::Connection {
            request_id: request_id.clone(),
            attempts: *attempts,
            elapsed: *elapsed,
            source: deepest(source.as_ref()).into(),
        },
        Error::Timeout { request_id, attempts, elapsed } => {
            Error::Timeout { request_id: request_id.clone(), attempts: *attempts, elapsed: *elapsed }
        }
        other => match other.api() {
            Some(api) => Error::from_api(api.clone()),
            None => Error::Input { message: other.to_string() },
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
    async fn one_asks_the_others_wait_and_the_answer_is_kept_for_its_lifetime() {
        let (mut table, here, now) = table();
        let Want::Ask(tell, _) = table.want(&1, here, now) else { panic!() };
        assert!(matches!(table.want(&1, here, now), Want::Coming(_)));
        assert!(matches!(table.want(&2, here, now), Want::Ask(..)), "another key is another call");
        table.put(1, Slot::held(&Arc::new("fox"), now));
        drop(tell);
        let just = now + LIFETIME - Duration::from_nanos(1);
        assert!(matches!(table.want(&1, here, just), Want::Held(value) if *value == "fox"));
        assert!(matches!(table.want(&1, here, now + LIFETIME), Want::Ask(..)));
    }

    #[tokio::test]
    async fn a_call_that_came_to_nothing_or_belongs_to_another_runtime_holds_nobody_up() {
        let (mut table, here, now) = table();
        let Want::Ask(tell, _) = table.want(&1, here, now) else { panic!() };
        drop(tell);
        let Want::Ask(_tell, _) = table.want(&1, here, now) else { panic!() };
        let elsewhere = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.handle().id()
        });
        assert!(matches!(table.want(&1, elsewhere.join().unwrap(), now), Want::Ask(..)));
    }

    #[tokio::test]
    async fn the_oldest_makes_room() {
        let (mut table, here, now) = table();
        for key in 0..=MODELS_MAX {
            table.put(key, Slot::held(&Arc::new("fox"), now + Duration::from_nanos(key as u64)));
        }
        assert_eq!(table.0.len(), MODELS_MAX);
        assert!(matches!(table.want(&MODELS_MAX, here, now), Want::Held(_)));
        assert!(!table.0.contains_key(&0));
    }
}
