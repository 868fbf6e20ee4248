//! The models that a server serves, which it may read again while it runs.

use crate::models_file::{Brought, ExecutorSettings, ModelsFile};
use clipia_queue::catalogue::{Catalogue, Entry};
use clipia_queue::mistakes::Mistakes;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

/// The models of now. A call that has begun keeps those of its beginning.
#[derive(Debug)]
pub(crate) struct ServedModels(RwLock<Arc<Catalogue>>);

impl ServedModels {
    pub(crate) fn new(catalogue: Catalogue) -> Self {
        Self(RwLock::new(Arc::new(catalogue)))
    }

    /// The models of now.
    pub(crate) fn now(&self) -> Arc<Catalogue> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The model of this slug.
    pub(crate) fn get(&self, slug: &str) -> Option<Arc<Entry>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).shared(slug)
    }

    fn replace(&self, catalogue: Catalogue) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(catalogue);
    }
}

/// Why the models were not read again. Those of before are served on.
#[derive(Debug, thiserror::Error)]
pub enum ReloadRefused {
    /// The file cannot be read.
    #[error("cannot read `{}`: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file has mistakes.
    #[error("`{}`: {mistakes}", .path.display())]
    Mistakes {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        mistakes: Mistakes,
    },
    /// An executor was added, removed or changed. Its workers are started with the server.
    #[error("the executors in `{}` changed ({}): they change with a restart", .path.display(), .names.join(", "))]
    Executors {
        /// The file.
        path: PathBuf,
        /// The executors that are new, gone or changed.
        names: Vec<String>,
    },
    /// The program that runs the server has made the models.
    #[error("the models of this server are not those of a file alone")]
    Fixed,
}

/// What reads `models.toml` again.
#[derive(Debug)]
pub(crate) struct Reload {
    /// The models, as the server has them.
    pub(crate) models: Arc<ServedModels>,
    /// The directory of the file.
    pub(crate) data: PathBuf,
    /// What the server brings, whatever the file says; none where a program has made the models.
    pub(crate) brought: Option<Brought>,
    /// The executors that were started.
    pub(crate) executors: BTreeMap<String, ExecutorSettings>,
}

impl Reload {
    /// Reads the file, and serves its models from now on. Returns how many there are.
    pub(crate) fn run(&self) -> Result<usize, ReloadRefused> {
        let brought = self.brought.as_ref().ok_or(ReloadRefused::Fixed)?;
        let path = self.data.join(ModelsFile::NAME);
        let read = ModelsFile::read(&path, brought);
        let file = read.map_err(|source| ReloadRefused::File { path: path.clone(), source })?;
        if !file.mistakes.is_empty() {
            return Err(ReloadRefused::Mistakes { path, mistakes: Mistakes(file.mistakes) });
        }
        let names = changed(&self.executors, &file.executors);
        if !names.is_empty() {
            return Err(ReloadRefused::Executors { path, names });
        }
        for warning in &file.warnings {
            tracing::warn!("`{}`: {warning}", ModelsFile::NAME);
        }
        let count = file.catalogue.iter().count();
        self.models.replace(file.catalogue);
        Ok(count)
    }
}

/// The executors that are not the same in both.
fn changed(
    before: &BTreeMap<String, ExecutorSettings>,
    after: &BTreeMap<String, ExecutorSettings>,
) -> Vec<String> {
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    names.into_iter().filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
}
