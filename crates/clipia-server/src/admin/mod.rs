//! What an operator does to a running server: accounts and keys.
//!
//! It listens on the loopback interface only and takes one token. Address and token stand in `admin.json` of the data
//! directory, which only the server's user can read: who can read it runs the server anyway.

mod client;

pub use client::{Administration, AdministrationError};

use crate::clock::now;
use crate::credentials;
use crate::http::ApiError;
use crate::store::{AccountId, KeyListing, NewAccount, Scopes, Store};
use axum::extract::{Path, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use clipia_api::Credits;
use clipia_api::error_code::ErrorCode;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::{fmt, io};
use subtle::ConstantTimeEq;

/// How to reach the administration of a running server.
#[derive(Clone, Serialize, Deserialize)]
pub struct Access {
    /// Where it listens.
    pub url: String,
    /// What it takes as `Authorization: Bearer`.
    pub token: String,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Access {
    /// New access to an administration that listens at `address`.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { url: format!("http://{address}"), token: hex::encode(rand::random::<[u8; 32]>()) }
    }

    fn path(data: &FilePath) -> PathBuf {
        data.join("admin.json")
    }

    /// The access to the server that runs on the directory `data`.
    ///
    /// # Errors
    /// If none runs there, or the file is another user's.
    pub fn read(data: &FilePath) -> io::Result<Self> {
        serde_json::from_slice(&std::fs::read(Self::path(data))?).map_err(io::Error::other)
    }

    /// Writes the file, for its owner's eyes.
    pub(crate) fn write(&self, data: &FilePath) -> io::Result<()> {
        let path = Self::path(data);
        let text = serde_json::to_vec(self).map_err(io::Error::other)?;
        Self::remove(data);
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        io::Write::write_all(&mut options.open(path)?, &text)
    }

    /// Removes the file, if it is there.
    pub(crate) fn remove(data: &FilePath) {
        let _ = std::fs::remove_file(Self::path(data));
    }
}

/// An account to make.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountOrder {
    /// Its first credits.
    pub credits: Credits,
}

/// An account that was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountMade {
    /// Its name.
    pub account_id: AccountId,
    /// What its deliveries are signed with.
    pub webhook_secret: String,
}

/// A key to make.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyOrder {
    /// Whose it will be.
    pub account_id: AccountId,
    /// Whether it will be a sandbox key.
    pub sandbox: bool,
    /// What it may do.
    pub scopes: Scopes,
}

/// A key that was made.
#[derive(Clone, Serialize, Deserialize)]
pub struct KeyMade {
    /// Its name.
    pub id: String,
    /// The key itself, told this once.
    pub key: String,
}

#[derive(Clone)]
struct Admin {
    store: Arc<dyn Store>,
    token: Arc<str>,
}

/// The administration over HTTP.
pub(crate) fn router(store: Arc<dyn Store>, access: &Access) -> Router {
    let admin = Admin { store, token: access.token.as_str().into() };
    Router::new()
        .route("/accounts", post(create_account))
        .route("/keys", get(keys).post(create_key))
        .route("/keys/{id}", delete(revoke_key))
        .layer(from_fn_with_state(admin.clone(), authorize))
        .with_state(admin)
}

async fn authorize(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    let token = credentials::of_headers(request.headers()).unwrap_or_default();
    if bool::from(token.as_bytes().ct_eq(admin.token.as_bytes())) {
        return next.run(request).await;
    }
    ApiError::new(ErrorCode::InvalidApiKey, "the administration's token is needed").into_response()
}

async fn create_account(
    State(admin): State<Admin>,
    Json(order): Json<AccountOrder>,
) -> Result<Json<AccountMade>, ApiError> {
    let account = NewAccount {
        id: credentials::new_account_id(),
        webhook_secret: credentials::new_webhook_secret(),
        grant: order.credits,
    };
    let made = AccountMade { account_id: account.id.clone(), webhook_secret: account.webhook_secret.clone() };
    admin.store.create_account(account, now()).await?;
    Ok(Json(made))
}

async fn keys(State(admin): State<Admin>) -> Result<Json<Vec<KeyListing>>, ApiError> {
    Ok(Json(admin.store.keys().await?))
}

async fn create_key(
    State(admin): State<Admin>,
    Json(order): Json<KeyOrder>,
) -> Result<Json<KeyMade>, ApiError> {
    let (key, new) = credentials::new_key(order.account_id, order.sandbox, order.scopes);
    let (id, account) = (new.id.clone(), new.account.clone());
    if !admin.store.create_key(new, now()).await? {
        return Err(ApiError::new(ErrorCode::NotFound, format!("there is no account `{account}`")));
    }
    Ok(Json(KeyMade { id, key }))
}

async fn revoke_key(State(admin): State<Admin>, Path(id): Path<String>) -> Result<Json<()>, ApiError> {
    if !admin.store.revoke_key(&id, now()).await? {
        return Err(ApiError::new(ErrorCode::NotFound, format!("no key `{id}` is in force")));
    }
    Ok(Json(()))
}
