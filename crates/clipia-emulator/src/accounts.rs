//! The accounts of an emulator: any key of the right form is an account of its own, from its first call on. So tests that run at once never
//! meet, if each makes a key up.

use crate::CallerKey;
use clipia_queue::limits::KeyLimits;
use clipia_queue::{AccountId, Credits};
use clipia_server::credentials::{self, known_key};
use clipia_store::{GrantRefused, NewAccount, Store, StoreError};
use std::collections::{HashMap, HashSet};
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
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an account of a scenario cannot have its credits.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioCreditsError {
    /// An earlier emulator has left more in the directory.
    #[error(
        "the scenario gives `{key}` {credits} credits, and its account has {available} in the directory of `--data`: \
         credits cannot be taken away, so use another key or another directory"
    )]
    More {
        /// The key, as it is shown.
        key: String,
        /// What the scenario says.
        credits: Credits,
        /// What it has.
        available: Credits,
    },
    /// They cannot be given.
    #[error(transparent)]
    Grant(#[from] GrantRefused),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The accounts.
pub(crate) struct Accounts {
    store: Arc<dyn Store>,
    limits: KeyLimits,
    /// The first credits of accounts, where they are not [`CREDITS`].
    credits: HashMap<CallerKey, Credits>,
    /// The accounts that are known to exist: a call of one costs no look into the store.
    open: Mutex<HashSet<AccountId>>,
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Accounts {
    /// No accounts yet. Each key has `limits`. The accounts of the keys in `credits` begin with those.
    pub(crate) fn new(
        store: Arc<dyn Store>,
        limits: KeyLimits,
        credits: HashMap<CallerKey, Credits>,
    ) -> Self {
        Self { store, limits, credits, open: Mutex::default() }
    }

    /// Makes sure that the key has an account.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) async fn open(&self, key: &CallerKey) -> Result<(), StoreError> {
        let credits = self.credits.get(key).copied().unwrap_or(CREDITS);
        match self.open_with(key, credits).await {
            Ok(()) | Err(CreditsRefused::Used) => Ok(()),
            Err(CreditsRefused::Store(error)) => Err(error),
        }
    }

    /// Opens the accounts that do not begin with [`CREDITS`]. One that an earlier emulator has left in the directory gets what it
    /// lacks, so that two runs begin alike.
    ///
    /// # Errors
    /// [`ScenarioCreditsError`].
    pub(crate) async fn open_those_of_the_scenario(&self) -> Result<(), ScenarioCreditsError> {
        for (key, credits) in &self.credits {
            match self.open_with(key, *credits).await {
                Ok(()) => continue,
                Err(CreditsRefused::Store(error)) => return Err(error.into()),
                Err(CreditsRefused::Used) => {}
            }
            let id = account_id(key);
            let available = self.store.account(&id).await?.map_or(Credits::ZERO, |account| account.available);
            let Some(lacking) = credits.checked_sub(available) else {
                let key = credentials::hint(key.revealed());
                return Err(ScenarioCreditsError::More { key, credits: *credits, available });
            };
            if lacking > Credits::ZERO {
                self.store.grant(&id, lacking).await?;
            }
        }
        Ok(())
    }

    /// Opens the account of a key that was not used yet, with these credits.
    ///
    /// # Errors
    /// [`CreditsRefused`] says why it is not opened.
    pub(crate) async fn open_with(&self, key: &CallerKey, credits: Credits) -> Result<(), CreditsRefused> {
        let id = account_id(key);
        // Held until the key is there: another call with the key waits for it.
        let mut open = self.open.lock().await;
        if !open.insert(id.clone()) {
            return Err(CreditsRefused::Used);
        }
        let account =
            NewAccount { id: id.clone(), webhook_secret: WEBHOOK_SECRET.to_owned(), grant: credits };
        let opened = async {
            // An emulator before this one may have left it in the directory.
            if !self.store.create_account(account).await? {
                return Err(CreditsRefused::Used);
            }
            let key = known_key(id.clone(), key.revealed(), key.is_sandbox(), self.limits);
            self.store.create_key(key).await?;
            Ok(())
        };
        let opened = opened.await;
        if let Err(CreditsRefused::Store(_)) = opened {
            open.remove(&id);
        }
        opened
    }
}

/// The account of a key: the same in every run.
fn account_id(key: &CallerKey) -> AccountId {
    AccountId(format!("acct_{}", hex::encode(&key.hash().0[..8])))
}
