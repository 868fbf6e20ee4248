//! The accounts of an emulator: any key of the right form is an account of its own, from its first call on. So tests that run at once never
//! meet, if each makes a key up.

use clipia_queue::limits::KeyLimits;
use clipia_queue::{AccountId, Credits};
use clipia_server::credentials::{self, known_key};
use clipia_store::{NewAccount, Store, StoreError};
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The live key that every emulator has.
pub const LIVE_KEY: &str = "clipia_live_emulator";

/// The sandbox key that every emulator has.
pub const TEST_KEY: &str = "clipia_test_emulator";

/// The secret that signs the deliveries of every account.
pub const WEBHOOK_SECRET: &str = clipia_webhook::EMULATOR_SECRET;

/// The first credits of an account, if nothing else is said.
pub const CREDITS: Credits = Credits::new(1_000_000);

/// Why an account cannot begin with other credits.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CreditsRefused {
    /// The key was used before.
    #[error("the account of this key has its credits already: name them before the first call with the key")]
    Used,
    /// No server would take the key.
    #[error("a key begins with `clipia_live_` or `clipia_test_`, and has something behind that")]
    NoKey,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The accounts.
pub(crate) struct Accounts {
    store: Arc<dyn Store>,
    limits: KeyLimits,
    /// The first credits of accounts, where they are not [`CREDITS`].
    credits: BTreeMap<String, Credits>,
    /// The accounts that exist.
    open: Mutex<HashSet<AccountId>>,
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Accounts {
    /// No accounts yet. Each key has `limits`. The accounts of the keys in `credits` begin with those.
    pub(crate) fn new(store: Arc<dyn Store>, limits: KeyLimits, credits: BTreeMap<String, Credits>) -> Self {
        Self { store, limits, credits, open: Mutex::default() }
    }

    /// Makes sure that the key has an account. A key of another form has none: the server refuses it.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) async fn open(&self, key: &str) -> Result<(), StoreError> {
        let credits = self.credits.get(key).copied().unwrap_or(CREDITS);
        match self.open_with(key, credits).await {
            Ok(()) | Err(CreditsRefused::Used | CreditsRefused::NoKey) => Ok(()),
            Err(CreditsRefused::Store(error)) => Err(error),
        }
    }

    /// Opens the account of a key that was not used yet, with these credits.
    ///
    /// # Errors
    /// [`CreditsRefused`] says why it is not opened.
    pub(crate) async fn open_with(&self, key: &str, credits: Credits) -> Result<(), CreditsRefused> {
        let key = known_key(account_of(key), key, self.limits).ok_or(CreditsRefused::NoKey)?;
        // Held until the key is there: another call with the key waits for it.
        let mut open = self.open.lock().await;
        if open.contains(&key.account) {
            return Err(CreditsRefused::Used);
        }
        let id = key.account.clone();
        let account =
            NewAccount { id: id.clone(), webhook_secret: WEBHOOK_SECRET.to_owned(), grant: credits };
        self.store.create_account(account).await?;
        self.store.create_key(key).await?;
        open.insert(id);
        Ok(())
    }
}

/// The account of a key: the same in every run.
fn account_of(key: &str) -> AccountId {
    AccountId(format!("acct_{}", hex::encode(&credentials::hash(key).0[..8])))
}
