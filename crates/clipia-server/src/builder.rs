//! A server with executors of the caller's own.

use crate::config::Config;
use crate::executors::Executor;
use crate::executors::sandbox::Sampler;
use crate::log::LogWriter;
use crate::service::{Service, StartError};
use crate::store::Store;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Sets up a [`Service`]; made by [`Service::builder`].
#[must_use = "nothing runs until it is started"]
pub struct Builder {
    pub(crate) config: Config,
    pub(crate) store: Option<Arc<dyn Store>>,
    pub(crate) executors: BTreeMap<String, Team>,
    pub(crate) sampler: Option<Arc<dyn Sampler>>,
    /// Whether the built-in model is among the executors.
    #[cfg(feature = "render")]
    pub(crate) renders: bool,
    pub(crate) log: Option<LogWriter>,
}

/// An executor, and how many requests it makes at once.
pub(crate) struct Team {
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) workers: usize,
}

impl Builder {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            store: None,
            executors: BTreeMap::new(),
            sampler: None,
            #[cfg(feature = "render")]
            renders: false,
            log: None,
        }
    }

    /// Where everything is kept but media. No server starts without it; the server closes it when it stops.
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Adds what makes the models whose `executor` in `models.toml` is this `name`, `workers` requests at once. It takes
    /// the place of one that has the name already, be it the built-in `render`.
    ///
    /// ```no_run
    /// use clipia_api::types::Output;
    /// use clipia_server::executors::{Executor, Job, Made, NotMade, Report};
    /// use clipia_server::{Config, Service};
    /// use std::sync::Arc;
    ///
    /// struct Nothing;
    ///
    /// #[async_trait::async_trait]
    /// impl Executor for Nothing {
    ///     async fn run(&self, _: Job, _: Report) -> Result<Made, NotMade> {
    ///         Ok(Made { output: Output::default(), files: Vec::new() })
    ///     }
    /// }
    ///
    /// # async fn run(store: Arc<dyn clipia_store::Store>) -> Result<(), clipia_server::StartError> {
    /// let service = Service::builder(Config::new("clipia-data")).store(store);
    /// let service = service.executor("nothing", Arc::new(Nothing), 8).start().await?;
    /// # Ok(()) }
    /// ```
    pub fn executor(mut self, name: impl Into<String>, executor: Arc<dyn Executor>, workers: usize) -> Self {
        self.executors.insert(name.into(), Team { executor, workers });
        self
    }

    /// Has the samples of the sandbox made by `sampler`. Without one, a sandbox key is refused.
    pub fn sampler(mut self, sampler: Arc<dyn Sampler>) -> Self {
        self.sampler = Some(sampler);
        self
    }

    /// Adds the built-in model: the executor `render`, which makes the built-in catalogue with a worker for each core, and the
    /// samples of the sandbox. An executor of that name, or another sampler, goes before it.
    #[cfg(feature = "render")]
    pub fn render(mut self) -> Self {
        self.renders = true;
        self.sampler.get_or_insert_with(|| Arc::new(crate::executors::DrawnSamples));
        self
    }

    /// Tells in the metrics how many events of this log were dropped.
    pub fn log(mut self, log: &LogWriter) -> Self {
        self.log = Some(log.clone());
        self
    }

    /// Starts the server, as [`Service::start`].
    ///
    /// # Errors
    /// [`StartError`] says what stands in the way; nothing runs then.
    pub async fn start(self) -> Result<Service, StartError> {
        Service::run(self).await
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let executors: Vec<&String> = self.executors.keys().collect();
        f.debug_struct("Builder").field("config", &self.config).field("executors", &executors).finish()
    }
}
