//! Accounts, their credits, their keys and their webhook secrets.

use crate::{
    AccountId, AccountSummary, Bootstrapped, FirstAccount, GrantRefused, Key, KeyHash, NewAccount, NewKey,
    SigningTimes, StoreError,
};
use async_trait::async_trait;
use clipia_queue::limits::Spent;
use clipia_queue::rotation::Rotation;
use clipia_queue::{Credits, Moment, ledger};
use std::sync::Arc;
use std::time::Duration;

/// Accounts, their credits, their keys and their webhook secrets.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Creates an account with its webhook secret and its first credits, unless the id is taken.
    async fn create_account(&self, account: NewAccount) -> Result<bool, StoreError>;
    /// Creates the first account with its keys, all in one command, unless the store has an account. However many nodes start
    /// at once, one of them creates it.
    async fn bootstrap(&self, first: FirstAccount) -> Result<Bootstrapped, StoreError>;
    /// The account's balance and usage.
    async fn account(&self, account: &AccountId) -> Result<Option<AccountSummary>, StoreError>;
    /// Gives an account credits. Returns its new balance.
    async fn grant(&self, account: &AccountId, credits: Credits) -> Result<ledger::Balance, GrantRefused>;
    /// Takes credits back that an account can spend. Returns its new balance.
    async fn withdraw(&self, account: &AccountId, credits: Credits) -> Result<ledger::Balance, GrantRefused>;

    /// Creates a key, unless there is no such account.
    async fn create_key(&self, key: NewKey) -> Result<bool, StoreError>;
    /// The key in force with this hash.
    async fn key(&self, hash: KeyHash) -> Result<Option<Arc<Key>>, StoreError>;
    /// Takes a key out of force at once. False where there is none of this id in force.
    async fn revoke_key(&self, id: &str) -> Result<bool, StoreError>;
    /// Tells other nodes what this one has spent of the rate budgets of keys, by their public names. Returns the arrival times to which
    /// all nodes together have come of those keys of which a node has told within `since`; of every key that is not whole where nothing
    /// is said. Nothing where the store has one node only: there is nobody to tell.
    async fn share_spending(
        &self,
        spent: Vec<(String, Spent)>,
        since: Option<Duration>,
    ) -> Result<Option<Vec<(String, Moment)>>, StoreError> {
        let _ = (spent, since);
        Ok(None)
    }

    /// Gives an account another secret to sign deliveries with. The old ones sign, too, until the end that `rotation` has.
    /// False where there is no such account.
    async fn rotate_webhook_secret(
        &self,
        account: &AccountId,
        new: String,
        rotation: Rotation,
    ) -> Result<bool, StoreError>;
    /// Gives the rotation under way other times. False where no old secret signs now.
    async fn replan_rotation(&self, account: &AccountId, rotation: Rotation) -> Result<bool, StoreError>;
    /// When each secret of an account signs that does now, the newest first; nothing where there is no such account.
    async fn webhook_secrets(&self, account: &AccountId) -> Result<Vec<SigningTimes>, StoreError>;
}
