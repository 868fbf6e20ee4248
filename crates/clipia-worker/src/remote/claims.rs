//! Claims: one call for all idle workers of a session, held open by the server.
//!
//! One task, the claimer, makes the calls. A worker's own future may be dropped at any moment, and a request that was claimed must
//! not be lost with it: it would be missed when its lease expires, and an attempt would be spent.

use super::backoff::pause;
use super::calls::{CALL_MAX, CallFailed, Series, within};
use super::session::{Over, Session};
use super::wire;
use crate::work::line::recorded;
use crate::work::{AttemptId, Claimed, PreparationRoom};
use clipia_queue::AccountId;
use clipia_remote::types::{self, ClaimOrder, ReleaseOrder, Word};
use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long the server holds a claim open.
const WAIT: Duration = Duration::from_secs(25);

/// How long after that its response may come.
const LATE: Duration = Duration::from_secs(10);

/// The pause between two claims of a quiet worker.
const QUIET_PAUSE: Duration = Duration::from_secs(3);

/// The pause after a claim that returned nothing at once.
const EMPTY_PAUSE: Duration = Duration::from_millis(200);

/// How often the server looks for leases that the session does not know of, although no response was lost: of a request whose release
/// failed, for example.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How long the end of the session waits for the response of an open claim.
const LAST_CLAIM_MAX: Duration = Duration::from_secs(5);

/// How often the release of a request is tried that no worker takes.
const RELEASES_MAX: u32 = 4;

/// The most accounts that an order names.
const ACCOUNTS_MAX: usize = 256;

/// The most requests that an order asks for.
const SLOTS_MAX: usize = 256;

/// The claims of a session.
pub(super) struct Claims {
    session: Arc<Session>,
    state: Mutex<State>,
    /// Tells the claimer of an idle worker, or that an account has preparation slots again.
    changed: Notify,
    /// Tells the idle workers that an account may have preparation slots again.
    woken: Notify,
    series: Series,
    /// Canceled when a worker has asked for a request.
    asked: CancellationToken,
    /// The requests that are being given back.
    releases: TaskTracker,
    /// Canceled when the claimer has ended.
    ended: CancellationToken,
}

struct State {
    /// The idle workers, the first one first.
    idle: VecDeque<oneshot::Sender<Option<Claimed>>>,
    /// The accounts that use their whole share of the preparation.
    full: Vec<AccountId>,
    /// When the next call may be made.
    not_before: Instant,
    /// When the call was made by which the server last looked for leases that the session does not know of; none if a response was
    /// lost since.
    looked: Option<Instant>,
    quiet: bool,
    /// Whether the claimer claims for no worker any more.
    is_ended: bool,
}

impl Claims {
    /// The claims of a session. A task makes the calls.
    pub(super) fn start(session: Arc<Session>) -> Arc<Self> {
        let state = State {
            idle: VecDeque::new(),
            full: Vec::new(),
            not_before: Instant::now(),
            looked: None,
            quiet: false,
            is_ended: false,
        };
        let claims = Arc::new(Self {
            session,
            state: Mutex::new(state),
            changed: Notify::new(),
            woken: Notify::new(),
            series: Series::new("the claim of requests"),
            asked: CancellationToken::new(),
            releases: TaskTracker::new(),
            ended: CancellationToken::new(),
        });
        tokio::spawn(Arc::clone(&claims).run());
        claims
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a request; none if there is none for a while, or nothing more is claimed.
    pub(super) async fn next(self: &Arc<Self>, room: &dyn PreparationRoom) -> Option<Claimed> {
        let (idle, taken) = oneshot::channel();
        let mut worker = Idle { claims: Arc::clone(self), taken };
        self.asked.cancel();
        {
            let mut state = self.state();
            if state.is_ended {
                return None;
            }
            state.idle.push_back(idle);
            state.full = room.full();
        }
        self.changed.notify_one();
        loop {
            let woken = self.woken.notified();
            tokio::select! {
                claimed = &mut worker.taken => return claimed.ok().flatten(),
                () = woken => {
                    let full = room.full();
                    self.state().full = full;
                    self.changed.notify_one();
                }
            }
        }
    }

    /// Waits until another claim makes sense.
    pub(super) async fn until_next(&self) {
        let not_before = self.state().not_before;
        sleep_until(not_before).await;
    }

    /// An account may have preparation slots again.
    pub(super) fn wake(&self) {
        self.woken.notify_waiters();
    }

    /// Waits until a worker has asked for a request.
    pub(super) async fn asked(&self) {
        self.asked.cancelled().await;
    }

    /// Waits until the claimer has ended: until each claimed request has a worker or was released.
    pub(super) async fn ended(&self) {
        self.ended.cancelled().await;
        self.releases.close();
        self.releases.wait().await;
    }

    async fn run(self: Arc<Self>) {
        // Whether a call has no response: what it has claimed is unknown.
        let mut unknown = false;
        tokio::select! {
            () = self.session.drain.cancelled() => {}
            () = self.claim_on(&mut unknown) => self.session.drain.cancelled().await,
        }
        {
            let mut state = self.state();
            state.is_ended = true;
            state.idle.drain(..).for_each(|idle| drop(idle.send(None)));
        }
        if unknown {
            self.release_unknown().await;
        }
        self.ended.cancel();
    }

    /// Claims until the session is over.
    async fn claim_on(self: &Arc<Self>, unknown: &mut bool) {
        let mut failures = 0_u32;
        while !self.session.is_over() {
            let order = self.next_order().await;
            let asked = Instant::now();
            *unknown = true;
            let looked = if order.held_is_all { self.state().looked } else { Some(asked) };
            self.state().looked = None;
            let Some(response) = self.call(&order).await else { continue };
            match response {
                Ok(claimed) => {
                    (*unknown, failures) = (false, 0);
                    self.series.succeeded();
                    self.heard(claimed.say);
                    self.state().looked = looked;
                    match claimed.jobs.is_empty() {
                        true => self.nothing_there(asked),
                        false => self.hand_out(claimed.jobs),
                    }
                }
                Err(error) if error.is_transient() => {
                    failures += 1;
                    self.series.failed(&error);
                    sleep(pause(failures, rand::random())).await;
                }
                Err(error) => {
                    *unknown = false;
                    self.refused(&error);
                }
            }
        }
    }

    /// The next order, once a worker is idle.
    async fn next_order(&self) -> ClaimOrder {
        loop {
            let changed = self.changed.notified();
            let not_before = self.state().not_before;
            match self.order() {
                Some(order) if not_before <= Instant::now() => return order,
                Some(_) => sleep_until(not_before).await,
                None => changed.await,
            }
        }
    }

    /// An order for all idle workers; none if there is none.
    fn order(&self) -> Option<ClaimOrder> {
        let (slots, full) = {
            let mut state = self.state();
            state.idle.retain(|idle| !idle.is_closed());
            (state.idle.len().min(SLOTS_MAX), state.full.clone())
        };
        let slots = NonZeroU32::new(u32::try_from(slots).unwrap_or(u32::MAX))?;
        let held_is_all = self.state().looked.is_some_and(|looked| looked.elapsed() < LOOK_INTERVAL);
        Some(ClaimOrder { held_is_all, ..self.order_of(slots, WAIT, full) })
    }

    /// An order by which the server looks for leases that the session does not know of.
    fn order_of(&self, slots_free: NonZeroU32, wait: Duration, full: Vec<AccountId>) -> ClaimOrder {
        let about = &self.session.settings.about;
        ClaimOrder {
            about: types::About {
                gpu: about.gpu.clone(),
                host: about.host.clone(),
                slots: about.slots,
                version: about.version.clone(),
            },
            executor: self.session.settings.executor.clone(),
            full_accounts: full.into_iter().take(ACCOUNTS_MAX).map(|AccountId(account)| account).collect(),
            held: self.session.held(),
            held_is_all: false,
            slots_free,
            wait_seconds: u32::try_from(wait.as_secs()).unwrap_or_default(),
        }
    }

    /// Makes a call. Returns nothing if another call should take its place: the server ends this one then, and returns what it
    /// has claimed with the next.
    async fn call(&self, order: &ClaimOrder) -> Option<Result<types::Claimed, CallFailed>> {
        let mut call = pin!(within(WAIT + LATE, self.session.remote.claim(order)));
        loop {
            let changed = self.changed.notified();
            tokio::select! {
                response = &mut call => return Some(response),
                () = changed => {
                    if self.has_more_room_than(order) {
                        return None;
                    }
                }
            }
        }
    }

    /// Whether an account that an order calls full is not full any more.
    fn has_more_room_than(&self, order: &ClaimOrder) -> bool {
        let state = self.state();
        let is_full = |account: &String| state.full.iter().any(|AccountId(full)| full == account);
        !order.full_accounts.iter().all(is_full)
    }

    /// Gives each claimed request to an idle worker. One that no worker takes is released.
    fn hand_out(self: &Arc<Self>, jobs: Vec<types::ClaimedJob>) {
        for job in jobs {
            let name = job.request_id.to_string();
            let Some((attempt, job)) = wire::job(job) else {
                tracing::error!(request_id = name, "the server has a request with an id of another kind");
                continue;
            };
            let Some(held) = self.session.hold(attempt) else { continue };
            let (account, model) = match &job {
                Ok(job) => (job.account.clone(), job.model.slug.clone()),
                Err(_) => continue,
            };
            let claimed = Claimed {
                attempt,
                account,
                key_id: None,
                model,
                job,
                recorded: recorded(),
                alive: Box::new(held),
            };
            self.hand_to_first(claimed);
        }
    }

    fn hand_to_first(self: &Arc<Self>, claimed: Claimed) {
        let mut untaken = Some(claimed);
        while let Some(claimed) = untaken.take() {
            let first = self.state().idle.pop_front();
            untaken = match first {
                Some(idle) => idle.send(Some(claimed)).err().flatten(),
                None => return self.release(claimed),
            };
        }
    }

    /// Gives a request back that no worker takes.
    fn release(self: &Arc<Self>, claimed: Claimed) {
        let claims = Arc::clone(self);
        self.releases.spawn(async move {
            claims.release_now(claimed.attempt).await;
            drop(claimed)
        });
    }

    async fn release_now(&self, attempt: AttemptId) {
        let order = ReleaseOrder { epoch: attempt.epoch.0, logs: None, request_id: wire::request(attempt) };
        for failures in 1..=RELEASES_MAX {
            match within(CALL_MAX, self.session.remote.release(&order)).await {
                Err(error) if error.is_transient() && failures < RELEASES_MAX => {
                    sleep(pause(failures, rand::random())).await;
                }
                Err(error) if !error.is_stale() => {
                    let error = error.with_causes();
                    tracing::warn!(request_id = %attempt.id, error, "a request could not be given back; its lease expires");
                    return;
                }
                _ => return,
            }
        }
    }

    /// The call returned nothing: the idle workers learn it.
    fn nothing_there(&self, asked: Instant) {
        let mut state = self.state();
        if asked.elapsed() < EMPTY_PAUSE {
            let next = Instant::now() + EMPTY_PAUSE;
            state.not_before = state.not_before.max(next);
        }
        state.idle.drain(..).for_each(|idle| drop(idle.send(None)));
    }

    /// What the operator says.
    fn heard(&self, word: Word) {
        let is_quiet = word == Word::Quiet;
        let mut state = self.state();
        if is_quiet {
            state.not_before = Instant::now() + QUIET_PAUSE;
        }
        match (std::mem::replace(&mut state.quiet, is_quiet), is_quiet) {
            (false, true) => tracing::info!("an operator keeps this worker quiet: it claims nothing"),
            (true, false) => tracing::info!("the worker is not quiet any more"),
            _ => {}
        }
    }

    /// The server refuses to let the session claim.
    fn refused(&self, error: &CallFailed) {
        let why = error.to_string();
        let executor = || self.session.settings.executor.clone();
        self.session.end(match error.refused() {
            Some(401) => Over::Token(why),
            Some(403 | 404) => Over::Executor { executor: executor(), why },
            _ => Over::Refused(why),
        });
    }

    /// Releases what a call has claimed whose response is unknown. A later claim of the session ends an earlier one, and returns what
    /// that has claimed; what it claims itself is released too.
    async fn release_unknown(self: &Arc<Self>) {
        let order = self.order_of(NonZeroU32::MIN, Duration::ZERO, Vec::new());
        if let Ok(claimed) = within(LAST_CLAIM_MAX, self.session.remote.claim(&order)).await {
            self.hand_out(claimed.jobs);
        }
    }
}

/// An idle worker. If it goes away with a request, the request is released.
struct Idle {
    claims: Arc<Claims>,
    taken: oneshot::Receiver<Option<Claimed>>,
}

impl Drop for Idle {
    fn drop(&mut self) {
        self.taken.close();
        if let Ok(Some(claimed)) = self.taken.try_recv() {
            self.claims.release(claimed);
        }
    }
}
