//! Accounts, their credits, their keys and their webhook secrets.

use crate::{PostgresStore, accounts, key_budgets, keys, webhook_secrets};
use async_trait::async_trait;
use clipia_queue::limits::Spent;
use clipia_queue::rotation::Rotation;
use clipia_queue::{Credits, Moment, ledger};
use clipia_store::{
    AccountId, AccountSummary, Accounts, Bootstrapped, FirstAccount, GrantRefused, Key, KeyHash, NewAccount,
    NewKey, SigningTimes, StoreError, Upkeep,
};
use std::sync::Arc;
use std::time::Duration;

#[async_trait]
impl Accounts for PostgresStore {
    async fn create_account(&self, account: NewAccount) -> Result<bool, StoreError> {
        self.write(move |w| async move { accounts::create(&w, &account).await }).await
    }

    async fn bootstrap(&self, first: FirstAccount) -> Result<Bootstrapped, StoreError> {
        self.write(move |w| async move { accounts::bootstrap(&w, &first).await }).await
    }

    async fn account(&self, account: &AccountId) -> Result<Option<AccountSummary>, StoreError> {
        accounts::summary(&self.connection().await?, account, self.now()).await
    }

    async fn grant(&self, account: &AccountId, credits: Credits) -> Result<ledger::Balance, GrantRefused> {
        let account = account.clone();
        self.write(move |w| async move { accounts::grant(&w, &account, credits).await }).await
    }

    async fn withdraw(&self, account: &AccountId, credits: Credits) -> Result<ledger::Balance, GrantRefused> {
        let account = account.clone();
        self.write(move |w| async move { accounts::withdraw(&w, &account, credits).await }).await
    }

    async fn create_key(&self, key: NewKey) -> Result<bool, StoreError> {
        self.write(move |w| async move { keys::create(&w, &key).await }).await
    }

    async fn key(&self, hash: KeyHash) -> Result<Option<Arc<Key>>, StoreError> {
        Ok(keys::find(&self.connection().await?, hash).await?.map(Arc::new))
    }

    async fn revoke_key(&self, id: &str) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.write(move |w| async move { keys::revoke(&w, &id).await }).await
    }

    async fn share_spending(
        &self,
        spent: Vec<(String, Spent)>,
        since: Option<Duration>,
    ) -> Result<Option<Vec<(String, Moment)>>, StoreError> {
        key_budgets::share(&self.connection().await?, spent, since).await.map(Some)
    }

    async fn rotate_webhook_secret(
        &self,
        account: &AccountId,
        new: String,
        rotation: Rotation,
    ) -> Result<bool, StoreError> {
        let account = account.clone();
        self.write(move |w| async move { webhook_secrets::rotate(&w, &account, &new, rotation).await }).await
    }

    async fn replan_rotation(&self, account: &AccountId, rotation: Rotation) -> Result<bool, StoreError> {
        let account = account.clone();
        self.write(move |w| async move { webhook_secrets::replan(&w, &account, rotation).await }).await
    }

    async fn webhook_secrets(&self, account: &AccountId) -> Result<Vec<SigningTimes>, StoreError> {
        webhook_secrets::list(&self.connection().await?, account, self.now()).await
    }
}
