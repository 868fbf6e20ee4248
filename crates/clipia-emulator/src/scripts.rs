//! Which script each request has, and how far its reads are.

#[cfg(test)]
mod tests;

use crate::ScriptRule;
use crate::steps::Step;
use crate::words::{self, Reject, Script};
use clipia_queue::{Moment, RequestId};
use clipia_server::store::KeyHash;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// How many requests, and how many submits, are remembered.
const REMEMBERED_MAX: usize = 100_000;

/// The scripts of all requests, and the rules that give scripts to those whose prompt has no words.
#[derive(Debug)]
pub struct Scripts {
    state: Mutex<State>,
    /// Something changed that somebody may wait for.
    changed: Notify,
    /// The rules that stay when the scripts are reset.
    of_scenario: Vec<ScriptRule>,
}

#[derive(Debug, Default)]
struct State {
    /// The rules that were added, and then those of the scenario.
    rules: Vec<CountedScript>,
    of_scenario: Vec<CountedScript>,
    added: u64,
    requests: Remembered<RequestId, Scripted>,
    submits: Remembered<Submit, Chosen>,
    /// How many submits are at the server.
    under_way: usize,
}

/// A rule, and for how many requests it was used.
#[derive(Clone, Debug, Serialize)]
pub struct CountedScript {
    /// The number of the rule, from 1; 0 for one of the scenario.
    pub number: u64,
    /// The rule.
    #[serde(flatten)]
    pub rule: ScriptRule,
    /// For how many requests it was used.
    pub used: u64,
}

/// What a repeated submit has in common with the first one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Submit {
    key: Option<[u8; 32]>,
    /// The `Idempotency-Key`; without one, the model and the prompt.
    subject: Result<String, (String, String)>,
}

/// The script of a submit, and how often it was refused.
#[derive(Clone, Debug)]
struct Chosen {
    script: Arc<Script>,
    refused: u32,
    /// The rule that counts the submit.
    rule: Option<Rule>,
    /// Whether it made a request, or was refused by its script. Until then it is as if it had not come.
    is_settled: bool,
}

/// A rule of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// The added one of this number.
    Added(u64),
    /// The one of the scenario at this place.
    OfScenario(usize),
}

/// The script of a request, and its reads.
#[derive(Clone, Debug)]
struct Scripted {
    script: Arc<Script>,
    submitted_at: Moment,
    reads: u32,
}

/// What a read of a request that has not ended says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Read {
    /// What the server says.
    AsItIs,
    /// What the script says.
    Scripted(Arc<Script>, Option<Step>),
    /// Its end, which the server reaches now.
    End,
}

impl Submit {
    /// The submit of a key.
    pub(crate) fn new(
        key: Option<KeyHash>,
        idempotency_key: Option<&str>,
        model: &str,
        prompt: &str,
    ) -> Self {
        let without = || (model.to_owned(), prompt.to_owned());
        Self { key: key.map(|key| key.0), subject: idempotency_key.map(str::to_owned).ok_or_else(without) }
    }
}

impl Scripts {
    /// No scripts but those of a scenario.
    pub fn new(of_scenario: Vec<ScriptRule>) -> Self {
        let scripts = Self { state: Mutex::default(), changed: Notify::new(), of_scenario };
        scripts.reset();
        scripts
    }

    /// Forgets the rules that were added, and all requests. The rules of the scenario begin anew.
    pub fn reset(&self) {
        let counted = |rule: &ScriptRule| CountedScript { number: 0, rule: rule.clone(), used: 0 };
        let of_scenario = self.of_scenario.iter().map(counted).collect();
        let mut state = self.lock();
        let under_way = state.under_way;
        *state = State { of_scenario, under_way, ..State::default() };
        drop(state);
        self.changed.notify_waiters();
    }

    /// Adds a rule behind the others that were added, and before those of the scenario. Returns its number.
    pub fn add(&self, rule: ScriptRule) -> u64 {
        let mut state = self.lock();
        state.added += 1;
        let number = state.added;
        state.rules.push(CountedScript { number, rule, used: 0 });
        number
    }

    /// Removes a rule that was added; returns whether there was one of this number.
    pub fn remove(&self, number: u64) -> bool {
        let mut state = self.lock();
        let before = state.rules.len();
        state.rules.retain(|counted| counted.number != number);
        state.rules.len() < before
    }

    /// The rules, in their order.
    pub fn rules(&self) -> Vec<CountedScript> {
        let state = self.lock();
        state.rules.iter().chain(&state.of_scenario).cloned().collect()
    }

    /// The script of a request, for its executor. Waits until the response to its submit has named it. A request of which no
    /// submit was seen to its end has the words of its input.
    pub async fn of(&self, request: RequestId, input: &Map<String, Value>) -> Arc<Script> {
        let learned = self
            .wait_for(|state| match state.requests.get(&request) {
                Some(scripted) => Some(Some(Arc::clone(&scripted.script))),
                None if state.under_way == 0 => Some(None),
                None => None,
            })
            .await;
        learned.unwrap_or_else(|| {
            let of_input = words::of_input(input).map(|(script, _)| script);
            Arc::new(of_input.unwrap_or_default())
        })
    }

    /// Waits until a request was read so often that the next read says its end. Its executor must not end it before. Returns at
    /// once for a request that reads do not end.
    pub async fn polled_enough(&self, request: RequestId) {
        self.wait_for(|state| {
            let enough =
                |of: &Scripted| !of.script.is_ended_by_reads() || of.reads >= of.script.unfinished_reads();
            state.requests.get(&request).is_none_or(enough).then_some(())
        })
        .await;
    }

    /// The script of a submit: what its prompt says, else that of the first rule that matches. A repeated submit has the script of
    /// the first one.
    pub(crate) fn choose(
        &self,
        submit: &Submit,
        model: &str,
        in_prompt: Script,
        prompt: &str,
    ) -> Arc<Script> {
        let mut state = self.lock();
        // Without an idempotency key, only a submit that was refused is repeated.
        let is_repeat = |chosen: &&Chosen| submit.subject.is_ok() || chosen.script.reject.is_some();
        if in_prompt == Script::default()
            && let Some(chosen) = state.submits.get(submit).filter(is_repeat)
        {
            return Arc::clone(&chosen.script);
        }
        let (script, rule) = if in_prompt != Script::default() {
            (in_prompt, None)
        } else {
            let State { rules, of_scenario, .. } = &mut *state;
            let added = rules.iter_mut().map(|counted| (Rule::Added(counted.number), counted));
            let scenario =
                of_scenario.iter_mut().enumerate().map(|(at, counted)| (Rule::OfScenario(at), counted));
            let matching = added.chain(scenario).find(|(_, counted)| {
                let times = counted.rule.times.map_or(u64::MAX, u64::from);
                counted.used < times && counted.rule.matches(model, prompt)
            });
            matching.map_or_else(Default::default, |(rule, counted)| {
                counted.used += 1;
                (counted.rule.script.clone(), Some(rule))
            })
        };
        let script = Arc::new(script);
        let before = state.submits.get(submit);
        let (refused, is_settled) = before.map_or((0, false), |before| (before.refused, before.is_settled));
        let chosen = Chosen { script: Arc::clone(&script), refused, rule, is_settled };
        state.submits.insert(submit.clone(), chosen);
        script
    }

    /// Forgets a submit that made no request although its script did not refuse it. A rule is for so many requests, so it does not
    /// count this one.
    pub(crate) fn forget(&self, submit: &Submit) {
        let mut state = self.lock();
        let Some(chosen) = state.submits.get(submit).filter(|chosen| !chosen.is_settled) else { return };
        let rule = chosen.rule;
        state.submits.remove(submit);
        let counted = match rule {
            Some(Rule::Added(number)) => state.rules.iter_mut().find(|counted| counted.number == number),
            Some(Rule::OfScenario(at)) => state.of_scenario.get_mut(at),
            None => None,
        };
        if let Some(counted) = counted {
            counted.used -= 1;
        }
    }

    /// How a submit is refused; none once it was refused as often as its script says.
    pub(crate) fn refuse(&self, submit: &Submit) -> Option<Reject> {
        let mut state = self.lock();
        let chosen = state.submits.get_mut(submit)?;
        let reject = chosen.script.reject?;
        if reject.times.is_some_and(|times| chosen.refused >= times) {
            return None;
        }
        chosen.refused = chosen.refused.saturating_add(1);
        chosen.is_settled = true;
        Some(reject)
    }

    /// Notes that a submit goes to the server, until the value is dropped.
    pub(crate) fn submit_begins(self: &Arc<Self>) -> UnderWay {
        self.lock().under_way += 1;
        UnderWay(Arc::clone(self))
    }

    /// Learns which request a submit has made.
    pub(crate) fn learn(&self, request: RequestId, submit: &Submit, script: &Arc<Script>, at: Moment) {
        let mut state = self.lock();
        if state.requests.get(&request).is_none() {
            let scripted = Scripted { script: Arc::clone(script), submitted_at: at, reads: 0 };
            state.requests.insert(request, scripted);
        }
        if let Some(chosen) = state.submits.get_mut(submit) {
            chosen.is_settled = true;
        }
        // Without an idempotency key, the next submit of the prompt is another one.
        if submit.subject.is_err() {
            state.submits.remove(submit);
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// The script of a request that was learned.
    pub(crate) fn learned(&self, request: RequestId) -> Option<Arc<Script>> {
        self.lock().requests.get(&request).map(|scripted| Arc::clone(&scripted.script))
    }

    /// Counts a read of a request that has not ended; returns what it says.
    pub(crate) fn read(&self, request: RequestId, now: Moment) -> Read {
        let mut state = self.lock();
        let Some(scripted) = state.requests.get_mut(&request) else { return Read::AsItIs };
        let script = Arc::clone(&scripted.script);
        let unfinished = script.unfinished_reads();
        if scripted.reads >= unfinished && script.is_ended_by_reads() {
            return Read::End;
        }
        let step = script.step(scripted.reads, now.since(scripted.submitted_at));
        scripted.reads = scripted.reads.saturating_add(1);
        drop(state);
        self.changed.notify_waiters();
        Read::Scripted(script, step)
    }

    /// Waits until `found` finds something.
    async fn wait_for<T>(&self, mut found: impl FnMut(&State) -> Option<T>) -> T {
        loop {
            let changed = self.changed.notified();
            // Between the look and the wait nothing may be missed.
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            if let Some(found) = found(&self.lock()) {
                return found;
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A submit that is at the server.
#[derive(Debug)]
pub(crate) struct UnderWay(Arc<Scripts>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.lock().under_way -= 1;
        self.0.changed.notify_waiters();
    }
}

/// A map that forgets its oldest entry where it has too many.
#[derive(Debug)]
struct Remembered<K, V> {
    values: HashMap<K, V>,
    order: VecDeque<K>,
}

impl<K, V> Default for Remembered<K, V> {
    fn default() -> Self {
        Self { values: HashMap::new(), order: VecDeque::new() }
    }
}

impl<K: Clone + Eq + std::hash::Hash, V> Remembered<K, V> {
    fn get(&self, key: &K) -> Option<&V> {
        self.values.get(key)
    }

    fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.values.get_mut(key)
    }

    fn insert(&mut self, key: K, value: V) {
        if self.values.insert(key.clone(), value).is_some() {
            return;
        }
        self.order.push_back(key);
        while self.order.len() > REMEMBERED_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.values.remove(&oldest);
            }
        }
    }

    fn remove(&mut self, key: &K) {
        if self.values.remove(key).is_some() {
            self.order.retain(|other| other != key);
        }
    }
}
