//! Starts the parts of a server, and stops them.

use crate::admin::{self, access};
use crate::builder::Builder;
#[cfg(feature = "render")]
use crate::builder::Team;
use crate::config::Config;
use crate::credentials;
use crate::deliveries::Dispatcher;
use crate::events::{self, Wakers};
#[cfg(feature = "render")]
use crate::executors::Render;
use crate::health::{self, Health};
use crate::http::{self, Setup};
use crate::lines::Lines;
use crate::listener::{self, Bounds};
use crate::living::LivingAttempts;
use crate::maintenance::{self, Cleaner, GiverUp, MediaSweeper, Rescuer};
use crate::media::{self, MediaStore};
use crate::metrics::Metrics;
use crate::models_file::{self, ModelsFileError};
use crate::outbound::{Outbound, Target};
use crate::pause::Pause;
use crate::preparing::Preparing;
use crate::private;
use crate::refusals::{self, RefusalCount};
use crate::store::{Bootstrapped, FirstAccount, NewAccount, NodeId, Scopes, Store, StoreError};
use crate::supervisor::Supervisor;
use crate::workers::Workers;
use axum::Router;
use clipia_admin::Access;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use std::{fmt, io};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long the last answers and attempts may take once what ran has ended or was given back.
const LAST_WORDS: Duration = Duration::from_secs(12);

/// What a server leaves at the top of its data directory.
const FILES: [&str; 3] = ["clipia.toml", "models.toml", Access::FILE];

/// The name of the executor that draws, and of its queue.
#[cfg(feature = "render")]
const RENDER: &str = "render";

/// A server that could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be made or used.
    #[error("cannot use the data directory `{}`: {source}", .path.display())]
    Data {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The builder was given no store.
    #[error("a server needs a store: open one and give it to `Builder::store`")]
    NoStore,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operator's models cannot be used.
    #[error("`models.toml`: {0}")]
    Models(#[from] ModelsFileError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// TLS for outgoing calls cannot be set up.
    #[error("cannot set up TLS for outgoing calls: {0}")]
    Tls(#[from] reqwest::Error),
}

/// What the first start makes, told this once.
#[derive(Clone, PartialEq, Eq)]
pub struct FirstKeys {
    /// A live key.
    pub live_key: String,
    /// A sandbox key.
    pub test_key: String,
    /// What deliveries are signed with.
    pub webhook_secret: String,
}

impl fmt::Debug for FirstKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FirstKeys { hidden }")
    }
}

/// A server that runs.
#[derive(Debug)]
pub struct Service {
    url: String,
    admin_url: String,
    data: PathBuf,
    patience: Duration,
    first_keys: Option<FirstKeys>,
    /// Ends the taking of work.
    drain: CancellationToken,
    /// Ends the work that still runs.
    abort: CancellationToken,
    /// Ends everything else.
    stop: CancellationToken,
    work: TaskTracker,
    tasks: TaskTracker,
    store: ClosedLast,
}

struct ClosedLast(Arc<dyn Store>);

impl fmt::Debug for ClosedLast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store")
    }
}

impl Service {
    /// Starts a server on a store. It takes calls when this returns.
    ///
    /// # Errors
    /// [`StartError`] says what stands in the way; nothing runs then.
    pub async fn start(config: Config, store: Arc<dyn Store>) -> Result<Self, StartError> {
        Self::builder(config).store(store).start().await
    }

    /// For a server that is given more than that, such as executors of your own.
    pub fn builder(config: Config) -> Builder {
        Builder::new(config)
    }

    pub(crate) async fn run(
        Builder {
            config,
            store,
            #[cfg_attr(
                not(feature = "render"),
                expect(unused_mut, reason = "only the built-in executor is added")
            )]
            mut executors,
            sampler,
            #[cfg(feature = "render")]
            renders,
            log,
        }: Builder,
    ) -> Result<Self, StartError> {
        let store = store.ok_or(StartError::NoStore)?;
        let data = config.data.clone();
        let unusable = |source| StartError::Data { path: data.clone(), source };
        private::data_directory(&data, &FILES).map_err(unusable)?;
        // Reads the certificates that this machine trusts, while the directory of media is made.
        let target = Target::new(config.dev, &config.allow);
        let metrics = Arc::new(Metrics::new(log.as_ref()));
        let lookups = metrics.lookups.clone();
        let outbound = tokio::task::spawn_blocking(|| Outbound::counted(target, lookups));
        let media = MediaStore::open(&data, Pause::new("media", &metrics)).map_err(unusable)?;
        let outbound = outbound.await.map_err(|panic| unusable(panic.into()))??;
        #[cfg(feature = "render")]
        if renders {
            executors.entry(RENDER.to_owned()).or_insert_with(|| Team {
                executor: Arc::new(Render::new(media.clone(), outbound.clone())),
                workers: std::thread::available_parallelism().map_or(1, usize::from),
            });
        }
        let lines = Lines::new(executors.keys().map(String::as_str));
        let catalogue = Arc::new(models_file::load(&data, &lines)?);
        let listener = listen(config.listen).await?;
        let admin_listener = listen(config.admin_listen).await?;
        let url = format!("http://{}", local_address(&listener)?);
        let access = access::new(reachable(local_address(&admin_listener)?));
        access::write(&access, &data).map_err(unusable)?;
        let admin_url = access.url.clone();
        // Nothing fails from here on: keys that were made would be told to nobody, and tasks that were begun would run on.
        let first_keys = first_keys(store.as_ref(), &config).await?;

        let node = NodeId::random();
        let wakers = Wakers::new(lines.clone());
        let (drain, abort, stop) =
            (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
        let (work, tasks) = (TaskTracker::new(), TaskTracker::new());
        let supervisor = Supervisor::new(metrics.restarts.clone());
        let mut pauses = Vec::new();
        let living = LivingAttempts::default();
        for (name, team) in executors {
            let pause = Pause::new(&format!("executor {name}"), &metrics);
            pauses.push(Arc::clone(&pause));
            let workers = Arc::new(Workers {
                submitted: lines.notices(&name),
                queue: name,
                executor: team.executor,
                node,
                store: Arc::clone(&store),
                catalogue: Arc::clone(&catalogue),
                media: media.clone(),
                pause,
                claims_fail: AtomicBool::default(),
                canceled: wakers.canceled.clone(),
                metrics: Arc::clone(&metrics),
                living: living.clone(),
                slots: Semaphore::new(team.workers),
                preparing: Preparing::new(&metrics, work.clone()),
                watch: Mutex::default(),
            });
            for _ in 0..team.workers {
                let (workers, drained, abort) = (Arc::clone(&workers), drain.clone(), abort.clone());
                supervisor.keep(&work, "worker", drain.clone(), move || {
                    Arc::clone(&workers).run(drained.clone(), abort.clone())
                });
            }
        }
        let outbox_changed = Arc::clone(&wakers.outbox_changed);
        let told = (Arc::clone(&store), wakers, stop.clone());
        supervisor.keep(&tasks, "events", stop.clone(), move || {
            let (store, wakers, stop) = told.clone();
            events::hand_on(store, wakers, stop)
        });
        let watched = (media.clone(), drain.clone());
        supervisor.keep(&tasks, "media", drain.clone(), move || {
            let (media, drain) = watched.clone();
            media::watch(media, drain)
        });
        let dispatcher =
            Arc::new(Dispatcher::new(node, Arc::clone(&store), outbound.clone(), outbox_changed));
        let (deliveries, dispatched) = (dispatcher.statistics(), stop.clone());
        let rounds = &metrics.maintenance;
        maintenance::keep(&supervisor, &tasks, &drain, rounds, Rescuer::new(Arc::clone(&store), living));
        maintenance::keep(
            &supervisor,
            &tasks,
            &drain,
            rounds,
            GiverUp::new(Arc::clone(&store), Arc::clone(&deliveries)),
        );
        maintenance::keep(
            &supervisor,
            &tasks,
            &drain,
            rounds,
            MediaSweeper::new(Arc::clone(&store), media.clone()),
        );
        let cleaner = Cleaner::new(Arc::clone(&store), media.clone(), config.retention());
        maintenance::keep(&supervisor, &tasks, &drain, rounds, cleaner);
        supervisor.keep(&tasks, "deliveries", stop.clone(), move || {
            Arc::clone(&dispatcher).run(dispatched.clone())
        });

        let refusals = Arc::new(RefusalCount::default());
        let noted = (Arc::clone(&refusals), Arc::clone(&store), stop.clone());
        supervisor.keep(&tasks, "audit", stop.clone(), move || {
            let (refusals, store, stop) = noted.clone();
            refusals::note(refusals, store, stop)
        });
        let room = Arc::clone(media.pause());
        let api = http::router(Setup {
            store: Arc::clone(&store),
            catalogue,
            media,
            sampler,
            webhooks: outbound.target(),
            metrics: Arc::clone(&metrics),
            refusals: Arc::clone(&refusals),
            limit: config.rate_limit(),
        });
        let health = Health::new(Arc::clone(&store), supervisor.clone(), drain.clone()).heeding(room, pauses);
        let health = health::router(health);
        let api = api.merge(health.clone());
        let counted = Arc::clone(&metrics);
        let serve = |name, listener, router: Router, bounds, metrics: Arc<Metrics>| {
            let (listener, ends) = (Arc::new(listener), stop.clone());
            supervisor.keep(&tasks, name, stop.clone(), move || {
                let (listener, metrics) = (Arc::clone(&listener), Arc::clone(&metrics));
                listener::serve(listener, router.clone(), bounds, metrics, ends.clone())
            });
        };
        serve("listener", listener, api, Bounds::API, counted);
        let scraped = health::metrics_router(Arc::clone(&metrics), Arc::clone(&store), deliveries);
        let admin = admin::router(Arc::clone(&store), refusals, &access).merge(health).merge(scraped);
        // Its connections are none of the API's.
        let uncounted = Arc::default();
        serve("administration", admin_listener, admin, Bounds::ADMINISTRATION, uncounted);
        work.close();
        tasks.close();
        Ok(Self {
            url,
            admin_url,
            data,
            patience: config.drain,
            first_keys,
            drain,
            abort,
            stop,
            work,
            tasks,
            store: ClosedLast(store),
        })
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where its administration and metrics listen.
    pub fn admin_url(&self) -> &str {
        &self.admin_url
    }

    /// What the first start of this data directory made; nothing at a later one.
    pub fn first_keys(&self) -> Option<&FirstKeys> {
        self.first_keys.as_ref()
    }

    /// Stops: takes no more work, lets what runs end for a while, gives the rest back, and closes the store. What was
    /// acknowledged goes on at the next start.
    pub async fn stop(self) {
        self.drain.cancel();
        let ended = tokio::time::timeout(self.patience, self.work.wait()).await.is_ok();
        tracing::info!(ended, "no more work is taken");
        self.abort.cancel();
        self.stop.cancel();
        let last = async { tokio::join!(self.work.wait(), self.tasks.wait()) };
        if tokio::time::timeout(LAST_WORDS, last).await.is_err() {
            tracing::warn!("some calls had not ended when the server stopped");
        }
        self.store.0.close().await;
        access::remove(&self.data);
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })
}

fn local_address(listener: &TcpListener) -> Result<SocketAddr, StartError> {
    let unspecified = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    listener.local_addr().map_err(|source| StartError::Listen { address: unspecified, source })
}

/// The address by which this machine reaches what listens at `address`, be it at all of them.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let v6 = address.is_ipv6();
        address.set_ip(if v6 { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() });
    }
    address
}

/// The first account and its keys, if there is none.
async fn first_keys(store: &dyn Store, config: &Config) -> Result<Option<FirstKeys>, StartError> {
    let account = NewAccount {
        id: credentials::new_account_id(),
        webhook_secret: credentials::new_webhook_secret(),
        grant: config.credits,
    };
    let both = Scopes { generate: true };
    let (live_key, live) = credentials::new_key(account.id.clone(), false, both);
    let (test_key, test) = credentials::new_key(account.id.clone(), true, both);
    let webhook_secret = account.webhook_secret.clone();
    let first = FirstAccount { account, keys: vec![live, test] };
    Ok(match store.bootstrap(first).await? {
        Bootstrapped::Created => Some(FirstKeys { live_key, test_key, webhook_secret }),
        Bootstrapped::Exists => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use clipia_store_sqlite::SqliteStore;

    #[tokio::test]
    async fn a_start_that_fails_leaves_nothing_running_and_keeps_the_first_keys_for_the_next() {
        let data = tempfile::tempdir().unwrap();
        let config = || Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            admin_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            ..Config::new(data.path())
        };
        // In the place of the file that tells how to reach the administration.
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
