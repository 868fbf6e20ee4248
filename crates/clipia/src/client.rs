//! The client: one account, one budget, shared by its clones.

use crate::builder::{Builder, Http};
use crate::error::Error;
use crate::generation::Generation;
use crate::request::Operation;
use crate::saved::SavedGeneration;
use crate::spending::Spending;
use crate::submit::{Submit, Subscribe, object};
use crate::wait::{Hint, Scheduler};
use clipia_api::types::{
    Account, EstimateRequest, EstimateResponse, Model, RequestId, ResultResponse, StatusResponse,
};
use serde::Serialize;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use url::Url;

/// A client of the queue API.
///
/// Make one per key and clone it freely: clones share connections, the schedule of their waits and the one
/// request budget that the key has. Thousands of generations wait on one client without any tuning.
///
/// Everything here needs a Tokio runtime with I/O and time enabled, and may be used from several of them. Every
/// call is retried while that may help (see [`Error::is_retryable`], [`Builder::max_retries`] and
/// [`Builder::retry_within`]).
#[derive(Clone)]
pub struct Clipia(pub(crate) Arc<Inner>);

/// What clones share.
pub(crate) struct Inner {
    pub(crate) api: clipia_api::Client,
    pub(crate) base_url: Url,
    /// The key, masked; the whole of it only exists in a header of `api`.
    pub(crate) key: String,
    pub(crate) http: Http,
    /// Made when the first file is downloaded.
    pub(crate) media: OnceLock<reqwest::Client>,
    pub(crate) max_retries: u32,
    pub(crate) retry_within: Duration,
    pub(crate) spending: Spending,
    pub(crate) scheduler: Scheduler,
}

impl Clipia {
    /// A client with the key in `CLIPIA_KEY`, for the API at `CLIPIA_BASE_URL` or else `https://api.clipia.ai`.
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn from_env() -> Result<Self, Error> {
        Builder::from_env().build()
    }

    /// For a client with settings of its own.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Where the API answers.
    pub fn base_url(&self) -> &str {
        self.0.base_url.as_str()
    }

    /// Submits a generation: `.await` sends it.
    ///
    /// `input` is anything that serialises to a JSON object. The submit carries one idempotency key through all
    /// its retries, so that it is charged once however often the connection breaks.
    ///
    /// # Errors
    /// [`Error::Input`] where `input` is no object, what the API refuses it for, and
    /// [`Error::SubmitUnanswered`] where all retries failed and it may have been accepted: the error holds the
    /// idempotency key that finds it.
    pub fn submit(&self, model: impl Into<String>, input: impl Serialize) -> Submit {
        Submit::new(self.clone(), model.into(), object(input))
    }

    /// Submits a generation and waits for its end: `.await` does both.
    ///
    /// # Errors
    /// Those of [`submit`](Self::submit) and of [`Generation::wait`]. A generation that failed is not an error
    /// but an [`Outcome`](crate::Outcome).
    pub fn subscribe(&self, model: impl Into<String>, input: impl Serialize) -> Subscribe {
        Subscribe::new(self.submit(model, input))
    }

    /// A handle on a generation by its id: of any process, any day. Nothing is sent.
    pub fn generation(&self, id: RequestId) -> Generation {
        Generation::new(self.clone(), id, Hint::default())
    }

    /// A handle on a generation that was [saved](Generation::saved), by this process or another. Nothing is sent.
    pub fn resume(&self, saved: SavedGeneration) -> Generation {
        Generation::new(self.clone(), saved.request_id, Hint::saved(saved.model, saved.submitted_at))
    }

    /// Where a generation stands now.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the account has no such request.
    pub async fn status(&self, id: RequestId) -> Result<StatusResponse, Error> {
        let api = &self.0.api;
        self.0.call(Operation::about("status", id), || api.get_status(&id)).await
    }

    /// What came out of a generation; while it runs only its lifecycle fields, so look at `status` first.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the account has no such request.
    pub async fn result(&self, id: RequestId) -> Result<ResultResponse, Error> {
        let api = &self.0.api;
        self.0.call(Operation::about("result", id), || api.get_result(&id)).await
    }

    /// Every model of the catalogue.
    ///
    /// # Errors
    /// As every call: refusals of the key, and failures that outlived the retries.
    pub async fn models(&self) -> Result<Vec<Model>, Error> {
        let api = &self.0.api;
        Ok(self.0.call(Operation::named("models"), || api.list_models()).await?.data)
    }

    /// One model, with its price and what it takes.
    ///
    /// # Errors
    /// [`Error::ModelNotFound`] where there is none of this name.
    pub async fn model(&self, slug: &str) -> Result<Model, Error> {
        let (api, slug) = (&self.0.api, check_slug(slug)?);
        self.0.call(Operation::of_model("model", slug), || api.get_model(slug)).await
    }

    /// The exact price of an input, in credits. Nothing is reserved.
    ///
    /// # Errors
    /// What a submit of the same would be refused for, but for the credits it needs.
    pub async fn estimate(&self, model: &str, input: impl Serialize) -> Result<EstimateResponse, Error> {
        let body = EstimateRequest { input: object(input)? };
        let (api, body, model) = (&self.0.api, &body, check_slug(model)?);
        self.0.call(Operation::of_model("estimate", model), || api.estimate(model, body)).await
    }

    /// The account behind the key: its credits and what it used lately.
    ///
    /// # Errors
    /// As every call: refusals of the key, and failures that outlived the retries.
    pub async fn account(&self) -> Result<Account, Error> {
        let api = &self.0.api;
        self.0.call(Operation::named("account"), || api.get_account()).await
    }
}

impl Inner {
    /// The client for media hosts, which knows no key.
    pub(crate) fn media(&self) -> Result<&reqwest::Client, Error> {
        if let Some(media) = self.media.get() {
            return Ok(media);
        }
        let media = self.http.media()?;
        Ok(self.media.get_or_init(|| media))
    }
}

impl fmt::Debug for Clipia {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clipia")
            .field("base_url", &self.0.base_url.as_str())
            .field("key", &format_args!("{}", self.0.key))
            .finish()
    }
}

/// Refuses what would leave the path of models once it is part of a URL.
pub(crate) fn check_slug(model: &str) -> Result<&str, Error> {
    if matches!(model, "" | "." | "..") || model.contains('\\') {
        return Err(Error::Input { message: format!("`{model}` is not a model's slug") });
    }
    Ok(model)
}
