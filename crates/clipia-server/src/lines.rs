//! The lines that requests stand in: one for each executor, under its name.

use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Notify;

/// Wakes the workers of a line.
#[derive(Clone, Debug, Default)]
pub struct Lines(Arc<BTreeMap<String, Arc<Notify>>>);

impl Lines {
    /// Lines of these names.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(Arc::new(names.into_iter().map(|name| (name.to_owned(), Arc::default())).collect()))
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// What the workers of this line are woken by. The line of a name that there is not has no workers.
    pub fn notices(&self, name: &str) -> Arc<Notify> {
        self.0.get(name).cloned().unwrap_or_default()
    }

    /// Says that a request was put in this line.
    pub fn wake(&self, name: &str) {
        if let Some(notices) = self.0.get(name) {
            notices.notify_one();
        }
    }

    /// Says that requests were put in some of the lines.
    pub fn wake_all(&self) {
        self.0.values().for_each(|notices| notices.notify_one());
    }
}
