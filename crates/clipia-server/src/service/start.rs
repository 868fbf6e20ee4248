//! The start of a server, in two steps: first everything that can fail, then the tasks.

use super::pools::{Pool, Pools};
use super::{FirstKeys, OpenStore, Service, StartError, Tasks, first_keys};
use crate::admin::{self, Admin, access};
use crate::api_error::no_calls;
use crate::blocking;
use crate::builder::{Builder, Mount, RequestIds, Wrap, new_request_id};
use crate::config::{Config, Role};
use crate::dashboard::section::Section;
use crate::dashboard::{self, Gate};
use crate::deliveries::{DeliveryStatistics, Dispatcher, Tamper};
use crate::events::{self, Wakers};
use crate::executors::Executor;
#[cfg(feature = "render")]
use crate::executors::Render;
use crate::executors::sandbox::{Sampler, Samples};
use crate::executors::{Inputs, ServerInputs};
use crate::health::{self, Health};
use crate::http::{self, Admission, App, Budgets};
use crate::listener::{self, Limits};
use crate::living::LivingAttempts;
use crate::log::LogWriter;
use crate::maintenance::{
    self, Cleaner, GiverUp, Indexer, Leading, MediaSweeper, MinuteRecorder, Rescuer, UploadSweeper,
};
use crate::media::{self, MediaStore};
use crate::metrics::Metrics;
use crate::models_file::{ExecutorSettings, ModelsFile};
use crate::outbound::{Outbound, Target};
use crate::private;
use crate::queues::Queues;
use crate::refused_tokens::{self, RefusedTokens};
use crate::remote::{self, AttemptSweeper, Remote};
use crate::served_models::{Reload, ServedModels};
use crate::store::{NodeId, Store};
use crate::store_line::StoreLine;
use crate::supervisor::Supervisor;
use axum::Router;
use clipia_admin::Access;
use clipia_queue::position::Order;
use clipia_worker::work::{Pause, Preparation, Workers};
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;

/// The files that a server leaves at the top of its data directory.
const FILES: [&str; 4] = ["clipia.toml", "models.toml", Access::FILE, media::NODE_FILE];

/// The directory of the jobs of programs, with one directory for each executor.
const JOBS: &str = "jobs";

impl Service {
    pub(crate) async fn run(builder: Builder) -> Result<Self, StartError> {
        let parts = Parts::open(builder).await?;
        for name in parts.queues.names() {
            let order = parts.orders.get(name).copied().unwrap_or_default();
            parts.store.set_order(name, order).await?;
        }
        // Nothing fails once the first keys exist: nobody would see them, and started tasks would go on.
        let first_keys = first_keys::create(parts.store.as_ref(), parts.config.credits).await?;
        Ok(parts.run(first_keys))
    }
}

/// The parts of a server, before any task runs.
struct Parts {
    config: Config,
    store: Arc<dyn Store>,
    node: NodeId,
    metrics: Arc<Metrics>,
    media: MediaStore,
    outbound: Outbound,
    sampler: Option<Arc<dyn Sampler>>,
    /// The files of inputs.
    inputs: Arc<dyn Inputs>,
    /// The most bytes of an output of each executor.
    output_bytes_max: BTreeMap<String, u64>,
    /// The executors as `models.toml` has them, for the dashboard.
    settings: BTreeMap<String, ExecutorSettings>,
    /// Pages of the dashboard that a program adds.
    sections: Vec<Arc<dyn Section>>,
    is_dashboard_open: bool,
    /// The executors whose workers are not started yet.
    pools: BTreeMap<String, Pool>,
    executors: BTreeMap<String, Arc<dyn Executor>>,
    queues: Queues,
    /// The orders of queues; turns go round the accounts of the others.
    orders: BTreeMap<String, Order>,
    catalogue: Arc<ServedModels>,
    /// What reading `models.toml` again takes.
    reload: Reload,
    listener: Arc<TcpListener>,
    url: String,
    admin_listener: Arc<TcpListener>,
    access: Access,
    supervisor: Supervisor,
    tamper: Option<Arc<dyn Tamper>>,
    wrap: Option<Wrap>,
    log: Option<LogWriter>,
    /// Routes beside those of the API.
    mounts: Vec<Mount>,
    request_ids: RequestIds,
    tasks: Tasks,
}

impl Parts {
    async fn open(builder: Builder) -> Result<Self, StartError> {
        let brought = builder.brought();
        let store = builder.store.ok_or(StartError::NoStore)?;
        let config = builder.config;
        let unusable = |source| StartError::Data { path: config.data.clone(), source };
        let metrics = Arc::new(Metrics::new(builder.log.as_ref()));
        // Reading this machine's trusted certificates takes a while. The directories are made meanwhile.
        let (target, lookups) = (Target::new(config.dev, &config.allow), metrics.lookups.clone());
        let outbound = tokio::task::spawn_blocking(|| Outbound::counted(target, lookups));
        let (data, pause) = (config.data.clone(), Pause::new("media", metrics.pause("media")));
        let made = blocking::run(move || private::data_directory(&data, &FILES)).await;
        made.map_err(io::Error::other).and_then(|made| made).map_err(unusable)?;
        let media = MediaStore::open(&config.media, &config.data, pause).await;
        let media = media.map_err(|source| StartError::Media { location: config.media.clone(), source })?;
        let outbound = outbound.await.map_err(|panic| unusable(panic.into()))??;
        let data = config.data.clone();
        let loading = brought.clone();
        let models = blocking::run(move || ModelsFile::load(&data, &loading)).await;
        let models = models.map_err(|lost| unusable(io::Error::other(lost)))??;
        for warning in &models.warnings {
            tracing::warn!("`{}`: {warning}", ModelsFile::NAME);
        }
        let inputs: Arc<dyn Inputs> = Arc::new(ServerInputs::new(media.clone(), outbound.clone()));
        let pools = Pools {
            brought: builder.executors,
            programs: builder.programs,
            inputs: Arc::clone(&inputs),
            jobs: config.data.join(JOBS),
            #[cfg(feature = "render")]
            render: Render::new(media.clone(), outbound.clone()),
        };
        let mut orders = builder.orders;
        let declared = models.executors.iter();
        orders.extend(declared.filter_map(|(name, executor)| Some((name.clone(), executor.order?))));
        let bytes_max =
            |(name, executor): (&String, &ExecutorSettings)| (name.clone(), executor.output_bytes_max);
        let output_bytes_max: BTreeMap<_, _> = models.executors.iter().map(bytes_max).collect();
        let settings = models.executors.clone();
        let executors = pools.of(models.executors);
        let queues = Queues::new(output_bytes_max.keys().map(String::as_str), &metrics.accounts_aside);
        let mut catalogue = models.catalogue;
        let brought = match builder.change_models {
            Some(change) => {
                change(&mut catalogue);
                None
            }
            None => Some(brought),
        };
        let catalogue = Arc::new(ServedModels::new(catalogue));
        let reload = Reload {
            models: Arc::clone(&catalogue),
            data: config.data.clone(),
            brought,
            executors: settings.clone(),
        };
        let listener = listen(config.listen).await?;
        let admin_listener = listen(config.admin_listen).await?;
        let url = format!("http://{}", local_address(&listener)?);
        let access = access::new(reachable(local_address(&admin_listener)?));
        let data = config.data.clone();
        let written = blocking::run(move || access::write(&access, &data).map(|()| access)).await;
        let access = written.map_err(io::Error::other).and_then(|written| written).map_err(unusable)?;
        Ok(Self {
            store,
            node: NodeId::random(),
            sampler: builder.sampler,
            media,
            outbound,
            inputs,
            output_bytes_max,
            executors: executors
                .iter()
                .map(|(name, pool)| (name.clone(), Arc::clone(&pool.executor)))
                .collect(),
            settings,
            sections: builder.sections,
            is_dashboard_open: builder.is_dashboard_open,
            pools: executors,
            queues,
            orders,
            catalogue,
            reload,
            listener,
            url,
            admin_listener,
            access,
            supervisor: Supervisor::new(metrics.restarts.clone()),
            metrics,
            tamper: builder.tamper,
            wrap: builder.wrap,
            log: builder.log,
            mounts: builder.mounts,
            request_ids: builder.request_ids.unwrap_or_else(|| Arc::new(new_request_id)),
            tasks: Tasks::default(),
            config,
        })
    }

    /// Starts the tasks. The server takes calls from here on.
    fn run(mut self, first_keys: Option<FirstKeys>) -> Service {
        let wakers = Wakers::new(self.queues.clone());
        let living = LivingAttempts::default();
        let lines = self.lines(&wakers, &living);
        let pauses = self.start_workers(&lines);
        let outbox_changed = Arc::clone(&wakers.outbox_changed);
        let (store, outbound) = (Arc::clone(&self.store), self.outbound.clone());
        let dispatcher = Dispatcher::new(self.node, store, outbound, outbox_changed);
        let dispatcher = Arc::new(dispatcher.tampered_with(self.tamper.take()));
        let statistics = dispatcher.statistics();
        self.start_event_forwarding(wakers);
        self.start_media_recovery();
        self.start_maintenance(living, &statistics);
        self.start_deliveries(Arc::clone(&dispatcher));
        let refused_tokens = self.start_audit();
        let remote = self.remote(lines, &refused_tokens);
        self.maintain(AttemptSweeper::new(Arc::clone(&remote)));
        self.serve(pauses, statistics, refused_tokens, remote);
        self.into_service(first_keys, dispatcher)
    }

    /// The line to each queue.
    fn lines(&self, wakers: &Wakers, living: &LivingAttempts) -> BTreeMap<String, Arc<StoreLine>> {
        let line = |name: &str| StoreLine {
            queue: self.queues.get(name),
            name: name.to_owned(),
            holder: self.node.into(),
            store: Arc::clone(&self.store),
            catalogue: Arc::clone(&self.catalogue),
            media: self.media.clone(),
            canceled: wakers.canceled.clone(),
            living: living.clone(),
            metrics: Arc::clone(&self.metrics),
        };
        self.queues.names().map(|name| (name.to_owned(), Arc::new(line(name)))).collect()
    }

    /// Starts the workers of each executor; returns the executors' pauses. The pause of an executor that workers elsewhere alone make
    /// is never on.
    fn start_workers(&mut self, lines: &BTreeMap<String, Arc<StoreLine>>) -> Vec<Arc<Pause>> {
        let Tasks { drain, abort, work, .. } = &self.tasks;
        let (mut pauses, mut pools) = (Vec::new(), std::mem::take(&mut self.pools));
        for (name, line) in lines {
            let paused = format!("executor {name}");
            let pause = Pause::new(&paused, self.metrics.pause(&paused));
            pauses.push(Arc::clone(&pause));
            let pool = pools.remove(name).filter(|_| self.config.roles.has(Role::Workers));
            let Some(pool) = pool else { continue };
            let line = Arc::clone(line);
            let (fetches, waiting) = (self.metrics.fetches.clone(), self.metrics.fetches_waiting.clone());
            let preparation = Preparation::new(fetches, waiting, work.clone());
            let workers = Arc::new(Workers::new(line, pool.executor, pool.workers, pause, preparation));
            for _ in 0..pool.workers {
                let (workers, drained, aborted) = (Arc::clone(&workers), drain.clone(), abort.clone());
                self.supervisor.supervise(work, "worker", drain.clone(), move || {
                    Arc::clone(&workers).run_one(drained.clone(), aborted.clone())
                });
            }
        }
        pauses
    }

    /// What answers workers elsewhere.
    fn remote(
        &self,
        lines: BTreeMap<String, Arc<StoreLine>>,
        refused_tokens: &Arc<RefusedTokens>,
    ) -> Arc<Remote> {
        let bytes_max = |name: &str| self.output_bytes_max.get(name).copied().unwrap_or_default();
        let queue = |(name, line): (String, Arc<StoreLine>)| {
            let output_bytes_max = bytes_max(&name);
            (name, remote::Queue { line, output_bytes_max })
        };
        Remote::new(remote::Parts {
            store: Arc::clone(&self.store),
            node: self.node,
            catalogue: Arc::clone(&self.catalogue),
            queues: lines.into_iter().map(queue).collect(),
            media: self.media.clone(),
            metrics: Arc::clone(&self.metrics),
            refused_tokens: Arc::clone(refused_tokens),
            inputs: Arc::clone(&self.inputs),
            data: &self.config.data,
            drain: self.tasks.drain.clone(),
            tasks: self.tasks.work.clone(),
        })
    }

    fn start_event_forwarding(&self, wakers: Wakers) {
        let Tasks { stop, others, .. } = &self.tasks;
        let forwarded = (Arc::clone(&self.store), wakers, stop.clone());
        self.supervisor.supervise(others, "events", stop.clone(), move || {
            let (store, wakers, stop) = forwarded.clone();
            events::forward(store, wakers, stop)
        });
    }

    fn start_media_recovery(&self) {
        let Tasks { drain, others, .. } = &self.tasks;
        let watched = (self.media.clone(), drain.clone());
        self.supervisor.supervise(others, "media", drain.clone(), move || {
            let (media, drain) = watched.clone();
            media::resume_when_writable(media, drain)
        });
    }

    fn start_maintenance(&self, living: LivingAttempts, statistics: &Arc<DeliveryStatistics>) {
        let store = || Arc::clone(&self.store);
        self.maintain(Rescuer::new(store(), living));
        self.maintain(GiverUp::new(store(), Arc::clone(statistics)));
        self.maintain(MediaSweeper::new(store(), self.media.clone()));
        self.maintain(UploadSweeper::new(store(), self.media.clone()));
        self.maintain(Cleaner::new(store(), self.media.clone(), self.config.retention()));
        self.maintain(Indexer::new(store()));
        self.maintain(MinuteRecorder::new(store(), self.node));
    }

    fn maintain(&self, service: impl maintenance::Service) {
        let Tasks { drain, others, .. } = &self.tasks;
        let leading = Leading { store: Arc::clone(&self.store), node: self.node };
        let rounds = &self.metrics.maintenance;
        maintenance::supervise(&self.supervisor, others, drain, rounds, &leading, service);
    }

    fn start_deliveries(&self, dispatcher: Arc<Dispatcher>) {
        if !self.config.roles.has(Role::Deliveries) {
            return;
        }
        let Tasks { stop, others, .. } = &self.tasks;
        let stopped = stop.clone();
        self.supervisor.supervise(others, "deliveries", stop.clone(), move || {
            Arc::clone(&dispatcher).run(stopped.clone())
        });
    }

    /// Starts the record of refused tokens in the audit; returns their counter.
    fn start_audit(&self) -> Arc<RefusedTokens> {
        let Tasks { stop, others, .. } = &self.tasks;
        let refused_tokens = Arc::new(RefusedTokens::default());
        let recorded = (Arc::clone(&refused_tokens), Arc::clone(&self.store), stop.clone());
        self.supervisor.supervise(others, "audit", stop.clone(), move || {
            let (refused_tokens, store, stop) = recorded.clone();
            refused_tokens::record_until(refused_tokens, store, stop)
        });
        refused_tokens
    }

    /// Starts what shares the budgets of keys with other nodes; returns the budgets.
    fn start_budgets(&self) -> Arc<Budgets> {
        let Tasks { stop, others, .. } = &self.tasks;
        let budgets = Arc::new(Budgets::new(self.config.rate_limit()));
        let shared = (Arc::clone(&budgets), Arc::clone(&self.store), stop.clone());
        self.supervisor.supervise(others, "budgets", stop.clone(), move || {
            let (budgets, store, stop) = shared.clone();
            http::share_budgets(budgets, store, stop)
        });
        budgets
    }

    /// Starts the listeners of the API and of the administration.
    fn serve(
        &mut self,
        pauses: Vec<Arc<Pause>>,
        statistics: Arc<DeliveryStatistics>,
        refused_tokens: Arc<RefusedTokens>,
        remote: Arc<Remote>,
    ) {
        let store = || Arc::clone(&self.store);
        let health = Health::new(store(), self.supervisor.clone(), self.tasks.drain.clone());
        let health = health::router(health.with_pauses(Arc::clone(self.media.pause()), pauses.clone()));
        let app = Arc::new(App {
            store: store(),
            catalogue: Arc::clone(&self.catalogue),
            executors: std::mem::take(&mut self.executors),
            media: self.media.clone(),
            samples: Samples::new(self.media.clone(), self.sampler.take()),
            webhooks: self.outbound.target(),
            metrics: Arc::clone(&self.metrics),
            refused_tokens: Arc::clone(&refused_tokens),
            budgets: self.start_budgets(),
            request_ids: Arc::clone(&self.request_ids),
            admission: Admission::default(),
            upload_slots: http::upload_slots(),
            public_url: self.config.public_url.clone(),
        });
        let api = http::router(Arc::clone(&app));
        let api = match self.wrap.take() {
            Some(wrap) => wrap(api),
            None => api,
        };
        let metrics = Arc::clone(&self.metrics);
        let api = match self.config.roles.has(Role::Api) {
            true => {
                let mounted = std::mem::take(&mut self.mounts).into_iter();
                let mounted = mounted.map(|mount| mount(&self.url, self.tasks.drain.clone()));
                mounted.fold(api.merge(remote::router(remote)), Router::merge)
            }
            false => Router::new().fallback(no_calls),
        };
        let api = api.merge(health.clone());
        // A proxy may leave the path of the public address on.
        let api = match self.config.public_url.path().as_str() {
            "" => api,
            path => api.clone().nest(path, api),
        };
        self.listen("listener", &self.listener, api, Limits::API, metrics);
        let gate = self.config.dashboard.then(|| Arc::new(Gate::new(self.is_dashboard_open)));
        let (queues, access) = (self.queues.clone(), &self.access);
        let admin =
            Admin::new(store(), queues, refused_tokens, access, pauses, gate.clone(), self.log.take());
        let pages = match gate {
            Some(gate) => dashboard::router(dashboard::Parts {
                admin: admin.clone(),
                app,
                deliveries: Arc::clone(&statistics),
                executors: std::mem::take(&mut self.settings),
                gate,
                settings: dashboard::Settings {
                    read_only: self.config.dashboard_read_only,
                    prefix: self.config.dashboard_prefix.to_string(),
                },
                sections: std::mem::take(&mut self.sections),
                api_url: self.config.public_url.get().unwrap_or(&self.url).to_owned(),
                stop: self.tasks.stop.clone(),
            }),
            None => Router::new(),
        };
        let scraped = health::metrics_router(Arc::clone(&self.metrics), store(), statistics);
        let admin = admin::router(admin).merge(pages).merge(health).merge(scraped);
        // The metrics of connections are about the API's connections only.
        let uncounted = Arc::default();
        self.listen("administration", &self.admin_listener, admin, Limits::ADMINISTRATION, uncounted);
    }

    fn listen(
        &self,
        name: &'static str,
        listener: &Arc<TcpListener>,
        router: Router,
        limits: Limits,
        metrics: Arc<Metrics>,
    ) {
        let Tasks { stop, others, .. } = &self.tasks;
        let (listener, stopped) = (Arc::clone(listener), stop.clone());
        self.supervisor.supervise(others, name, stop.clone(), move || {
            let (listener, metrics) = (Arc::clone(&listener), Arc::clone(&metrics));
            listener::serve(listener, router.clone(), limits, metrics, stopped.clone())
        });
    }

    fn into_service(self, first_keys: Option<FirstKeys>, dispatcher: Arc<Dispatcher>) -> Service {
        self.tasks.work.close();
        self.tasks.others.close();
        Service {
            reload: Arc::new(self.reload),
            url: self.url,
            admin_url: self.access.url,
            has_dashboard: self.config.dashboard,
            data: self.config.data,
            drain_max: self.config.drain,
            first_keys,
            dispatcher,
            tasks: self.tasks,
            store: OpenStore(self.store, self.node),
        }
    }
}

async fn listen(address: SocketAddr) -> Result<Arc<TcpListener>, StartError> {
    let listener = TcpListener::bind(address).await;
    listener.map(Arc::new).map_err(|source| StartError::Listen { address, source })
}

fn local_address(listener: &TcpListener) -> Result<SocketAddr, StartError> {
    let unspecified = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    listener.local_addr().map_err(|source| StartError::Listen { address: unspecified, source })
}

/// An address at which this machine reaches a listener: localhost where the listener has all addresses.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let v6 = address.is_ipv6();
        address.set_ip(if v6 { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() });
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use clipia_store_sqlite::SqliteStore;

    #[tokio::test]
    async fn a_failed_start_leaves_nothing_running_and_makes_no_first_keys() {
        let data = tempfile::tempdir().unwrap();
        let config = || Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            admin_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            ..Config::new(data.path())
        };
        // A directory with the name of the file that the start must write.
        let in_the_way = data.path().join("admin.json");
        std::fs::create_dir(&in_the_way).unwrap();
        let start = async || {
            let store = SqliteStore::open(data.path(), Arc::new(SystemClock)).unwrap();
            Service::start(config(), Arc::new(store)).await
        };
        assert!(matches!(start().await, Err(StartError::Data { .. })));
        std::fs::remove_dir(&in_the_way).unwrap();
        let service = start().await.unwrap();
        assert!(service.first_keys().is_some());
        service.stop().await;
    }
}
