//! The executors of a server, as `models.toml` configures them, each with its number of workers.

use crate::builder::Programs;
#[cfg(feature = "render")]
use crate::builder::RENDER;
#[cfg(feature = "render")]
use crate::executors::Render;
use crate::executors::{Executor, Inputs};
use crate::models_file::ExecutorSettings;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// An executor, and the number of its workers.
pub(crate) struct Pool {
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) workers: usize,
}

/// What the executors are made of.
pub(super) struct Pools {
    /// The executors that the builder was given.
    pub(super) brought: BTreeMap<String, Pool>,
    pub(super) programs: Option<Arc<dyn Programs>>,
    /// The files of the programs' inputs.
    pub(super) inputs: Arc<dyn Inputs>,
    /// The directory of the jobs of programs.
    pub(super) jobs: PathBuf,
    #[cfg(feature = "render")]
    pub(super) render: Render,
}

impl Pools {
    /// The executors of these settings. Settings of an executor that nobody can make are left out: the file was checked.
    pub(super) fn of(mut self, settings: BTreeMap<String, ExecutorSettings>) -> BTreeMap<String, Pool> {
        let mut pools = BTreeMap::new();
        for (name, ExecutorSettings { slots, program, .. }) in settings {
            let executor = match (program, &self.programs) {
                (Some(program), Some(programs)) => {
                    let (inputs, directory) = (Arc::clone(&self.inputs), self.jobs.join(&name));
                    Some(programs.executor(&name, program, inputs, directory))
                }
                (Some(_), None) => None,
                (None, _) => self.brought.remove(&name).map(|pool| pool.executor),
            };
            #[cfg(feature = "render")]
            let executor = executor
                .or_else(|| (name == RENDER).then(|| Arc::new(self.render.clone()) as Arc<dyn Executor>));
            if let Some(executor) = executor {
                pools.insert(name, Pool { executor, workers: slots });
            }
        }
        pools
    }
}
