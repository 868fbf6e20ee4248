//! The builder of a server.

use crate::clock::now;
use crate::config::Config;
use crate::dashboard::section::Section;
use crate::deliveries::Tamper;
use crate::executors::sandbox::Sampler;
use crate::executors::{Executor, Inputs, ProgramSettings};
use crate::ids;
use crate::log::LogWriter;
use crate::models_file::{Brought, ModelsFile};
use crate::service::{Pool, Service, StartError};
use crate::store::Store;
use axum::Router;
use clipia_queue::RequestId;
use clipia_queue::catalogue::Catalogue;
use clipia_queue::position::Order;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, io};
use tokio_util::sync::CancellationToken;

/// The name of the executor of the built-in model, and of its queue.
#[cfg(feature = "render")]
pub(crate) const RENDER: &str = "render";

/// How many workers the built-in model has if `models.toml` does not say it: one for each core.
#[cfg(feature = "render")]
fn render_workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Configures and starts a [`Service`]. [`Service::builder`] makes one.
#[must_use = "nothing runs until it is started"]
pub struct Builder {
    pub(crate) config: Config,
    pub(crate) store: Option<Arc<dyn Store>>,
    pub(crate) executors: BTreeMap<String, Pool>,
    pub(crate) orders: BTreeMap<String, Order>,
    pub(crate) sampler: Option<Arc<dyn Sampler>>,
    pub(crate) programs: Option<Arc<dyn Programs>>,
    /// Whether to add the built-in model.
    #[cfg(feature = "render")]
    pub(crate) renders: bool,
    pub(crate) log: Option<LogWriter>,
    pub(crate) tamper: Option<Arc<dyn Tamper>>,
    pub(crate) wrap: Option<Wrap>,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) request_ids: Option<RequestIds>,
    pub(crate) change_models: Option<ChangeModels>,
    pub(crate) sections: Vec<Arc<dyn Section>>,
    pub(crate) is_dashboard_open: bool,
}

/// Changes the models before the server starts.
pub(crate) type ChangeModels = Box<dyn FnOnce(&mut Catalogue) + Send>;

/// Wraps the routes of the API.
pub(crate) type Wrap = Box<dyn FnOnce(Router) -> Router + Send>;

/// Makes routes beside those of the API.
pub(crate) type Mount = Box<dyn FnOnce(&str, CancellationToken) -> Router + Send>;

/// Makes the id of the next request.
pub(crate) type RequestIds = Arc<dyn Fn() -> RequestId + Send + Sync>;

/// The id of the next request, if the builder was given no other ids.
pub(crate) fn new_request_id() -> RequestId {
    RequestId(ids::new(now()))
}

/// Makes the executors of programs: an `[[executor]]` of `models.toml` that has a command.
pub trait Programs: Send + Sync {
    /// The executor `name`, which runs a program as `settings` say. It gets the files of an input from `inputs`, and keeps the
    /// directories of its jobs below `directory`, which no other executor uses and which may not be there yet.
    fn executor(
        &self,
        name: &str,
        settings: ProgramSettings,
        inputs: Arc<dyn Inputs>,
        directory: PathBuf,
    ) -> Arc<dyn Executor>;
}

impl Builder {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            store: None,
            executors: BTreeMap::new(),
            orders: BTreeMap::new(),
            sampler: None,
            programs: None,
            #[cfg(feature = "render")]
            renders: false,
            log: None,
            tamper: None,
            wrap: None,
            mounts: Vec::new(),
            request_ids: None,
            change_models: None,
            sections: Vec::new(),
            is_dashboard_open: false,
        }
    }

    /// Sets the store, which keeps everything but media files. A server does not start without one. The server closes the
    /// store when it stops.
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Adds an executor. It makes the models whose `executor` in `models.toml` is `name`, up to `workers` requests at once, if
    /// the file says nothing else. It replaces an executor of the same name, also the built-in `render`.
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

    /// Adds the built-in model: the executor `render`, with a worker for each core if `models.toml` says nothing else, and the samples of the sandbox. An executor
    /// named `render`, or a sampler, that was set has precedence.
    #[cfg(feature = "render")]
    pub fn render(mut self) -> Self {
        self.renders = true;
        self.sampler.get_or_insert_with(|| Arc::new(crate::executors::DrawnSamples));
        self
    }

    /// Lets the server run programs. Without it, an `[[executor]]` with a command is a mistake in `models.toml`.
    pub fn programs(mut self, programs: Arc<dyn Programs>) -> Self {
        self.programs = Some(programs);
        self
    }

    /// Says what this server would serve with the `models.toml` at `path`, and what is wrong with the file. Nothing is started.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn check_models(&self, path: &Path) -> io::Result<ModelsFile> {
        ModelsFile::read(path, &self.brought())
    }

    /// What the server has, whatever `models.toml` says.
    pub(crate) fn brought(&self) -> Brought {
        #[cfg(feature = "render")]
        let render = self.renders.then(|| (RENDER.to_owned(), render_workers()));
        #[cfg(not(feature = "render"))]
        let render = None;
        // An executor that was added has precedence.
        let added = self.executors.iter().map(|(name, pool)| (name.clone(), pool.workers));
        Brought {
            executors: render.into_iter().chain(added).collect(),
            runs_programs: self.programs.is_some(),
        }
    }

    /// Adds a metric of the events that this log dropped.
    pub fn log(mut self, log: &LogWriter) -> Self {
        self.log = Some(log.clone());
        self
    }

    /// Has `tamper` do something to deliveries on their way, so that receivers can be tested.
    pub fn tamper(mut self, tamper: Arc<dyn Tamper>) -> Self {
        self.tamper = Some(tamper);
        self
    }

    /// Wraps the routes of the API, as in a layer that sees each call before the server does. Health checks and the calls of workers
    /// elsewhere are not among them.
    pub fn wrap_api(mut self, wrap: impl FnOnce(Router) -> Router + Send + 'static) -> Self {
        self.wrap = Some(Box::new(wrap));
        self
    }

    /// Adds routes to the listener of the API, such as those of another protocol that calls it. `mount` gets the URL at which this machine
    /// reaches the API, and a token that is canceled when the server begins to stop. Layers of the API, and those of
    /// [`wrap_api`](Self::wrap_api), are not around these routes: what they call of the API is limited and charged there.
    ///
    /// A server without the role of the API has none of them.
    pub fn mount(mut self, mount: impl FnOnce(&str, CancellationToken) -> Router + Send + 'static) -> Self {
        self.mounts.push(Box::new(mount));
        self
    }

    /// Changes the models that the server offers, once `models.toml` was read.
    pub fn models(mut self, change: impl FnOnce(&mut Catalogue) + Send + 'static) -> Self {
        self.change_models = Some(Box::new(change));
        self
    }

    /// Has `ids` make the ids of requests, as for a run that is to be repeated. The default is a UUID of version 7 by the clock of this
    /// process. Each must be new.
    pub fn request_ids(mut self, ids: impl Fn() -> RequestId + Send + Sync + 'static) -> Self {
        self.request_ids = Some(Arc::new(ids));
        self
    }

    /// Adds a page to the dashboard.
    pub fn dashboard_section(mut self, section: Arc<dyn Section>) -> Self {
        self.sections.push(section);
        self
    }

    /// Shows the dashboard to everybody who calls it at an address of this machine, as for a server that holds nothing of value.
    pub fn open_dashboard(mut self) -> Self {
        self.is_dashboard_open = true;
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
