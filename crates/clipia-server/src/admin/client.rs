//! Calls to the administration of a server that runs on this machine.

use super::{
    Access, AccountMade, AccountOrder, AuditQuery, BackupMade, BackupOrder, DeliveryQuery, GrantMade,
    GrantOrder, HeldSettled, KeyMade, KeyOrder, PageQuery, ReplayOrder, RequestCanceled, RequestDetails,
    RequestQuery, RotationOrder, SecretMade, SecretsListing,
};
use crate::outbound::Outbound;
use crate::store::{
    AccountId, AccountListing, AccountPage, AuditEntry, DeliveryDetails, DeliveryListing, Findings,
    KeyListing, KeyPage, Replayed, RequestPage,
};
use clipia_api::types::ErrorEnvelope;
use clipia_queue::RequestId;
use reqwest::{Method, RequestBuilder};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// The administration of the server that runs on a data directory.
pub struct Administration {
    access: Access,
    outbound: Outbound,
}

/// A call to the administration that did nothing.
#[derive(Debug, thiserror::Error)]
pub enum AdministrationError {
    /// No server runs on the directory, or it is another user's.
    #[error("no server runs on `{}`: {source}", .data.display())]
    NotRunning {
        /// The directory.
        data: PathBuf,
        /// Why its access cannot be read.
        source: io::Error,
    },
    /// The server refused, and says why.
    #[error("{0}")]
    Refused(String),
    /// The server failed.
    #[error("{0}")]
    Failed(String),
    /// The server cannot be reached, or its answer cannot be read.
    #[error("the server does not answer: {0}")]
    Call(#[from] reqwest::Error),
    /// An order or an answer is not of the administration's form.
    #[error("the server answers in another form: is it of another version? ({0})")]
    Form(#[from] serde_json::Error),
}

impl Administration {
    /// That of the server on `data`.
    ///
    /// # Errors
    /// [`AdministrationError::NotRunning`] where there is none.
    pub fn of(data: &Path) -> Result<Self, AdministrationError> {
        let access = Access::read(data)
            .map_err(|source| AdministrationError::NotRunning { data: data.to_owned(), source })?;
        Ok(Self { access, outbound: Outbound::new(true)? })
    }

    /// A page of the accounts, by their ids, which rise with time.
    ///
    /// # Errors
    /// [`AdministrationError`].
    pub async fn account_page(&self, query: &PageQuery) -> Result<AccountPage, AdministrationError> {
        self.get("/accounts", query).await
    }

    /// Every account, page by page.
    ///
    /// # Errors
    /// [`AdministrationError`].
    pub async fn accounts(&self) -> Result<Vec<AccountListing>, AdministrationError> {
        let (mut all, mut query) = (Vec::new(), PageQuery::default());
        loop {
            let page = self.account_page(&query).await?;
            all.extend(page.accounts);
            match page.next {
                Some(next) => query.after = Some(next.0),
                None => return Ok(all),
            }
        }
    }

    /// Makes an account.
    ///
    /// # Errors
    /// [`AdministrationError`].
    pub async fn create_account(&self, order: &AccountOrder) -> Result<AccountMade, AdministrationError> {
        self.post("/accounts", order).await
    }

    /// Gives an account credits.
    ///
    /// # Errors
    /// [`AdministrationError`], for instance where there is no such account.
    pub async fn grant(
        &self,
        account: &AccountId,
        order: &GrantOrder,
    ) -> Result<GrantMade, AdministrationError> {
        self.post(&format!("/accounts/{}/grants", segment(&account.0)), order).await
    }

    /// Gives an account another secret to sign its deliveries with.
    ///
    /// # Errors
    /// [`AdministrationError`], for instance where there is no such account, or the times cannot be.
    pub async fn rotate_webhook_secret(
        &self,
        account: &AccountId,
        order: RotationOrder,
    ) -> Result<SecretMade, AdministrationError> {
        self.post(&secrets(account), &order).await
    }

    /// Changes when the secrets of a rotation under way sign; what `order` does not say stays.
    ///
    /// # Errors
    /// [`AdministrationError`], for instance where there is no rotation, or the times cannot be.
    pub async fn replan_rotation(
        &self,
        account: &AccountId,
        order: RotationOrder,
    ) -> Result<SecretsListing, AdministrationError> {
        self.send(Method::PATCH, &secrets(account), &order).await
    }

    /// How the secrets of an account sign now.
    ///
    /// # Errors
    /// [`AdministrationError`], for instance where there is no such account.
    pub async fn webhook_secrets(&self, account: &AccountId) -> Result<SecretsListing, AdministrationError> {
        self.get(&secrets(account), &()).await
    }

    /// Makes a key.
    ///
    /// # Errors
    /// [`AdministrationError`], for instance where there is no such account.
    pub async fn create_key(&self, order: &KeyOrder) -> Result<KeyMade, AdministrationError> {
        self.post("/keys", order).await
    }

    /// A page of the keys, revoked ones too, in the order of their making.
    ///
    /// # Errors
    /// [`AdministrationError`].
    pub async fn key_page(&self, query: &PageQuery) -> Result<KeyPage, AdministrationError> {
        self.get("/keys", query).await
    }

    /// Every key, revoked ones too, page by page.
    ///
    /// # Errors
    /// [`AdministrationError`].
    pub async fn keys(&self) -> Result<Vec<KeyListing>, AdministrationError> {
        let (mut all, mut query) = (Vec::new(), PageQuery::default());
        loop {
            let page = self.key_page(&query).await?;
            all.extend(page.keys);
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// Takes a key out of force at once.
    ///
    /// # Errors
    /// [`AdministrationError`], for instance where no such key is in force.
    pub async fn revoke_key(&self, id: &str) -> Result<(), AdministrationError> {
        self.call(Method::DELETE, &format!("/keys/{}", segment(id)), Ok).await
    }

    /// Requests, the newest first.
    ///
    /// # Errors
    /// [`AdministrationError`].
    pub async fn requests(&self, query: &RequestQuery) -> Result<RequestPage, AdministrationError> {
        self.get("/requests", query).await
    }

    /// A request and what happened to it.
    ///
    /// # Errors
    /// [`AdministrationError`], for instance where there is no such request.
    pub async fn request(&self, id: RequestId) -> Result<RequestDetails, AdministrationError> {
        self.get(&format!("/requests/{id}"), &()).await
    }

    /// Calls a request off.
    ///
    /// # Errors
    /// [`AdministrationError`], for instance where it has ended already.
    pub async fn cancel_request(&self, id: RequestId) -> Result<RequestCanceled, AdministrationError> {
        self.post(&format!("/requests/{id}/cancel"), &()).await
    }

    /// Deliveries, the newest first.
    ///
    /// # Errors
    /// [`AdministrationError`].
    pub async fn deliveries(
        &self,
        query: &DeliveryQuery,
    ) -> Result<Vec<DeliveryListing>, AdministrationError> {
        self.get("/deliveries", query).await
    }

    /// A delivery and its attempts.
    ///
    /// # Errors
    /// [`AdministrationError`], for instance where there is no such delivery.
    pub async fn delivery(&self, id: Uuid) -> Result<DeliveryDetails, AdministrationError> {
        self.get(&format!("/deliveries/{id}"), &()).await
    }

    /// Has a delivery attempted once more, now.
    ///
    /// # Errors
    /// [`AdministrationError`], for instance where there is no such delivery.
    pub async fn replay(&self, id: Uuid) -> Result<(), AdministrationError> {
        self.post(&format!("/deliveries/{id}/replay"), &()).await
    }

    /// Has deliveries that were given up attempted once more: so many at a time, and the answer says where to go on.
    ///
    /// # Errors
    /// [`AdministrationError`].
    pub async fn replay_failed(&self, order: &ReplayOrder) -> Result<Replayed, AdministrationError> {
        self.post("/deliveries/replay", order).await
    }

    /// Has deliveries attempted that a restored store holds.
    ///
    /// # Errors
    /// [`AdministrationError`].
    pub async fn resume_deliveries(&self) -> Result<HeldSettled, AdministrationError> {
        self.post("/deliveries/resume", &()).await
    }

    /// Gives deliveries up that a restored store holds.
    ///
    /// # Errors
    /// [`AdministrationError`].
    pub async fn abandon_deliveries(&self) -> Result<HeldSettled, AdministrationError> {
        self.post("/deliveries/abandon", &()).await
    }

    /// What operators did, and how often tokens were refused, the newest first.
    ///
    /// # Errors
    /// [`AdministrationError`].
    pub async fn audit(&self, query: AuditQuery) -> Result<Vec<AuditEntry>, AdministrationError> {
        self.get("/audit", &query).await
    }

    /// Looks for anything in the store that must not be.
    ///
    /// # Errors
    /// [`AdministrationError`]. What is found is no error.
    pub async fn examine(&self) -> Result<Findings, AdministrationError> {
        self.get("/examination", &()).await
    }

    /// Copies the store to a new file.
    ///
    /// # Errors
    /// [`AdministrationError`], for instance where the file exists.
    pub async fn back_up(&self, order: &BackupOrder) -> Result<BackupMade, AdministrationError> {
        self.post("/backups", order).await
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &(impl Serialize + Sync),
    ) -> Result<T, AdministrationError> {
        self.call(Method::GET, path, |call| Ok(call.query(query))).await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        order: &(impl Serialize + Sync),
    ) -> Result<T, AdministrationError> {
        self.send(Method::POST, path, order).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        order: &(impl Serialize + Sync),
    ) -> Result<T, AdministrationError> {
        let json = |call: RequestBuilder| {
            Ok(call.header("content-type", "application/json").body(serde_json::to_vec(order)?))
        };
        self.call(method, path, json).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        with: impl FnOnce(RequestBuilder) -> Result<RequestBuilder, AdministrationError>,
    ) -> Result<T, AdministrationError> {
        let url = format!("{}{path}", self.access.url);
        let call = self.outbound.http().request(method, url).bearer_auth(&self.access.token);
        let response = with(call)?.send().await?;
        let status = response.status();
        let answer = response.bytes().await?;
        if status.is_success() {
            return Ok(serde_json::from_slice(&answer)?);
        }
        let ErrorEnvelope { error, .. } = serde_json::from_slice(&answer)?;
        let message = error.message.unwrap_or(error.code);
        Err(match status.is_server_error() {
            true => AdministrationError::Failed(message),
            false => AdministrationError::Refused(message),
        })
    }
}

/// The path of the webhook secrets of an account.
fn secrets(account: &AccountId) -> String {
    format!("/accounts/{}/webhook-secrets", segment(&account.0))
}

/// A name as a segment of a path, whatever is in it.
fn segment(name: &str) -> String {
    url::form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>().replace('+', "%20")
}
