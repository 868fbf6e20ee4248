//! A running emulator: the server with another clock, another executor and a layer over its API. Nothing else differs.

use crate::accounts::{Accounts, LIVE_KEY, ScenarioCreditsError, TEST_KEY};
use crate::advance::{Advance, AdvanceRefused, Occurrence, Occurrences};
use crate::clock::{EmulatedClock, Pace};
use crate::dashboard::EmulatorPage;
use crate::driving::Driving;
use crate::emulation::{Emulation, Server};
use crate::executor::ScriptedExecutor;
use crate::ids::SeededIds;
use crate::outputs::Outputs;
use crate::tampering::Tampering;
use crate::{CallerKey, FaultRule, Finding, Scenario, control, layer, prices};
use async_trait::async_trait;
use clipia_api::ModelType;
use clipia_queue::catalogue::Catalogue;
use clipia_queue::limits::KeyLimits;
use clipia_queue::{Credits, Moment, RequestId};
use clipia_server::executors::sandbox::Sampler;
use clipia_server::executors::{JobError, JobOutput};
use clipia_server::store::{Store, StoreError};
use clipia_server::{ApiError, Config, Service, StartError};
use clipia_store::clock::{self, Clock};
use clipia_store_sqlite::{OpenError, SqliteStore};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// The executor of the built-in catalogue, which the emulator replaces.
const EXECUTOR: &str = "render";

/// How many attempts run at once. A request never waits for another one, unless a test has so many.
const SLOTS: usize = 64;

/// The directory of the files of outputs, in that of the emulator.
const OUTPUTS: &str = "emulated";

/// When the time of a run begins that is to be repeated: the start of 2026.
const SEEDED_START: Moment = Moment::from_micros(1_767_225_600_000_000);

/// How long an attempt may take by the clock of the emulator, in seconds: a hundred years.
const ATTEMPT_SECONDS_MAX: u64 = 100 * 365 * 24 * 3_600;

/// The pause between two looks whether a request has ended.
const LOOK: Duration = Duration::from_millis(1);

/// How an emulator is.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens; the port 0 is any that is free.
    pub listen: SocketAddr,
    /// How time passes.
    pub pace: Pace,
    /// Makes two runs alike: the ids of requests, faults by chance and, where the clock stands, times.
    pub seed: Option<u64>,
    /// Faults on calls, behind those of the scenario.
    pub faults: Vec<FaultRule>,
    /// Faults, scripts and accounts.
    pub scenario: Scenario,
    /// The limits of each key. By default there is none.
    pub limits: KeyLimits,
    /// Whether the models have the vendor's prices.
    pub vendor_prices: bool,
    /// Where everything is kept; none for a directory that is gone at the end.
    pub data: Option<PathBuf>,
}

impl Default for Settings {
    /// On this machine alone, with a port that is free, in real time, and without faults.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            pace: Pace::Real,
            seed: None,
            faults: Vec::new(),
            scenario: Scenario::default(),
            limits: KeyLimits { requests_per_minute: Some(0), in_flight_max: Some(0), credits: None },
            vendor_prices: false,
            data: None,
        }
    }
}

/// Why an emulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    /// There is no directory for it.
    #[error("cannot make a directory for the emulator: {0}")]
    Directory(#[from] std::io::Error),
    /// Its store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Its store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An account of its scenario cannot have its credits.
    #[error(transparent)]
    Credits(#[from] ScenarioCreditsError),
    /// Its server did not start.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// A running emulator. [`stop`](Self::stop) ends it.
///
/// ```
/// use clipia_emulator::{Emulator, Pace, Settings};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let emulator = Emulator::start(Settings { pace: Pace::Manual, ..Settings::default() }).await?;
/// assert!(emulator.url().starts_with("http://127.0.0.1:"));
/// assert!(emulator.advance(Duration::from_secs(7_200)).await?.is_empty());
/// emulator.stop().await;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Emulator {
    service: Service,
    emulation: Arc<Emulation>,
    clock: Arc<EmulatedClock>,
    advance: Arc<Advance>,
    /// Moves a clock of the pace `auto`.
    mover: Option<JoinHandle<()>>,
    /// Removed when this value is dropped.
    _directory: Option<TempDir>,
}

impl Emulator {
    /// Starts an emulator. It takes calls when this returns.
    ///
    /// # Errors
    /// [`EmulatorError`].
    pub async fn start(settings: Settings) -> Result<Self, EmulatorError> {
        let Settings { listen, pace, seed, faults, mut scenario, limits, vendor_prices, data } = settings;
        let directory = if data.is_some() { None } else { Some(tempfile::tempdir()?) };
        let data = data.or_else(|| directory.as_ref().map(|made| made.path().to_owned())).unwrap_or_default();
        let start = if seed.is_some() && pace.stands() { SEEDED_START } else { clock::now() };
        let clock = Arc::new(EmulatedClock::new(pace, start));
        let opened = SqliteStore::open_volatile(&data, Arc::clone(&clock) as _)?;
        let store: Arc<dyn Store> = Arc::new(opened);
        let accounts = scenario.accounts.iter();
        let credits = accounts.map(|account| (account.key.clone(), Credits::new(account.credits))).collect();
        let accounts = Arc::new(Accounts::new(Arc::clone(&store), limits, credits));
        accounts.open_those_of_the_scenario().await?;
        // A server makes keys by chance where its store has no account.
        for key in [LIVE_KEY, TEST_KEY].into_iter().flat_map(str::parse) {
            accounts.open(&key).await?;
        }
        let (occurrences, service_idle) = (Arc::<Occurrences>::default(), Arc::<OnceLock<_>>::default());
        let idle = Arc::clone(&service_idle);
        let advance = Arc::new(Advance::new(
            Arc::clone(&clock),
            Arc::clone(&store),
            SLOTS,
            Arc::clone(&occurrences),
            // Until the server has started, nothing is attempted.
            move || idle.get().is_none_or(|is_idle: &IsIdle| is_idle()),
        ));
        let below =
            Below { accounts: Arc::clone(&accounts), clock: Arc::clone(&clock), store: Arc::clone(&store) };
        // A reset leaves what was there at the start.
        scenario.faults.extend(faults);
        let emulation = Emulation::new(Arc::new(below), scenario, seed.unwrap_or_else(rand::random));
        let emulation = Arc::new(emulation);
        let outputs = Arc::new(Outputs::new(data.join(OUTPUTS), PathBuf::from(".")));
        let executor = Arc::new(ScriptedExecutor::new(
            Arc::clone(&clock),
            Arc::clone(&store),
            Arc::clone(&emulation),
            Arc::clone(&outputs),
            Arc::clone(&occurrences),
        ));
        let tampering = Tampering::new(Arc::clone(&clock), Arc::clone(&emulation), Arc::clone(&occurrences));
        let tampering = Arc::new(tampering);
        let driving = Arc::new(Driving {
            clock: Arc::clone(&clock),
            advance: Arc::clone(&advance),
            executor: Arc::clone(&executor),
            tampering: Arc::clone(&tampering),
            accounts,
            occurrences,
            store: Arc::clone(&store),
        });
        let page = EmulatorPage { emulation: Arc::clone(&emulation), control: Arc::clone(&driving) as _ };
        let control = control::router(Arc::clone(&emulation), driving);
        let config = Config { listen, dev: true, drain: Duration::ZERO, ..Config::new(&data) };
        let layered = Arc::clone(&emulation);
        let mut builder = Service::builder(config)
            .store(store)
            .executor(EXECUTOR, executor, SLOTS)
            .sampler(Arc::new(Sample(outputs)))
            .tamper(tampering)
            .wrap_api(move |api| layer::layered(api, layered).merge(control))
            .models(move |catalogue| models(catalogue, vendor_prices))
            .dashboard_section(Arc::new(page))
            .open_dashboard();
        if let Some(seed) = seed {
            let ids = SeededIds::new(seed, SEEDED_START);
            builder = builder.request_ids(move || ids.next());
        }
        let service = builder.start().await?;
        // It is set once.
        let _ = service_idle.set(Box::new(service.deliveries_idle()));
        let mover = (pace == Pace::Auto).then(|| {
            let advance = Arc::clone(&advance);
            tokio::spawn(async move { advance.run().await })
        });
        Ok(Self { service, emulation, clock, advance, mover, _directory: directory })
    }

    /// The URL of the API.
    pub fn url(&self) -> &str {
        self.service.url()
    }

    /// The URL of the administration and of the metrics.
    pub fn admin_url(&self) -> &str {
        self.service.admin_url()
    }

    /// How time passes.
    pub fn pace(&self) -> Pace {
        self.clock.pace()
    }

    /// The scripts, faults, journal and findings.
    pub fn emulation(&self) -> &Emulation {
        &self.emulation
    }

    /// What callers and receivers did wrong until now.
    pub fn findings(&self) -> Vec<Finding> {
        self.emulation.findings()
    }

    /// Fails with all findings, if there is one.
    ///
    /// # Panics
    /// If a caller or a receiver did something wrong.
    #[track_caller]
    pub fn assert_clean(&self) {
        let findings = self.findings();
        let said: Vec<String> =
            findings.iter().map(|finding| format!("{}: {}", finding.what, finding.hint)).collect();
        assert!(findings.is_empty(), "{}", said.join("\n"));
    }

    /// Moves a clock that stands on by `time`. All that falls due meanwhile happens, in order. Returns what happened, once nothing is
    /// under way.
    ///
    /// # Errors
    /// [`AdvanceRefused`] if the clock does not stand, or if the store fails.
    pub async fn advance(&self, time: Duration) -> Result<Vec<Occurrence>, AdvanceRefused> {
        self.advance.advance(time).await
    }

    /// Stops the emulator.
    pub async fn stop(self) {
        if let Some(mover) = self.mover {
            mover.abort();
        }
        self.emulation.release_held_calls();
        self.service.stop().await;
    }
}

/// What is other in the emulator's models: an attempt may take as long as a script says.
fn models(catalogue: &mut Catalogue, vendor_prices: bool) {
    for entry in catalogue.entries_mut() {
        entry.attempt_seconds_max = ATTEMPT_SECONDS_MAX;
        if vendor_prices && let Some(pricing) = prices::of(&entry.model.slug) {
            entry.model.pricing = Some(pricing);
        }
    }
}

/// Whether no delivery is being attempted.
type IsIdle = Box<dyn Fn() -> bool + Send + Sync>;

/// What the layer needs of the server below it.
struct Below {
    accounts: Arc<Accounts>,
    clock: Arc<EmulatedClock>,
    store: Arc<dyn Store>,
}

#[async_trait]
impl Server for Below {
    async fn open_account(&self, key: &CallerKey) -> Result<(), ApiError> {
        Ok(self.accounts.open(key).await?)
    }

    fn now(&self) -> Moment {
        self.clock.now()
    }

    async fn ended(&self, request: RequestId) {
        // The caller does not wait for long.
        while let Ok(Some(history)) = self.store.request_history(request).await
            && !history.request.phase.is_terminal()
        {
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// The samples of the sandbox, which are small.
struct Sample(Arc<Outputs>);

#[async_trait]
impl Sampler for Sample {
    async fn sample(&self, model: &ModelType) -> Result<JobOutput, JobError> {
        Ok(self.0.of(&[], model).await?)
    }
}
