//! The acts of operators, for the audit log.

use crate::{AccountId, Credits, RequestId};

/// An act of an operator. It is written in the transaction that does it, and holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// What was done.
    pub act: &'static str,
    /// To what: an account, a key, a request, a delivery, a queue or a worker; empty where it was to several.
    pub subject: String,
    /// How much, or how.
    pub detail: String,
}

impl Act {
    fn new(act: &'static str, subject: impl ToString, detail: impl Into<String>) -> Self {
        Self { act, subject: subject.to_string(), detail: detail.into() }
    }

    /// An account was created with its first credits.
    pub fn account_created(account: &AccountId, credits: Credits) -> Self {
        Self::new("account created", account, format!("{credits} credits"))
    }

    /// An account got credits.
    pub fn credits_granted(account: &AccountId, credits: Credits) -> Self {
        Self::new("credits granted", account, format!("{credits} credits"))
    }

    /// Credits were taken back from an account.
    pub fn credits_withdrawn(account: &AccountId, credits: Credits) -> Self {
        Self::new("credits taken back", account, format!("{credits} credits"))
    }

    /// A key was created.
    pub fn key_created(id: &str, account: &AccountId, sandbox: bool, generates: bool) -> Self {
        let kind = if sandbox { "sandbox" } else { "live" };
        let may = if generates { "generate and read" } else { "read" };
        Self::new("key created", id, format!("{kind} key of {account}, may {may}"))
    }

    /// A key was revoked.
    pub fn key_revoked(id: &str) -> Self {
        Self::new("key revoked", id, "")
    }

    /// An account got another secret to sign deliveries with.
    pub fn secret_rotated(account: &AccountId) -> Self {
        Self::new("webhook secret rotated", account, "")
    }

    /// The rotation under way got other times.
    pub fn rotation_changed(account: &AccountId) -> Self {
        Self::new("rotation of the webhook secret changed", account, "")
    }

    /// A request was canceled.
    pub fn request_canceled(id: RequestId) -> Self {
        Self::new("request canceled", id, "")
    }

    /// A delivery is attempted once more.
    pub fn delivery_replayed(id: impl ToString) -> Self {
        Self::new("delivery replayed", id, "")
    }

    /// Deliveries are attempted once more that were given up from `since` on, a time as it is shown.
    pub fn deliveries_replayed(count: u64, since: impl ToString) -> Self {
        let since = since.to_string();
        Self::new("deliveries replayed", "", format!("{count} that were given up since {since}"))
    }

    /// Held deliveries are attempted; nothing where there were none.
    pub fn held_resumed(count: u64) -> Option<Self> {
        (count > 0).then(|| Self::new("held deliveries resumed", "", count.to_string()))
    }

    /// Held deliveries were given up; nothing where there were none.
    pub fn held_abandoned(count: u64) -> Option<Self> {
        (count > 0).then(|| Self::new("held deliveries abandoned", "", count.to_string()))
    }

    /// A queue was paused.
    pub fn queue_paused(queue: &str) -> Self {
        Self::new("queue paused", queue, "")
    }

    /// A queue was resumed.
    pub fn queue_resumed(queue: &str) -> Self {
        Self::new("queue resumed", queue, "")
    }

    /// A worker was created.
    pub fn worker_created(name: &str, executors: &[String]) -> Self {
        Self::new("worker created", name, executors.join(", "))
    }

    /// A worker was made quiet, or it claims again.
    pub fn worker_quiet(name: &str, is_quiet: bool) -> Self {
        Self::new(if is_quiet { "worker made quiet" } else { "worker resumed" }, name, "")
    }

    /// A worker was revoked that had `leases`.
    pub fn worker_revoked(name: &str, leases: u64) -> Self {
        let requests = if leases == 1 { "request was" } else { "requests were" };
        Self::new("worker revoked", name, format!("{leases} {requests} taken back"))
    }

    /// A server first ran on a backup.
    pub fn store_restored() -> Self {
        Self::new("store restored", "", "from a backup")
    }

    /// The store was copied to a file.
    pub fn store_backed_up(file: impl ToString) -> Self {
        Self::new("store backed up", "", file.to_string())
    }

    /// API keys or tokens of the administration were refused `count` times; nothing where there were none.
    pub fn refused(kind: RefusedKind, count: u64) -> Option<Self> {
        let act = match kind {
            RefusedKind::ApiKey => "API key refused",
            RefusedKind::Administration => "administration token refused",
        };
        let times = if count == 1 { "once".to_owned() } else { format!("{count} times") };
        (count > 0).then(|| Self::new(act, "", times))
    }
}

/// What was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedKind {
    /// An API key.
    ApiKey,
    /// A token of the administration.
    Administration,
}
