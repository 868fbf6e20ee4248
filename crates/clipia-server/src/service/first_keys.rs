//! The first account of a store, with its keys and its webhook secret.

use crate::credentials;
use crate::store::{Bootstrapped, FirstAccount, NewAccount, Scopes, Store, StoreError};
use clipia_queue::Credits;
use std::fmt;

/// The keys and the webhook secret of the first account. The keys can be shown this once only: the store keeps their hashes.
#[derive(Clone, PartialEq, Eq)]
pub struct FirstKeys {
    /// The live key.
    pub live_key: String,
    /// The sandbox key.
    pub test_key: String,
    /// The secret that signs deliveries.
    pub webhook_secret: String,
}

impl fmt::Debug for FirstKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FirstKeys { hidden }")
    }
}

/// Creates the first account with these credits and its keys; none if the store has an account.
pub(super) async fn create(store: &dyn Store, credits: Credits) -> Result<Option<FirstKeys>, StoreError> {
    let account = NewAccount {
        id: credentials::new_account_id(),
        webhook_secret: credentials::new_webhook_secret(),
        grant: credits,
    };
    let scopes = Scopes { generate: true };
    let (live_key, live) = credentials::new_key(account.id.clone(), false, scopes);
    let (test_key, test) = credentials::new_key(account.id.clone(), true, scopes);
    let webhook_secret = account.webhook_secret.clone();
    let first = FirstAccount { account, keys: vec![live, test] };
    Ok(match store.bootstrap(first).await? {
        Bootstrapped::Created => Some(FirstKeys { live_key, test_key, webhook_secret }),
        Bootstrapped::Exists => None,
    })
}
