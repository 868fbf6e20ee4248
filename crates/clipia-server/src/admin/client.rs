//! Calls to the administration of a server that runs on this machine.

use super::{Access, AccountMade, AccountOrder, KeyMade, KeyOrder};
use crate::outbound::Outbound;
use crate::store::KeyListing;
use clipia_api::types::ErrorEnvelope;
use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::path::{Path, PathBuf};

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
    /// The server refused.
    #[error("{0}")]
    Refused(String),
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

    /// Makes an account.
    ///
    /// # Errors
    /// [`AdministrationError`].
    pub async fn create_account(&self, order: &AccountOrder) -> Result<AccountMade, AdministrationError> {
        self.call(Method::POST, "/accounts", Some(order)).await
    }

    /// Makes a key.
    ///
    /// # Errors
    /// [`AdministrationError`], for instance where there is no such account.
    pub async fn create_key(&self, order: &KeyOrder) -> Result<KeyMade, AdministrationError> {
        self.call(Method::POST, "/keys", Some(order)).await
    }

    /// Every key, revoked ones too.
    ///
    /// # Errors
    /// [`AdministrationError`].
    pub async fn keys(&self) -> Result<Vec<KeyListing>, AdministrationError> {
        self.call(Method::GET, "/keys", None::<&()>).await
    }

    /// Takes a key out of force at once.
    ///
    /// # Errors
    /// [`AdministrationError`], for instance where no such key is in force.
    pub async fn revoke_key(&self, id: &str) -> Result<(), AdministrationError> {
        self.call(Method::DELETE, &format!("/keys/{id}"), None::<&()>).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<T, AdministrationError> {
        let url = format!("{}{path}", self.access.url);
        let mut request = self.outbound.http().request(method, url).bearer_auth(&self.access.token);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(serde_json::to_vec(body)?);
        }
        let response = request.send().await?;
        let refused = !response.status().is_success();
        let answer = response.bytes().await?;
        if refused {
            let envelope: ErrorEnvelope = serde_json::from_slice(&answer)?;
            return Err(AdministrationError::Refused(envelope.error.message));
        }
        Ok(serde_json::from_slice(&answer)?)
    }
}
