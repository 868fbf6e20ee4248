//! The connection of a client: the API, the key and the request budget. Every call goes through it.

use crate::error::Error;
use crate::http::Http;
use crate::key::Key;
use crate::pending::PendingList;
use crate::retry::Bounds;
use crate::shared_budget::SharedBudget;
use std::sync::OnceLock;
use url::Url;

pub(crate) struct Connection {
    pub(crate) api: clipia_api::Client,
    pub(crate) base_url: Url,
    pub(crate) key: Key,
    pub(crate) http: Http,
    pub(crate) bounds: Bounds,
    pub(crate) budget: SharedBudget,
    pub(crate) pending: PendingList,
    /// The HTTP client for media hosts, built for the first download.
    media: OnceLock<reqwest::Client>,
    /// The API for uploads, built for the first one.
    uploads: OnceLock<clipia_api::Client>,
}

impl Connection {
    /// # Errors
    /// [`Error::Certificates`], and [`Error::Setup`] if TLS cannot be set up.
    pub(crate) fn new(
        base_url: Url,
        key: Key,
        http: Http,
        bounds: Bounds,
        budget: SharedBudget,
        pending: PendingList,
    ) -> Result<Self, Error> {
        let api =
            clipia_api::Client::new_with_client(base_url.as_str().trim_end_matches('/'), http.api(&key)?);
        let (media, uploads) = (OnceLock::new(), OnceLock::new());
        Ok(Self { api, base_url, key, http, bounds, budget, pending, media, uploads })
    }

    /// The HTTP client for media hosts, which has no key.
    pub(crate) fn media(&self) -> Result<&reqwest::Client, Error> {
        if let Some(media) = self.media.get() {
            return Ok(media);
        }
        let media = self.http.media()?;
        Ok(self.media.get_or_init(|| media))
    }

    /// The API by an HTTP client that bounds no call as a whole.
    pub(crate) fn uploads(&self) -> Result<&clipia_api::Client, Error> {
        if let Some(uploads) = self.uploads.get() {
            return Ok(uploads);
        }
        let client = self.http.uploads(&self.key)?;
        let base_url = self.base_url.as_str().trim_end_matches('/');
        Ok(self.uploads.get_or_init(|| clipia_api::Client::new_with_client(base_url, client)))
    }
}
