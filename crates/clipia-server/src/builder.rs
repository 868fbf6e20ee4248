//! The builder of a server.

use crate::config::Config;
use crate::executors::Executor;
use crate::executors::sandbox::Sampler;
use crate::log::LogWriter;
use crate::service::{Service, StartError};
use crate::store::Store;
use clipia_queue::position::Order;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Configures and starts a [`Service`]. [`Service::builder`] makes one.
#[must_use = "nothing runs until it is started"]
pub struct Builder {
    pub(crate) config: Config,
    pub(crate) store: Option<Arc<dyn Store>>,
    pub(crate) executors: BTreeMap<String, Pool>,
    pub(crate) orders: BTreeMap<String, Order>,
    pub(crate) sampler: Option<Arc<dyn Sampler>>,
    /// Whether to add the built-in model.
    #[cfg(feature = "render")]
    pub(crate) renders: bool,
    pub(crate) log: Option<LogWriter>,
}

/// An executor, and the number of its workers.
pub(crate) struct Pool {
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) workers: usize,
}

impl Builder {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            store: None,
            executors: BTreeMap::new(),
            orders: BTreeMap::new(),
            sampler: None,
            #[cfg(feature = "render")]
            renders: false,
            log: None,
        }
    }

    /// Sets the store, which keeps everything but media files. A server does not start without one. The server closes the
    /// store when it stops.
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Adds an executor. It makes the models whose `executor` in `models.toml` is `name`, up to `workers` requests at once. It
    /// replaces an executor of the same name, also the built-in `render`.
    ///
    /// ```no_run
    /// use clipia_api::types::Output;
    /// use clipia_server::executors::{Executor, Job, JobOutput, JobError, JobControl};
    /// use clipia_server::{Config, Service};
    /// use std::sync::Arc;
    ///
    /// struct Nothing;
    ///
    /// #[async_trait::async_trait]
    /// impl Executor for Nothing {
    ///     async fn run(&self, _: Job, _: JobControl) -> Result<JobOutput, JobError> {
    ///         Ok(JobOutput { output: Output::default(), files: Vec::new() })
    ///     }
    /// }
    ///
    /// # async fn run(store: Arc<dyn clipia_store::Store>) -> Result<(), clipia_server::StartError> {
    /// let service = Service::builder(Config::new("clipia-data")).store(store);
    /// let service = service.executor("nothing", Arc::new(Nothing), 8).start().await?;
    /// # Ok(()) }
    /// ```
    pub fn executor(mut self, name: impl Into<String>, executor: Arc<dyn Executor>, workers: usize) -> Self {
        self.executors.insert(name.into(), Pool { executor, workers });
        self
    }

    /// Sets the order in which the requests of the executor `name` are claimed. By default turns go round the accounts that
    /// wait, so that a thousand requests of one do not keep another's first one waiting for all of them. [`Order::Fifo`] is one
    /// line, whoever submitted.
    ///
    /// ```no_run
    /// use clipia_queue::position::Order;
    /// # use clipia_server::{Builder, executors::Executor};
    /// # use std::sync::Arc;
    /// # fn with(builder: Builder, executor: Arc<dyn Executor>) -> Builder {
    /// builder.executor("batch", executor, 2).order("batch", Order::Fifo)
    /// # }
    /// ```
    pub fn order(mut self, name: impl Into<String>, order: Order) -> Self {
        self.orders.insert(name.into(), order);
        self
    }

    /// Sets the maker of the sandbox's samples. Without one, submits of sandbox keys are refused.
    pub fn sampler(mut self, sampler: Arc<dyn Sampler>) -> Self {
        self.sampler = Some(sampler);
        self
    }

    /// Adds the built-in model: the executor `render` with a worker for each core, and the samples of the sandbox. An executor
    /// named `render`, or a sampler, that was set has precedence.
    #[cfg(feature = "render")]
    pub fn render(mut self) -> Self {
        self.renders = true;
        self.sampler.get_or_insert_with(|| Arc::new(crate::executors::DrawnSamples));
        self
    }

    /// Adds a metric of the events that this log dropped.
    pub fn log(mut self, log: &LogWriter) -> Self {
        self.log = Some(log.clone());
        self
    }

    /// Starts the server, as [`Service::start`].
    ///
    /// # Errors
    /// [`StartError`] says why the server could not start. Nothing runs then.
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
