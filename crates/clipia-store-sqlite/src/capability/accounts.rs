//! Accounts, their credits, their keys and their webhook secrets.

use crate::{SqliteStore, accounts, webhook_secrets};
use async_trait::async_trait;
use clipia_queue::rotation::Rotation;
use clipia_queue::{Credits, ledger};
use clipia_store::{
    AccountId, AccountSummary, Accounts, Bootstrapped, FirstAccount, GrantRefused, Key, KeyHash, NewAccount,
    NewKey, SigningTimes, StoreError,
};
use std::sync::Arc;

#[async_trait]
impl Accounts for SqliteStore {
    async fn create_account(&self, account: NewAccount) -> Result<bool, StoreError> {
        let now = self.clock.now();
        self.writer.write(move |c| accounts::create(c, &account, now)).await
    }

    async fn bootstrap(&self, first: FirstAccount) -> Result<Bootstrapped, StoreError> {
        let now = self.clock.now();
        self.writer.write(move |w| accounts::bootstrap(w, &first, now)).await
    }

    async fn account(&self, account: &AccountId) -> Result<Option<AccountSummary>, StoreError> {
        let now = self.clock.now();
        let account = account.clone();
        self.read(move |c| accounts::summary(c, &account, now)).await
    }

    async fn grant(&self, account: &AccountId, credits: Credits) -> Result<ledger::Balance, GrantRefused> {
        let now = self.clock.now();
        let account = account.clone();
        self.writer.write(move |c| accounts::grant(c, &account, credits, now)).await
    }

    async fn withdraw(&self, account: &AccountId, credits: Credits) -> Result<ledger::Balance, GrantRefused> {
        let now = self.clock.now();
        let account = account.clone();
        self.writer.write(move |c| accounts::withdraw(c, &account, credits, now)).await
    }

    async fn create_key(&self, key: NewKey) -> Result<bool, StoreError> {
        let now = self.clock.now();
        self.writer.write(move |c| accounts::create_key(c, &key, now)).await
    }

    async fn key(&self, hash: KeyHash) -> Result<Option<Arc<Key>>, StoreError> {
        let as_of = match self.memory.keys.find(hash) {
            Ok(key) => return Ok(Some(key)),
            Err(as_of) => as_of,
        };
        let stored = self.read_pool.read(|c| accounts::key(c, hash))?.map(Arc::new);
        if let Some(key) = &stored {
            self.memory.keys.insert(hash, key, as_of);
        }
        Ok(stored)
    }

    async fn revoke_key(&self, id: &str) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let id = id.to_owned();
        self.writer.write(move |c| accounts::revoke_key(c, &id, now)).await
    }

    async fn rotate_webhook_secret(
        &self,
        account: &AccountId,
        new: String,
        rotation: Rotation,
    ) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let account = account.clone();
        self.writer.write(move |c| webhook_secrets::rotate(c, &account, &new, rotation, now)).await
    }

    async fn replan_rotation(&self, account: &AccountId, rotation: Rotation) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let account = account.clone();
        self.writer.write(move |c| webhook_secrets::replan(c, &account, rotation, now)).await
    }

    async fn webhook_secrets(&self, account: &AccountId) -> Result<Vec<SigningTimes>, StoreError> {
        let now = self.clock.now();
        let account = account.clone();
        self.read(move |c| webhook_secrets::list(c, &account, now)).await
    }
}
