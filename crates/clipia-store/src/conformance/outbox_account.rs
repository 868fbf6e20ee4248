//! An account whose requests want deliveries.

use crate::{
    AccountId, DeliveryDetails, DeliveryFilter, DeliveryOwner, Key, KeyHash, NewAccount, NewKey, Scopes,
    Store, Submission,
};
use clipia_api::types::Output;
use clipia_queue::Credits;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// What the account's deliveries are signed with at first.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The account itself.
pub fn account() -> AccountId {
    AccountId("acct_outbox".to_owned())
}

/// Its sandbox, whose deliveries [`Outbox::deliver`] makes.
pub fn owner() -> DeliveryOwner {
    DeliveryOwner { account: account(), sandbox: true }
}

/// A store with an account whose requests want deliveries.
pub struct Outbox {
    /// The store.
    pub store: Arc<dyn Store>,
}

impl Outbox {
    /// Opens the account in `store`.
    pub async fn new(store: Arc<dyn Store>) -> Self {
        let outbox = Self { store };
        outbox.join(account(), 107).await;
        outbox
    }

    /// Another account with a key.
    pub async fn join(&self, account: AccountId, hash: u8) {
        let new = NewAccount { id: account.clone(), webhook_secret: SECRET.to_owned(), grant: Credits::ZERO };
        assert!(self.store.create_account(new).await.unwrap());
        let Key { id, account, hint, sandbox, scopes, limits } = key(account);
        let key = NewKey { id, account, hash: KeyHash([hash; 32]), hint, sandbox, scopes, limits };
        assert!(self.store.create_key(key).await.unwrap());
    }

    /// Ends a request that wants a delivery to `url`. Returns the id of the delivery.
    pub async fn deliver(&self, url: &str) -> Uuid {
        self.deliver_for(account(), url).await
    }

    /// The same for another account.
    pub async fn deliver_for(&self, account: AccountId, url: &str) -> Uuid {
        let id = super::id_at(self.store.now());
        let submission = Submission {
            id,
            key: Arc::new(key(account)),
            idempotency: None,
            model: "nano-banana-2".to_owned(),
            queue: "render".to_owned(),
            attempt_max: Duration::from_secs(600),
            input: Default::default(),
            warnings: Vec::new(),
            cost: Credits::new(12),
            webhook_url: Some(url.to_owned()),
            base_url: "http://here".to_owned(),
            elsewhere: false,
            uploads: Vec::new(),
            sample: Some(Output::default()),
        };
        self.store.submit(submission).await.unwrap();
        let filter = DeliveryFilter { request: Some(id), ..Default::default() };
        self.store.list_deliveries(filter, None, 1).await.unwrap()[0].id
    }

    /// The delivery and its attempts.
    pub async fn details(&self, id: Uuid) -> DeliveryDetails {
        self.store.delivery(id).await.unwrap().unwrap()
    }
}

fn key(account: AccountId) -> Key {
    Key {
        id: format!("key_of_{account}"),
        account,
        hint: "…".to_owned(),
        sandbox: true,
        scopes: Scopes { generate: true },
        limits: Default::default(),
    }
}
