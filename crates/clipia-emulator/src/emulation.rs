//! What all calls of an emulator share: scripts, faults, journal and findings.

use crate::early::EarlyWebhooks;
use crate::findings::{Finding, ObservedDelivery, Observer};
use crate::journal::{Filter, Form, Journal, JournalCall, ListedCall};
use crate::{CallerKey, Fault, FaultRule, Faults, Operation, Scenario, Scripts, fault};
use async_trait::async_trait;
use clipia_api::Status;
use clipia_queue::{Moment, RequestId};
use clipia_server::ApiError;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// What the emulator needs of the server below it.
#[async_trait]
pub trait Server: Send + Sync {
    /// Makes sure that a key has an account of its own, before its call goes on.
    ///
    /// # Errors
    /// The response to the call, where there can be no account.
    async fn open_account(&self, key: &CallerKey) -> Result<(), ApiError>;

    /// The present moment, by the emulator's clock.
    fn now(&self) -> Moment;

    /// Returns once a request has ended, or once nothing is under way that could end it.
    async fn ended(&self, request: RequestId);
}

/// What all calls of an emulator share.
pub struct Emulation {
    pub(crate) server: Arc<dyn Server>,
    pub(crate) scripts: Arc<Scripts>,
    of_scenario: Vec<FaultRule>,
    faults: Mutex<Faults>,
    journal: Mutex<Journal>,
    observer: Mutex<Observer>,
    pub(crate) early: EarlyWebhooks,
    began: Instant,
    /// Cancelled when no call may be held any more.
    stop: CancellationToken,
}

impl Emulation {
    /// The emulation over a server, with the faults and the scripts of a scenario; its accounts are the server's to open. `seed` decides
    /// the faults that come by chance.
    pub fn new(server: Arc<dyn Server>, scenario: Scenario, seed: u64) -> Self {
        let emulation = Self {
            server,
            scripts: Arc::new(Scripts::new(scenario.scripts)),
            of_scenario: scenario.faults,
            faults: Mutex::new(Faults::new(seed)),
            journal: Mutex::default(),
            observer: Mutex::default(),
            early: EarlyWebhooks::default(),
            began: Instant::now(),
            stop: CancellationToken::new(),
        };
        emulation.reset_faults();
        emulation
    }

    /// The scripts of all requests.
    pub fn scripts(&self) -> &Arc<Scripts> {
        &self.scripts
    }

    /// Adds a rule of faults behind the others. Returns its number.
    pub fn add_fault(&self, rule: FaultRule) -> u64 {
        lock(&self.faults).add(rule)
    }

    /// Removes a rule of faults; returns whether there was one of this number.
    pub fn remove_fault(&self, number: u64) -> bool {
        lock(&self.faults).remove(number)
    }

    /// Removes the rules of faults that were added. Those of the scenario begin anew.
    pub fn reset_faults(&self) {
        let mut faults = lock(&self.faults);
        faults.clear();
        for rule in &self.of_scenario {
            faults.add(rule.clone());
        }
    }

    /// The rules of faults, in their order.
    pub fn faults(&self) -> Vec<fault::Counted> {
        lock(&self.faults).rules().to_vec()
    }

    /// The calls of the journal that a filter lets pass.
    pub fn journal(&self, filter: &Filter, form: Form) -> Vec<ListedCall> {
        lock(&self.journal).list(filter, form)
    }

    /// Forgets the calls of the journal.
    pub fn clear_journal(&self) {
        lock(&self.journal).clear();
    }

    /// What callers and receivers did wrong until now.
    pub fn findings(&self) -> Vec<Finding> {
        lock(&self.observer).findings()
    }

    /// Reports that a request has ended, so that a result that nobody reads is found.
    pub fn request_ended(&self, request: RequestId, status: &Status) {
        lock(&self.observer).ended(request, status);
    }

    /// Reports an attempt of a delivery.
    pub fn delivered(&self, delivery: &ObservedDelivery) {
        self.early.delivered(delivery.request);
        lock(&self.observer).delivered(delivery);
    }

    /// Forgets what was added and what was seen: all is as at the start.
    pub fn reset(&self) {
        self.scripts.reset();
        self.reset_faults();
        self.clear_journal();
        self.early.clear();
        *lock(&self.observer) = Observer::default();
    }

    /// Ends the calls that are held, such as those that hang, with a reset connection. Call it before the server stops: it waits for
    /// the calls under way.
    pub fn release_held_calls(&self) {
        self.stop.cancel();
    }

    /// The fault of the next call of an operation.
    pub(crate) fn fault(&self, operation: Operation) -> Option<Fault> {
        lock(&self.faults).decide(operation)
    }

    /// The real time that has passed since the emulator began.
    pub(crate) fn passed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Holds a call until something has happened, or until no call may be held any more.
    pub(crate) async fn hold(&self, until: impl Future<Output = ()>) {
        tokio::select! {
            () = until => {}
            () = self.stop.cancelled() => {}
        }
    }

    /// Notes a call that has ended.
    pub(crate) fn note(&self, call: JournalCall) {
        lock(&self.observer).called(&call);
        lock(&self.journal).note(call);
    }
}

impl fmt::Debug for Emulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulation").field("scripts", &self.scripts).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
