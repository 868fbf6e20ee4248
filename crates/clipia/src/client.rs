//! The client: one account, one budget, shared by its clones.

use crate::builder::{Builder, Http};
use crate::catalogue::Catalogue;
use crate::error::Error;
use crate::generation::Generation;
use crate::input;
use crate::key::Key;
use crate::request::Operation;
use crate::retry::Bounds;
use crate::saved::SavedGeneration;
use crate::spending::Spending;
use crate::submit::{Submit, Subscribe, object};
use crate::wait::{Hint, Scheduler};
use crate::webhooks::{Attachments, Webhooks};
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
    /// Itself, for the task behind its waits.
    pub(crate) this: Weak<Self>,
    pub(crate) api: clipia_api::Client,
    pub(crate) base_url: Url,
    pub(crate) key: Key,
    pub(crate) http: Http,
    /// What it was built from.
    pub(crate) settings: Builder,
    /// The process that it was built in, and the client that takes its place in a fork of that.
    pub(crate) process: u32,
    pub(crate) heir: Mutex<Option<Clipia>>,
    /// Made when the first file is downloaded.
    pub(crate) media: OnceLock<reqwest::Client>,
    pub(crate) bounds: Bounds,
    pub(crate) catalogue: Catalogue,
    pub(crate) spending: Spending,
    pub(crate) scheduler: Scheduler,
    pub(crate) webhooks: Attachments,
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

    /// For a client with settings of its own.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Where the API answers.
    pub fn base_url(&self) -> &str {
        self.0.base_url.as_str()
    }

    /// This client for the process that calls: itself, unless that was forked from the one which built it. Neither
    /// threads nor connections survive a fork, so there it is a new client of the same settings, one for all clones.
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn in_this_process(&self) -> Result<Self, Error> {
        let process = std::process::id();
        if self.0.process == process {
            return Ok(self.clone());
        }
        let mut heir = self.0.heir.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(heir) = heir.as_ref().filter(|heir| heir.0.process == process) {
            return Ok(heir.clone());
        }
        let clipia = self.0.settings.clone().build()?;
        // What is of another process is left alone: its connections are used there.
        std::mem::forget(heir.replace(clipia.clone()));
        Ok(clipia)
    }

    /// Submits a generation: `.await` sends it.
    ///
    /// `input` is anything that serialises to a JSON object. An image in it is an https URL, or a `data:` URL such as
    /// `data:image/png;base64,…` with the image itself; a server takes some 6 MiB in one request. JSON has no NaN and no infinity: `serde_json`, and so
    /// `json!`, writes `null` for them. The submit carries one idempotency key through all
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
    pub fn generation(&self, id: impl Into<RequestId>) -> Generation {
        Generation::new(self.clone(), id.into(), Hint::default())
    }

    /// Takes the deliveries of this account's webhooks, and ends the waits of this client and its clones with them.
    /// `secret` is the account's webhook secret.
    ///
    /// # Errors
    /// [`Error::WebhookSecretMissing`] where it is empty, [`Error::WebhookSecretWeak`] where anybody could guess it.
    pub fn webhooks(&self, secret: impl Into<String>) -> Result<Webhooks, Error> {
        Webhooks::new(self.clone(), secret.into())
    }

    /// A handle on a generation that was [saved](Generation::saved), by this process or another. Nothing is sent.
    pub fn resume(&self, saved: SavedGeneration) -> Generation {
        Generation::new(self.clone(), saved.request_id, Hint::saved(saved.model, saved.submitted_at))
    }

    /// Where a generation stands now.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the account has no such request.
    pub async fn status(&self, id: impl Into<RequestId>) -> Result<StatusResponse, Error> {
        let (api, request_id) = (&self.0.api, id.into());
        let id = check_id(&request_id)?;
        let status = self.0.call(Operation::about("status", id), || api.get_status(id)).await?;
        Ok(StatusResponse { request_id, ..status })
    }

    /// What came out of a generation; while it runs only its lifecycle fields, so look at `status` first.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the account has no such request.
    pub async fn result(&self, id: impl Into<RequestId>) -> Result<ResultResponse, Error> {
        let (api, request_id) = (&self.0.api, id.into());
        let id = check_id(&request_id)?;
        let result = self.0.call(Operation::about("result", id), || api.get_result(id)).await?;
        Ok(ResultResponse { request_id, ..result })
    }

    /// Every model of the catalogue, as it was five minutes ago at most: clones remember what was answered,
    /// and share one call where they ask at the same time.
    ///
    /// # Errors
    /// As every call: refusals of the key, and failures that outlived the retries.
    pub async fn models(&self) -> Result<Vec<Model>, Error> {
        let list = self.0.catalogue.list.get((), || {
            let inner = Arc::clone(&self.0);
            async move { Ok(inner.call(Operation::named("models"), || inner.api.list_models()).await?.data) }
        });
        Ok(list.await?.to_vec())
    }

    /// One model, with its price and what it takes; remembered as [`models`](Self::models) are.
    ///
    /// # Errors
    /// [`Error::ModelNotFound`] where there is none of this name.
    pub async fn model(&self, slug: &str) -> Result<Model, Error> {
        Ok(Model::clone(&*self.remembered(slug).await?))
    }

    async fn remembered(&self, slug: &str) -> Result<Arc<Model>, Error> {
        let slug = check_slug(slug)?;
        let model = self.0.catalogue.models.get(slug.to_owned(), || {
            let (inner, slug) = (Arc::clone(&self.0), slug.to_owned());
            async move { inner.call(Operation::of_model("model", &slug), || inner.api.get_model(&slug)).await }
        });
        model.await
    }

    /// Checks an input against what its model takes, before anything is paid or reserved. What it returns are
    /// the keys that the model does not know, which are most often misspelt.
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
    /// It takes one call in five minutes for each model, as [`model`](Self::model). What the catalogue does
    /// not tell, such as whether an image can be fetched, is only found when the generation is submitted.
    ///
    /// # Errors
    /// [`Error::InputInvalid`] with a message for each fault, [`Error::ModelNotFound`] where there is no such
    /// model.
    pub async fn check(&self, model: &str, input: impl Serialize) -> Result<Vec<InputWarning>, Error> {
        let input = object(input)?;
        let model = self.remembered(model).await?;
        let found = input::check(&model, &input);
        if found.faults.is_empty() {
            return Ok(found.warnings);
        }
        Err(Error::InputInvalid { model: model.slug.clone(), faults: found.faults, warnings: found.warnings })
    }

    /// The exact price of an input, in credits. Nothing is reserved, and it is asked anew each time.
    ///
    /// To submit only what is cheap enough, see [`Submit::max_cost`].
    ///
    /// # Errors
    /// What a submit of the same would be refused for, but for the credits it needs.
    pub async fn estimate(&self, model: &str, input: impl Serialize) -> Result<EstimateResponse, Error> {
        self.price(model, &EstimateRequest { input: object(input)? }).await
    }

    pub(crate) async fn price(&self, model: &str, body: &EstimateRequest) -> Result<EstimateResponse, Error> {
        let (api, model) = (&self.0.api, check_slug(model)?);
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
    /// The client that this is the inside of.
    pub(crate) fn clipia(&self) -> Option<Clipia> {
        self.this.upgrade().map(Clipia)
    }

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
            .field("key", &self.0.key)
            .finish()
    }
}

/// Refuses a slug that would leave the path of models once it is part of a URL.
pub(crate) fn check_slug(model: &str) -> Result<&str, Error> {
    if leaves_its_path(model) {
        return Err(Error::Input { message: format!("`{model}` is not a model's slug") });
    }
    Ok(model)
}

/// Refuses an id that would leave the path of requests once it is part of a URL.
pub(crate) fn check_id(id: &RequestId) -> Result<&RequestId, Error> {
    if leaves_its_path(id.as_str()) {
        return Err(Error::Input { message: format!("`{id}` is not the id of a request") });
    }
    Ok(id)
}

fn leaves_its_path(segment: &str) -> bool {
    matches!(segment, "" | "." | "..") || segment.contains('\\')
}
