//! A store with deliveries in it, and a dispatcher that runs on it.

use crate::receiver::DEADLINE;
use clipia_api::types::Output;
use clipia_queue::{Credits, RequestId};
use clipia_server::clock::now;
use clipia_server::deliveries::{Dispatcher, Statistics};
use clipia_server::outbound::Outbound;
use clipia_server::store::sqlite::SqliteStore;
use clipia_server::store::{
    AccountId, DeliveryDetails, DeliveryFilter, DeliveryOwner, Key, KeyHash, NewAccount, NewKey, Scopes,
    Store, Submission,
};
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// What the account's deliveries are signed with at first.
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

const BOTH: Scopes = Scopes { generate: true };

pub(crate) fn account() -> AccountId {
    AccountId("acct_test".to_owned())
}

/// Its sandbox, whose deliveries [`Outbox::deliver`] makes.
pub(crate) fn owner() -> DeliveryOwner {
    DeliveryOwner { account: account(), sandbox: true }
}

/// A store with one account.
pub(crate) struct Outbox {
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) directory: TempDir,
}

impl Outbox {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(directory.path()).unwrap());
        let new = NewAccount { id: account(), webhook_secret: SECRET.to_owned(), grant: Credits::ZERO };
        store.create_account(new, now()).await.unwrap();
        let outbox = Self { store, directory };
        outbox.create_key(account(), 7).await;
        outbox
    }

    /// Another account with a key.
    pub(crate) async fn join(&self, account: AccountId, hash: u8) {
        let new = NewAccount { id: account.clone(), webhook_secret: SECRET.to_owned(), grant: Credits::ZERO };
        self.store.create_account(new, now()).await.unwrap();
        self.create_key(account, hash).await;
    }

    async fn create_key(&self, account: AccountId, hash: u8) {
        let Key { id, account, hint, sandbox, scopes, limits } = key(account);
        let key = NewKey { id, account, hash: KeyHash([hash; 32]), hint, sandbox, scopes, limits };
        self.store.create_key(key, now()).await.unwrap();
    }

    /// Ends a request that is to be told to `url`; the id of its delivery.
    pub(crate) async fn deliver(&self, url: &str) -> Uuid {
        self.deliver_for(account(), url).await
    }

    /// The same for another account.
    pub(crate) async fn deliver_for(&self, account: AccountId, url: &str) -> Uuid {
        let id = RequestId::generate();
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
            sample: Some(Output::default()),
        };
        self.store.submit(submission, now()).await.unwrap();
        let filter = DeliveryFilter { request: Some(id), ..Default::default() };
        self.store.list_deliveries(filter, None, 1).await.unwrap()[0].id
    }

    pub(crate) async fn details(&self, id: Uuid) -> DeliveryDetails {
        self.store.delivery(id).await.unwrap().unwrap()
    }

    /// The delivery, once it is as `wanted`.
    pub(crate) async fn until(&self, id: Uuid, wanted: impl Fn(&DeliveryDetails) -> bool) -> DeliveryDetails {
        let start = Instant::now();
        loop {
            let details = self.details(id).await;
            if wanted(&details) {
                return details;
            }
            assert!(start.elapsed() < DEADLINE, "{details:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// A dispatcher that runs until it is dropped.
    pub(crate) fn dispatch(&self, outbound: Outbound) -> Running {
        let ended = Arc::new(Notify::new());
        let store: Arc<dyn Store> = Arc::clone(&self.store) as _;
        let dispatcher = Arc::new(Dispatcher::new(store, outbound, Arc::clone(&ended)));
        let statistics = dispatcher.statistics();
        let task = tokio::spawn(dispatcher.run(CancellationToken::new()));
        Running { statistics, ended, task }
    }
}

pub(crate) struct Running {
    pub(crate) statistics: Arc<Statistics>,
    ended: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Running {
    /// Has it look for what is due, as when a request has ended.
    pub(crate) fn look(&self) {
        self.ended.notify_one();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn key(account: AccountId) -> Key {
    Key {
        id: format!("key_of_{account}"),
        account,
        hint: "…".to_owned(),
        sandbox: true,
        scopes: BOTH,
        limits: Default::default(),
    }
}
