//! The client: one key, one request budget, shared by its clones.

use crate::builder::{Builder, Http};
use crate::catalogue_cache::CatalogueCache;
use crate::error::Error;
use crate::generation::Generation;
use crate::input;
use crate::key::Key;
use crate::request::Operation;
use crate::retry::Bounds;
use crate::saved::SavedGeneration;
use crate::shared_budget::SharedBudget;
use crate::submit::{Submit, Subscribe, object};
use crate::wait::{Hint, Scheduler};
use crate::webhooks::{DeliveredIds, Webhooks};
use clipia_api::types::{
    Account, EstimateRequest, EstimateResponse, InputWarning, Model, RequestId, ResultResponse,
    StatusResponse,
};
use serde::Serialize;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use url::Url;

/// A client of the queue API.
///
/// Make one per key and clone it freely. Clones share connections, the schedule of their waits, and the request budget
/// of the key. Thousands of generations wait on one client without any tuning.
///
/// A client needs a Tokio runtime with I/O and time enabled, and may be used from several runtimes. Every
/// call is retried while that may help (see [`Error::is_retryable`], [`Builder::max_retries`] and
/// [`Builder::retry_within`]).
#[derive(Clone)]
pub struct Clipia(pub(crate) Arc<Inner>);

/// The state that clones share.
pub(crate) struct Inner {
    /// A reference to itself, for the task of the scheduler.
    pub(crate) this: Weak<Self>,
    pub(crate) api: clipia_api::Client,
    pub(crate) base_url: Url,
    pub(crate) key: Key,
    pub(crate) http: Http,
    /// The settings from which the client was built.
    pub(crate) settings: Builder,
    /// The id of the process that built the client.
    pub(crate) process: u32,
    /// The client that replaces this one in a forked process.
    pub(crate) forked: Mutex<Option<Clipia>>,
    /// The HTTP client for media hosts, built for the first download.
    pub(crate) media: OnceLock<reqwest::Client>,
    /// The API for uploads, built for the first one.
    pub(crate) uploads: OnceLock<clipia_api::Client>,
    pub(crate) bounds: Bounds,
    pub(crate) catalogue: CatalogueCache,
    pub(crate) budget: SharedBudget,
    pub(crate) scheduler: Scheduler,
    pub(crate) webhooks: DeliveredIds,
}

impl Clipia {
    /// A client with the key in `CLIPIA_KEY` or else `CLIPIA_API_KEY`, for the API at `CLIPIA_BASE_URL` or else
    /// `https://api.clipia.ai`.
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn from_env() -> Result<Self, Error> {
        Builder::from_env().build()
    }

    /// Starts the settings of a client.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// The base URL of the API.
    pub fn base_url(&self) -> &str {
        self.0.base_url.as_str()
    }

    /// The client for the calling process: this client, or in a forked process a new client with the same settings.
    /// Neither threads nor connections survive a fork. All clones share the new client.
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn in_this_process(&self) -> Result<Self, Error> {
        let process = std::process::id();
        if self.0.process == process {
            return Ok(self.clone());
        }
        let mut forked = self.0.forked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(forked) = forked.as_ref().filter(|forked| forked.0.process == process) {
            return Ok(forked.clone());
        }
        let clipia = self.0.settings.clone().build()?;
        // The client of another process is not dropped, because its connections are in use there.
        std::mem::forget(forked.replace(clipia.clone()));
        Ok(clipia)
    }

    /// Submits a generation: `.await` sends it.
    ///
    /// `input` is anything that serialises to a JSON object. An image, a video or a sound in it is an https URL, that of an
    /// [upload](Self::upload), or a `data:` URL such as `data:image/png;base64,…` that contains the file. A server accepts some
    /// 6 MiB in one request, so a `data:` URL holds a file of some 4 MiB. JSON has neither
    /// NaN nor infinity: `serde_json`, and so `json!`, writes `null` for them. All retries of a submit carry the same
    /// idempotency key, so that it is charged once however often the connection breaks.
    ///
    /// # Errors
    /// [`Error::Input`] if `input` is not an object. The API's refusals. [`Error::SubmitUnanswered`] if all retries
    /// failed and the submit may have been accepted: the error holds the idempotency key that finds it.
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

    /// A handle on a generation by its id. Any process can make one at any time. Nothing is sent.
    pub fn generation(&self, id: impl Into<RequestId>) -> Generation {
        Generation::new(self.clone(), id.into(), Hint::default())
    }

    /// Receives the deliveries of the account's webhooks, and ends the waits of this client and its clones with them.
    /// `secret` is the account's webhook secret.
    ///
    /// # Errors
    /// [`Error::WebhookSecretMissing`] if it is empty, [`Error::WebhookSecretWeak`] if it is too short to be secret.
    pub fn webhooks(&self, secret: impl Into<String>) -> Result<Webhooks, Error> {
        Webhooks::new(self.clone(), secret.into())
    }

    /// A handle on a [saved](Generation::saved) generation, of this process or another. Nothing is sent.
    pub fn resume(&self, saved: SavedGeneration) -> Generation {
        Generation::new(self.clone(), saved.request_id, Hint::saved(saved.model, saved.submitted_at))
    }

    /// The status of a generation.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the account has no such request.
    pub async fn status(&self, id: impl Into<RequestId>) -> Result<StatusResponse, Error> {
        let (api, request_id) = (&self.0.api, id.into());
        let id = check_id(&request_id)?;
        let status = self.0.call(Operation::about("status", id), || api.get_status(id)).await?;
        Ok(StatusResponse { request_id, ..status })
    }

    /// The result of a generation. Before its end there are only the fields of a status, so look at `status` first.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the account has no such request.
    pub async fn result(&self, id: impl Into<RequestId>) -> Result<ResultResponse, Error> {
        let (api, request_id) = (&self.0.api, id.into());
        let id = check_id(&request_id)?;
        let result = self.0.call(Operation::about("result", id), || api.get_result(id)).await?;
        Ok(ResultResponse { request_id, ..result })
    }

    /// Every model of the catalogue, at most five minutes old: clones share a cache, and simultaneous callers share one
    /// call.
    ///
    /// # Errors
    /// As every call: refusals of the key, and failures that remain after all retries.
    pub async fn models(&self) -> Result<Vec<Model>, Error> {
        let list = self.0.catalogue.list.get((), || {
            let inner = Arc::clone(&self.0);
            async move { Ok(inner.call(Operation::named("models"), || inner.api.list_models()).await?.data) }
        });
        Ok(list.await?.to_vec())
    }

    /// One model, with its price and its parameters; cached as [`models`](Self::models).
    ///
    /// # Errors
    /// [`Error::ModelNotFound`] if the catalogue has no model with this slug.
    pub async fn model(&self, slug: &str) -> Result<Model, Error> {
        Ok(Model::clone(&*self.cached_model(slug).await?))
    }

    async fn cached_model(&self, slug: &str) -> Result<Arc<Model>, Error> {
        let slug = check_slug(slug)?;
        let model = self.0.catalogue.models.get(slug.to_owned(), || {
            let (inner, slug) = (Arc::clone(&self.0), slug.to_owned());
            async move { inner.call(Operation::of_model("model", &slug), || inner.api.get_model(&slug)).await }
        });
        model.await
    }

    /// Checks an input against the parameters of its model, before anything is reserved or paid. Returns a warning for
    /// each key that the model does not know, most often a misspelt one.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), clipia::Error> {
    /// use clipia::{Clipia, Error, json};
    ///
    /// let clipia = Clipia::from_env()?;
    /// let input = json!({ "prompt": "a red fox in snow", "aspect_ratio": "17:9", "sede": 7 });
    /// match clipia.check("nano-banana-2", &input).await {
    ///     // `sede` is not a parameter of nano-banana-2 and is ignored; did you mean `seed`?
    ///     Ok(warnings) => warnings.iter().for_each(|warning| eprintln!("{}", warning.message)),
    ///     // `aspect_ratio` must be one of 1:1, 16:9, 9:16; got "17:9"
    ///     Err(Error::InputInvalid { faults, .. }) => faults.iter().for_each(|fault| eprintln!("{fault}")),
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// It takes one call in five minutes for each model, as [`model`](Self::model). A fault that the catalogue cannot
    /// show, such as an image that cannot be fetched, is only found when the generation is submitted.
    ///
    /// # Errors
    /// [`Error::InputInvalid`] with a message for each fault, [`Error::ModelNotFound`] if the catalogue has no such
    /// model.
    pub async fn check(&self, model: &str, input: impl Serialize) -> Result<Vec<InputWarning>, Error> {
        let input = object(input)?;
        let model = self.cached_model(model).await?;
        let found = input::check(&model, &input);
        if found.faults.is_empty() {
            return Ok(found.warnings);
        }
        Err(Error::InputInvalid { model: model.slug.clone(), faults: found.faults, warnings: found.warnings })
    }

    /// The exact price of an input, in credits. Nothing is reserved. The price is never cached.
    ///
    /// To submit only below a price, see [`Submit::max_cost`].
    ///
    /// # Errors
    /// The refusals of a submit of the same input, except for missing credits.
    pub async fn estimate(&self, model: &str, input: impl Serialize) -> Result<EstimateResponse, Error> {
        self.price(model, &EstimateRequest { input: object(input)? }).await
    }

    pub(crate) async fn price(&self, model: &str, body: &EstimateRequest) -> Result<EstimateResponse, Error> {
        let (api, model) = (&self.0.api, check_slug(model)?);
        self.0.call(Operation::of_model("estimate", model), || api.estimate(model, body)).await
    }

    /// The account of the key: its credits and its recent usage.
    ///
    /// # Errors
    /// As every call: refusals of the key, and failures that remain after all retries.
    pub async fn account(&self) -> Result<Account, Error> {
        let api = &self.0.api;
        self.0.call(Operation::named("account"), || api.get_account()).await
    }
}

impl Inner {
    /// The client around this state, unless all its clones were dropped.
    pub(crate) fn clipia(&self) -> Option<Clipia> {
        self.this.upgrade().map(Clipia)
    }

    /// The HTTP client for media hosts, which has no key.
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
            .field("key", &self.0.key)
            .finish()
    }
}

/// Refuses a slug that would change the path of a URL.
pub(crate) fn check_slug(model: &str) -> Result<&str, Error> {
    if leaves_its_path(model) {
        return Err(Error::Input { message: format!("`{model}` is not a model's slug") });
    }
    Ok(model)
}

/// Refuses an id that would change the path of a URL.
pub(crate) fn check_id(id: &RequestId) -> Result<&RequestId, Error> {
    if leaves_its_path(id.as_str()) {
        return Err(Error::Input { message: format!("`{id}` is not the id of a request") });
    }
    Ok(id)
}

fn leaves_its_path(segment: &str) -> bool {
    matches!(segment, "" | "." | "..") || segment.contains('\\')
}
