//! What the table learns about the durations of models, from generations that run and from those that have ended.

use super::durations::Durations;
use super::table::{EntryId, Table};
use clipia_api::types::ResultResponse;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Models with durations of their own. Further models share one record.
const MODELS_MAX: usize = 256;

impl<T> Table<T> {
    /// Counts the generation of a wait as still running.
    pub(super) fn count_running(&mut self, entry_id: EntryId, now: Instant) {
        let Some(entry) = self.entries.get_mut(&entry_id) else { return };
        let Some(age) = entry.state.last_seen_running() else { return };
        let (model, before) = (entry.model.clone(), entry.counted.replace(age));
        if self.durations_of(&model).add_running(before, age) {
            self.replan(now, |entry| entry.model == model);
        }
    }

    /// No longer counts the generation of a wait as running: it has ended, or nobody follows it.
    pub(super) fn uncount_running(&mut self, entry_id: EntryId) {
        let Some(entry) = self.entries.get_mut(&entry_id) else { return };
        if let Some(age) = entry.counted.take() {
            let model = entry.model.clone();
            self.durations_of(&model).remove_running(Some(age));
        }
    }

    /// Learns a duration from the times in a result.
    pub(super) fn learn_duration(&mut self, entry_id: EntryId, response: &ResultResponse, now: Instant) {
        let (Some(created), Some(completed)) = (response.created_at, response.completed_at) else {
            return self.learn_duration_by_age(entry_id, now);
        };
        let Ok(duration) = Duration::try_from(completed.duration_since(created)) else { return };
        let Some(entry) = self.entries.get(&entry_id) else { return };
        let model = entry.model.clone().or_else(|| response.model.as_deref().map(Arc::from));
        self.learn(model, duration, now);
    }

    /// Learns a duration from the age at which the end became known, for a result without times.
    pub(super) fn learn_duration_by_age(&mut self, entry_id: EntryId, now: Instant) {
        let Some(entry) = self.entries.get(&entry_id) else { return };
        if let Some(duration) = entry.state.exact_age(now) {
            self.learn(entry.model.clone(), duration, now);
        }
    }

    fn learn(&mut self, model: Option<Arc<str>>, duration: Duration, now: Instant) {
        if self.durations_of(&model).learn(duration) {
            self.replan(now, |entry| entry.model == model);
        }
    }

    pub(super) fn durations_of(&mut self, model: &Option<Arc<str>>) -> &mut Durations {
        let known = self.durations.len() < MODELS_MAX || self.durations.contains_key(model);
        self.durations.entry(model.clone().filter(|_| known)).or_default()
    }
}
