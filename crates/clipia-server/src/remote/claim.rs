//! The claim of a session: held open until there is something to claim.

use super::authorization::Caller;
use super::order::Order;
use super::sessions::ClaimTurn;
use super::{Queue, Remote, attempt_named};
use crate::api_error::ApiError;
use crate::listener::Client;
use crate::store::{AboutSession, AccountId, Claim, Holder, StoreError};
use crate::store_line::StoreLine;
use axum::Json;
use axum::extract::{Extension, State};
use clipia_api::error_code::ErrorCode;
use clipia_queue::logs::LogLines;
use clipia_remote::types::{ClaimOrder, Claimed, ClaimedJob, Word};
use clipia_worker::work::{AttemptId, End, Line, PreparationRoom};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// The longest time that a claim is held open.
const WAIT_MAX: Duration = Duration::from_secs(25);

/// How often a claim that is held open looks whether its worker is still in force and not quiet.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How many looks there are between two claims, in case a wake-up was lost or reached a session that could not take the request.
const LOOKS_BETWEEN_CLAIMS: u32 = 5;

/// The most requests of one claim.
const JOBS_MAX: usize = 64;

/// The bounds of an order's lists.
const HELD_MAX: usize = 4_096;
const ACCOUNTS_MAX: usize = 256;
const SLOTS_MAX: u32 = 256;

/// The longest text that a session says of itself, in bytes.
const ABOUT_BYTES_MAX: usize = 256;

/// The `Retry-After` of a claim that is refused since the server stops, or holds open as many as it can.
const RETRY_AFTER: Duration = Duration::from_secs(5);

pub(super) async fn claim(
    State(remote): State<Arc<Remote>>,
    Extension(caller): Extension<Caller>,
    client: Option<Extension<Client>>,
    Order(order): Order<ClaimOrder>,
) -> Result<Json<Claimed>, ApiError> {
    check(&order)?;
    let queue = remote.queue_of(&caller, &order.executor)?;
    if remote.drain.is_cancelled() {
        let message = "the server is shutting down";
        return Err(ApiError::new(ErrorCode::ServiceUnavailable, message).after(RETRY_AFTER));
    }
    let _open = remote.open_claims.try_acquire().map_err(|_| {
        let message = "as many claims are held open as the server can hold";
        ApiError::new(ErrorCode::ServiceUnavailable, message).after(RETRY_AFTER)
    })?;
    let turn = remote.sessions.claim(&caller.session);
    let client = client.map(|Extension(client)| client);
    let mut claiming = Claiming { remote: &remote, queue, caller, order, turn };
    let jobs = tokio::select! {
        biased;
        // Nobody would run what is claimed now.
        () = gone(client.as_ref()) => Vec::new(),
        jobs = claiming.jobs() => jobs?,
    };
    let say = claiming.caller.word();
    remote.sessions.said(&claiming.caller.session, say);
    Ok(Json(Claimed { jobs, say }))
}

/// Returns when the client has closed its connection.
async fn gone(client: Option<&Client>) {
    match client {
        Some(client) => client.gone().await,
        None => std::future::pending().await,
    }
}

fn check(order: &ClaimOrder) -> Result<(), ApiError> {
    let ClaimOrder { slots_free, held, full_accounts, about, .. } = order;
    let short = |text: &str| text.len() <= ABOUT_BYTES_MAX && !text.contains(char::is_control);
    let wrong = if slots_free.get() > SLOTS_MAX {
        format!("`slots_free` is {SLOTS_MAX} at most")
    } else if held.len() > HELD_MAX {
        format!("`held` names {HELD_MAX} attempts at most")
    } else if full_accounts.len() > ACCOUNTS_MAX {
        format!("`full_accounts` names {ACCOUNTS_MAX} accounts at most")
    } else if ![Some(&about.host), about.gpu.as_ref(), Some(&about.version)]
        .into_iter()
        .flatten()
        .all(|text| short(text))
    {
        format!("a text of `about` has {ABOUT_BYTES_MAX} bytes at most, and no control characters")
    } else {
        return Ok(());
    };
    Err(ApiError::invalid(wrong))
}

/// A claim that is held open.
struct Claiming<'r> {
    remote: &'r Remote,
    queue: &'r Queue,
    caller: Caller,
    order: ClaimOrder,
    turn: ClaimTurn,
}

/// The accounts that use their whole share of a session's preparation.
struct RemoteRoom {
    full: HashSet<AccountId>,
    /// How many requests the session can take.
    free: usize,
}

impl PreparationRoom for RemoteRoom {
    fn full(&self) -> Vec<AccountId> {
        self.full.iter().cloned().collect()
    }

    fn free_for(&self, account: &AccountId) -> usize {
        if self.full.contains(account) { 0 } else { self.free }
    }
}

/// A wake-up that may have reached this claim. Unless it is used, it goes on to another who waits for the queue.
struct WakeUp<'q>(Option<&'q Notify>);

impl Drop for WakeUp<'_> {
    fn drop(&mut self) {
        if let Some(submitted) = self.0 {
            submitted.notify_one();
        }
    }
}

impl Claiming<'_> {
    /// The jobs that the session gets. Empty when the wait is over, or was ended.
    async fn jobs(&mut self) -> Result<Vec<ClaimedJob>, ApiError> {
        let wait = WAIT_MAX.min(Duration::from_secs(self.order.wait_seconds.into()));
        let until = Instant::now() + wait;
        let superseded = self.turn.superseded.clone();
        let submitted = Arc::clone(&self.queue.line.queue.submitted);
        let mut first = true;
        let mut looks = 0;
        let mut woken = WakeUp(None);
        loop {
            self.remote
                .sessions
                .heard(self.remote.store.as_ref(), &self.caller.session, Some(self.about()))
                .await?;
            self.caller.look_again(self.remote).await?;
            let word = self.caller.word();
            let may_claim = word == Word::Work && !self.queue.line.cannot_keep_files();
            if word == Word::Quiet && self.remote.sessions.is_news(&self.caller.session, word) {
                return Ok(Vec::new());
            }
            if may_claim && (first || woken.0.is_some() || looks >= LOOKS_BETWEEN_CLAIMS) {
                let jobs = self.claim(first).await?;
                if !jobs.is_empty() {
                    // One wake-up may stand for several submits.
                    woken.0 = Some(&submitted);
                    return Ok(jobs);
                }
                // There was nothing, and so there is nothing for others.
                woken.0 = None;
                (first, looks) = (false, 0);
            }
            if !may_claim {
                drop(std::mem::replace(&mut woken, WakeUp(None)));
            }
            let next = (Instant::now() + LOOK_INTERVAL).min(until);
            tokio::select! {
                () = superseded.cancelled() => return Ok(Vec::new()),
                () = self.remote.drain.cancelled() => return Ok(Vec::new()),
                () = submitted.notified(), if may_claim => woken.0 = Some(&submitted),
                () = sleep_until(next) => {
                    if next == until {
                        return Ok(Vec::new());
                    }
                    looks += 1;
                }
            }
        }
    }

    fn about(&self) -> AboutSession {
        let about = &self.order.about;
        AboutSession {
            executor: self.order.executor.clone(),
            host: about.host.clone(),
            gpu: about.gpu.clone(),
            version: about.version.clone(),
            slots: about.slots.get(),
        }
    }

    /// Claims what the session can take. Leases that it does not know of come first, at its first look. Where the session is sure that
    /// there are none, the claim shares a commit with the end that the session reports at the same time: the read would delay it.
    async fn claim(&self, first: bool) -> Result<Vec<ClaimedJob>, ApiError> {
        // A later claim finds what this one got in the store.
        let _claiming = self.turn.claiming.lock().await;
        let slots = usize::try_from(self.order.slots_free.get()).unwrap_or(usize::MAX).min(JOBS_MAX);
        let mut jobs = Vec::new();
        if first && !self.order.held_is_all {
            let unknown = self.unknown().await?;
            for claim in unknown.into_iter().take(slots) {
                jobs.extend(self.job(claim).await);
            }
        }
        let holder = Holder { node: self.remote.node, session: Some(self.caller.session.clone()) };
        let full: HashSet<_> = self.order.full_accounts.iter().cloned().map(AccountId).collect();
        let line = &self.queue.line;
        while jobs.len() < slots && !self.turn.superseded.is_cancelled() {
            let room = RemoteRoom { full: full.clone(), free: slots - jobs.len() };
            let free = room.free;
            match self.claim_recorded(line, &holder, &room).await {
                Ok(claims) => {
                    let are_all = claims.len() < free;
                    for claim in claims {
                        tracing::info!(request_id = %claim.id, key_id = claim.key_id, worker = self.caller.session.worker, model = claim.model, "generation claimed by a worker elsewhere");
                        jobs.extend(self.job(claim).await);
                    }
                    if are_all {
                        break;
                    }
                }
                // The session gets what was claimed before.
                Err(error) if !jobs.is_empty() => {
                    tracing::error!(%error, "cannot claim requests");
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        // A later claim of the session returns them.
        if self.turn.superseded.is_cancelled() {
            jobs.clear();
        }
        Ok(jobs)
    }

    /// Claims requests for the session, and waits until the claims are recorded: the worker may outlive this process.
    async fn claim_recorded(
        &self,
        line: &StoreLine,
        holder: &Holder,
        room: &RemoteRoom,
    ) -> Result<Vec<Claim>, StoreError> {
        let store = self.remote.store.as_ref();
        let (claims, recorded) = line.queue.aside.claim(store, &line.name, holder, room, room.free).await?;
        recorded.wait().await?;
        Ok(claims)
    }

    /// The claims of the session's leases that it does not know of.
    async fn unknown(&self) -> Result<Vec<Claim>, ApiError> {
        let held: HashSet<_> = self
            .order
            .held
            .iter()
            .filter_map(|name| attempt_named(&name.request_id, name.epoch).ok())
            .collect();
        let claims = self.remote.store.claims_of(&self.caller.session).await?;
        let is_unknown = |claim: &Claim| !held.contains(&AttemptId { id: claim.id, epoch: claim.epoch });
        Ok(claims.into_iter().filter(is_unknown).collect())
    }

    /// The job of a claim; none where the model is no longer offered: the request has failed then.
    async fn job(&self, claim: Claim) -> Option<ClaimedJob> {
        let id = AttemptId { id: claim.id, epoch: claim.epoch };
        let entered = self.remote.enter(&self.caller.session, claim);
        let offered = entered.and_then(|attempt| {
            let model = self.remote.catalogue.get(&attempt.claim.model);
            let model = model.ok_or_else(|| super::no_longer_offered(&attempt.claim.model))?;
            Ok((attempt, model.model.clone()))
        });
        match offered {
            Ok((attempt, model)) => {
                let Claim { account, input, base_url, .. } = attempt.claim.clone();
                Some(ClaimedJob {
                    request_id: id.id.into(),
                    epoch: id.epoch.0,
                    account_id: account.0,
                    model,
                    input,
                    base_url,
                })
            }
            Err(failure) => {
                let failed = self.queue.line.end(id, &End::Failed(failure), LogLines::default()).await;
                if let Err(error) = failed {
                    tracing::warn!(%error, request_id = %id.id, "the end of a generation was refused");
                }
                None
            }
        }
    }
}
