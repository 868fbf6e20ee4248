//! What the calls of one account may take of what all calls share: memory for bodies, the time to check them, and places
//! before the writer. An account that takes its whole share waits for itself, and nobody waits for it.

use super::ApiError;
use crate::store::AccountId;
use clipia_api::error_code::ErrorCode;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// Up to this many bytes a body is read and checked as it comes: with a body on each connection that is 64 MiB.
pub(super) const SMALL_BYTES_MAX: usize = 16 * 1024;

/// Bytes of larger bodies that are in memory at once, from the first byte until the answer.
const BODIES: Pool = Pool { all: 128 * MIB, account: 32 * MIB };

/// Bytes of larger bodies that are parsed, checked or committed at once. A share is the longest body. Such a body takes up
/// to four times its length here: as values, as what is compared with its repetition, and as what is stored.
const CHECKS: Pool = Pool { all: 24 * MIB, account: 6 * MIB };

/// The least that a body counts among the checks, since each takes a thread.
const CHECK_BYTES_MIN: usize = 256 * 1024;

/// Submits of one account that wait for the writer at once: one commit's worth while another is under way.
const COMMITS_OF_ACCOUNT: usize = 512;

/// How long a body waits for room before its sender is told to come back.
const ROOM_TIMEOUT: Duration = Duration::from_secs(15);

/// When to come back.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Accounts that are remembered before those without a call are forgotten.
const ACCOUNTS_KEPT: usize = 10_000;

const MIB: usize = 1024 * 1024;

/// How much there is, and what one account may take of it.
struct Pool {
    all: usize,
    account: usize,
}

const _: () = assert!(super::body::BYTES_MAX <= CHECKS.account && BODIES.all < u32::MAX as usize);

/// What all accounts share.
pub(crate) struct Admission {
    bodies: Arc<Semaphore>,
    checks: Arc<Semaphore>,
    accounts: Mutex<HashMap<AccountId, Arc<Share>>>,
}

/// The share of one account.
pub(super) struct Share {
    bodies: Arc<Semaphore>,
    checks: Arc<Semaphore>,
    commits: Semaphore,
}

/// Room that a call has taken. It is free again when this is dropped.
pub(super) struct Room(#[expect(dead_code, reason = "held until it is dropped")] Vec<OwnedSemaphorePermit>);

impl Default for Admission {
    fn default() -> Self {
        Self {
            bodies: Arc::new(Semaphore::new(BODIES.all)),
            checks: Arc::new(Semaphore::new(CHECKS.all)),
            accounts: Mutex::default(),
        }
    }
}

impl Admission {
    /// The share of this account.
    pub(super) fn share(&self, account: &AccountId) -> Arc<Share> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = accounts.get(account) {
            return Arc::clone(share);
        }
        if accounts.len() >= ACCOUNTS_KEPT {
            accounts.retain(|_, share| Arc::strong_count(share) > 1);
        }
        let share = Arc::new(Share {
            bodies: Arc::new(Semaphore::new(BODIES.account)),
            checks: Arc::new(Semaphore::new(CHECKS.account)),
            commits: Semaphore::new(COMMITS_OF_ACCOUNT),
        });
        accounts.insert(account.clone(), Arc::clone(&share));
        share
    }

    /// Room for a body of so many bytes.
    ///
    /// # Errors
    /// Where there is none in time: `concurrency_limit_exceeded` if the account's other bodies take it, else
    /// `service_unavailable`.
    pub(super) async fn body(&self, share: &Share, bytes: usize) -> Result<Room, ApiError> {
        let deadline = tokio::time::Instant::now() + ROOM_TIMEOUT;
        let own = tokio::time::timeout_at(deadline, take(&share.bodies, bytes)).await;
        let own = own.map_err(|_| {
            let message = format!(
                "the bodies that this account has under way take {} MiB, as many as they may: send this one again when another is answered",
                BODIES.account / MIB
            );
            ApiError::new(ErrorCode::ConcurrencyLimitExceeded, message).after(RETRY_AFTER)
        })??;
        let all = tokio::time::timeout_at(deadline, take(&self.bodies, bytes)).await;
        let all = all.map_err(|_| {
            let message = "the server has no room for another large body; the call can be repeated";
            ApiError::new(ErrorCode::ServiceUnavailable, message).after(RETRY_AFTER)
        })??;
        Ok(Room(vec![own, all]))
    }

    /// The account's turn to have a body of so many bytes parsed, checked and committed.
    ///
    /// # Errors
    /// Never while the server runs.
    pub(super) async fn check(&self, share: &Share, bytes: usize) -> Result<Room, ApiError> {
        let bytes = bytes.max(CHECK_BYTES_MIN);
        // The account's own turn first: an account waits in the common line with its share at most.
        let own = take(&share.checks, bytes).await?;
        Ok(Room(vec![own, take(&self.checks, bytes).await?]))
    }
}

impl Share {
    /// A place before the writer.
    ///
    /// # Errors
    /// Never while the server runs.
    pub(super) async fn commit(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        self.commits.acquire().await.map_err(|closed| ApiError::internal(&closed))
    }
}

async fn take(from: &Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit, ApiError> {
    let bytes = u32::try_from(bytes).map_err(|error| ApiError::internal(&error))?;
    Arc::clone(from).acquire_many_owned(bytes).await.map_err(|closed| ApiError::internal(&closed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn account(name: &str) -> AccountId {
        AccountId(name.to_owned())
    }

    fn waits(future: impl Future) -> bool {
        matches!(pin!(future).poll(&mut Context::from_waker(Waker::noop())), Poll::Pending)
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_waits_for_itself_and_nobody_for_it() {
        let admission = Admission::default();
        let (noisy, quiet) = (admission.share(&account("noisy")), admission.share(&account("quiet")));
        let mut held = Vec::new();
        while held.len() < BODIES.account / super::super::body::BYTES_MAX {
            held.push(admission.body(&noisy, super::super::body::BYTES_MAX).await.unwrap());
        }
        let refused = admission.body(&noisy, super::super::body::BYTES_MAX).await.err().unwrap();
        let refused = format!("{refused:?}");
        assert!(refused.contains("ConcurrencyLimitExceeded") && refused.contains("1s"), "{refused}");
        held.push(admission.body(&quiet, super::super::body::BYTES_MAX).await.unwrap());

        let check = admission.check(&noisy, super::super::body::BYTES_MAX).await.unwrap();
        assert!(waits(admission.check(&noisy, 20_000)));
        assert!(!waits(admission.check(&quiet, super::super::body::BYTES_MAX)));
        drop(check);
        assert!(!waits(admission.check(&noisy, 20_000)));

        let commits: Vec<_> = (0..COMMITS_OF_ACCOUNT).map(|_| noisy.commits.try_acquire().unwrap()).collect();
        assert!(waits(noisy.commit()) && !waits(quiet.commit()));
        drop(commits);
        assert!(!waits(noisy.commit()));
    }

    #[tokio::test(start_paused = true)]
    async fn what_all_take_together_is_bounded_and_what_was_taken_comes_back() {
        let admission = Admission::default();
        let mut held = Vec::new();
        for number in 0..BODIES.all / BODIES.account {
            let share = admission.share(&account(&number.to_string()));
            held.push(admission.body(&share, BODIES.account).await.unwrap());
        }
        let late = admission.share(&account("late"));
        let refused = format!("{:?}", admission.body(&late, 1).await.err().unwrap());
        assert!(refused.contains("ServiceUnavailable"), "{refused}");
        held.clear();
        assert!(admission.body(&late, BODIES.account).await.is_ok());
    }

    #[test]
    fn accounts_without_a_call_are_forgotten() {
        let admission = Admission::default();
        let kept = admission.share(&account("kept"));
        for number in 0..ACCOUNTS_KEPT {
            drop(admission.share(&account(&number.to_string())));
        }
        assert!(admission.accounts.lock().unwrap().len() <= ACCOUNTS_KEPT);
        assert!(Arc::ptr_eq(&kept, &admission.share(&account("kept"))));
    }
}
