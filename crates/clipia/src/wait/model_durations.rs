//! The durations of each model, learned from generations that run and from those that have ended.

use super::durations::Durations;
use super::waiter::Waiter;
use clipia_api::types::ResultResponse;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Models with durations of their own. Further models share one record.
const MODELS_MAX: usize = 256;

/// A model; none where it is not known.
pub(super) type ModelName = Option<Arc<str>>;

#[derive(Debug, Default)]
pub(super) struct ModelDurations {
    durations: HashMap<ModelName, Durations>,
    /// Of a model of which nothing is known.
    unknown: Durations,
}

impl ModelDurations {
    pub(super) fn get(&self, model: &ModelName) -> &Durations {
        self.durations.get(model).unwrap_or(&self.unknown)
    }

    pub(super) fn get_mut(&mut self, model: &ModelName) -> &mut Durations {
        let known = self.durations.len() < MODELS_MAX || self.durations.contains_key(model);
        self.durations.entry(model.clone().filter(|_| known)).or_default()
    }

    /// Counts the generation of a waiter as still running. Returns its model if that changes the durations of it.
    pub(super) fn count_running(&mut self, waiter: &mut Waiter) -> Option<ModelName> {
        let age = waiter.state.last_seen_running()?;
        let before = waiter.counted.replace(age);
        self.get_mut(&waiter.model).add_running(before, age).then(|| waiter.model.clone())
    }

    /// No longer counts the generation of a waiter as running: it has ended, or nobody follows it.
    pub(super) fn uncount_running(&mut self, waiter: &mut Waiter) {
        if let Some(age) = waiter.counted.take() {
            self.get_mut(&waiter.model).remove_running(Some(age));
        }
    }

    /// Learns a duration from the times in a result. Returns the model if that changes the durations of it.
    pub(super) fn learn(
        &mut self,
        waiter: &Waiter,
        response: &ResultResponse,
        now: Instant,
    ) -> Option<ModelName> {
        let (Some(created), Some(completed)) = (response.created_at, response.completed_at) else {
            return self.learn_by_age(waiter, now);
        };
        let duration = Duration::try_from(completed.duration_since(created)).ok()?;
        self.add(waiter.model.clone().or_else(|| response.model.as_deref().map(Arc::from)), duration)
    }

    /// Learns a duration from the age at which the end became known, for a result without times.
    pub(super) fn learn_by_age(&mut self, waiter: &Waiter, now: Instant) -> Option<ModelName> {
        self.add(waiter.model.clone(), waiter.state.exact_age(now)?)
    }

    fn add(&mut self, model: ModelName, duration: Duration) -> Option<ModelName> {
        self.get_mut(&model).learn(duration).then_some(model)
    }
}
