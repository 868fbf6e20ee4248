//! The share of one account in what all calls share: memory for bodies, threads to check them, and submits that wait for the
//! store's writer. An account that has used its whole share waits until its own calls end. Other accounts do not wait for it.

use crate::api_error::ApiError;
use crate::store::AccountId;
use clipia_api::error_code::ErrorCode;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// A body of at most this many bytes needs no permit: with one on each connection, that is 64 MiB.
pub(super) const SMALL_BYTES_MAX: usize = 16 * 1024;

/// The bytes of larger bodies in memory at once. A body counts from its first byte until its response.
const BODIES: Pool = Pool { all: 128 * MIB, account: 32 * MIB };

/// The bytes of larger bodies that are parsed, checked or committed at once. An account's share is the longest body. Such a
/// body takes up to four times its length: as text, as values, as its fingerprint's input, and as the stored input.
const CHECKS: Pool = Pool { all: 24 * MIB, account: 6 * MIB };

/// The fewest bytes that a check counts as, since each check takes a thread.
const CHECK_BYTES_MIN: usize = 256 * 1024;

/// The submits of one account that may wait for the writer at once: as many as one commit takes while another runs.
const COMMITS_OF_ACCOUNT: usize = 512;

/// How long a body waits for memory before its call is refused.
const BODY_WAIT_MAX: Duration = Duration::from_secs(15);

/// The `Retry-After` of a refused body.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The most accounts with a share in memory. At this number, the shares of accounts without a call are dropped.
const ACCOUNTS_KEPT: usize = 10_000;

const MIB: usize = 1024 * 1024;

/// The bytes for all accounts together, and for one account.
struct Pool {
    all: usize,
    account: usize,
}

const _: () = assert!(super::body::BYTES_MAX <= CHECKS.account && BODIES.all < u32::MAX as usize);

/// The pools that all accounts share, and the share of each account.
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

/// Bytes that a call holds in the pools. Dropping the permits returns them.
pub(super) struct Permits(
    #[expect(dead_code, reason = "held until it is dropped")] Vec<OwnedSemaphorePermit>,
);

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

    /// Permits for a body of so many bytes.
    ///
    /// # Errors
    /// Where the wait is too long: `concurrency_limit_exceeded` if the account's other bodies hold its share, else
    /// `service_unavailable`.
    pub(super) async fn body(&self, share: &Share, bytes: usize) -> Result<Permits, ApiError> {
        let deadline = tokio::time::Instant::now() + BODY_WAIT_MAX;
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
        Ok(Permits(vec![own, all]))
    }

    /// Permits to parse, check and commit a body of so many bytes.
    ///
    /// # Errors
    /// Never while the server runs.
    pub(super) async fn check(&self, share: &Share, bytes: usize) -> Result<Permits, ApiError> {
        let bytes = bytes.max(CHECK_BYTES_MIN);
        // The account's own pool comes first: then an account waits for the common pool with its share at most.
        let own = take(&share.checks, bytes).await?;
        Ok(Permits(vec![own, take(&self.checks, bytes).await?]))
    }
}

impl Share {
    /// A permit to wait for the store's writer.
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
    async fn an_account_over_its_share_waits_and_others_do_not() {
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
    async fn all_accounts_together_are_bounded_and_dropped_permits_return() {
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
