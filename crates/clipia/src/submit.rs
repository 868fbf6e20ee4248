//! Submits.

use crate::call::call_in;
use crate::call_options::CallOptions;
use crate::client::Clipia;
use crate::error::Error;
use crate::generation::{Generation, OnUpdate, Updates, Wait};
use crate::json_object::object;
use crate::outcome::Outcome;
use crate::path_segment::check_slug;
use crate::pending::PendingList;
use crate::request::Operation;
use crate::saved::SavedGeneration;
use crate::update::Update;
use crate::wait::Hint;
use clipia_api::Credits;
use clipia_api::per_call::around;
use clipia_api::types::{
    EstimateRequest, InputWarning, RequestId, ResultResponse, StatusResponse, SubmitRequest, SubmitResponse,
};
use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};
use tracing::Span;
use tracing::field::display;
use uuid::Uuid;

type Sending<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

impl Clipia {
    /// Submits a generation: `.await` sends it.
    ///
    /// `input` is anything that serialises to a JSON object. An image, a video or a sound in it is an https URL, that of an
    /// [upload](Self::upload), or a `data:` URL such as `data:image/png;base64,…` that contains the file. A server accepts some
    /// 6 MiB in one request, so a `data:` URL holds a file of some 4 MiB. JSON has neither
    /// NaN nor infinity: `serde_json`, and so `json!`, writes `null` for them. All retries of a submit carry the same
    /// idempotency key, so that it is charged once however often the connection breaks.
    ///
    /// # Errors
    /// [`Error::Input`] if `input` is not an object or the server does not accept it. The API's other refusals. [`Error::SubmitUnanswered`] if all retries
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
        Submit::new(self.clone(), model.into(), object(input))
    }
}

/// A generation that is to be submitted; `.await` sends it. Made by [`Clipia::submit`], and by [`Clipia::subscribe`] as
/// [`Subscribe`], which also waits for its end. `T` is what the `.await` gives.
#[must_use = "nothing is sent until it is awaited"]
pub struct Submit<T = Submitted> {
    clipia: Clipia,
    model: String,
    input: Result<Map<String, Value>, Error>,
    webhook: Option<String>,
    idempotency_key: String,
    max_cost: Option<Credits>,
    options: CallOptions,
    /// The options of the wait after the submit. A [`Submit`] that does not wait has none.
    timeout: Option<Duration>,
    min_interval: Option<Duration>,
    on_update: Option<OnUpdate>,
    gives: PhantomData<fn() -> T>,
}

/// A generation that is to be submitted and waited for; `.await` does both. Made by [`Clipia::subscribe`]. It has the options of a
/// [`Submit`], and those of a [`Wait`].
///
/// If a `tokio::time::timeout` or a `select!` may drop it, rather [submit](Clipia::submit), keep the id, and
/// [wait](Generation::wait): a dropped `Subscribe` leaves the id only in the log.
pub type Subscribe = Submit<Outcome>;

impl<T> Submit<T> {
    fn new(clipia: Clipia, model: String, input: Result<Map<String, Value>, Error>) -> Self {
        Self {
            clipia,
            model,
            input,
            webhook: None,
            idempotency_key: Uuid::new_v4().to_string(),
            max_cost: None,
            options: CallOptions::new(),
            timeout: None,
            min_interval: None,
            on_update: None,
            gives: PhantomData,
        }
    }

    /// The URL to which the server posts the outcome: https, and reachable for the server. A delivery that arrives
    /// there and is passed to [`Webhooks`](crate::Webhooks) ends the wait.
    pub fn webhook(mut self, url: impl Into<String>) -> Self {
        self.webhook = Some(url.into());
        self
    }

    /// The idempotency key, any string; by default each submit has a new one. The same key with the same parameters
    /// within 24 hours finds the same generation, and nothing is charged again. If you store the key before the submit,
    /// not even a crash during it charges twice.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = key.into();
        self
    }

    /// The idempotency key of this submit, whether you set it or not. Keep the key if a `tokio::time::timeout` or a
    /// `select!` may drop the submit: the same submit with the same key within 24 hours charges once. A submit that is
    /// dropped after its first attempt also logs the key.
    pub fn get_idempotency_key(&self) -> &str {
        &self.idempotency_key
    }

    /// The highest price, in credits. The client first asks the server for the exact price, which takes one
    /// more request. A higher price is refused with [`Error::MaxCost`]: nothing is submitted, reserved or
    /// charged.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), clipia::Error> {
    /// use clipia::{Clipia, Error, json};
    ///
    /// let clipia = Clipia::from_env()?;
    /// let input = json!({ "prompt": "waves at dusk", "duration": 10 });
    /// match clipia.submit("seedance-2-fast-t2v", input).max_cost(100).await {
    ///     Ok(clip) => println!("{} costs {} credits", clip.id(), clip.cost().unwrap_or_default()),
    ///     Err(Error::MaxCost { estimate, .. }) => println!("{estimate} credits are too much for this"),
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// If the price rises between estimate and submit, the generation is accepted and runs. It is
    /// returned like any other, [`cost`](Submitted::cost) is its price, and a warning is logged.
    ///
    /// # Errors
    /// [`Error::MaxCost`], and those of [`Clipia::estimate`].
    pub fn max_cost(mut self, credits: impl Into<Credits>) -> Self {
        self.max_cost = Some(credits.into());
        self
    }

    /// A header of the submit, such as one that a gateway or a trace asks for; it replaces an earlier one, or one of the client, of the same
    /// name. Its retries and its estimate have it, and the polls of a wait do not, because they serve several waits. The value is never shown. A
    /// header that the client itself sets is refused with [`Error::Input`].
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), clipia::Error> {
    /// use clipia::{Clipia, json};
    /// use std::time::Duration;
    ///
    /// let clipia = Clipia::from_env()?;
    /// let fox = clipia
    ///     .submit("nano-banana-2", json!({ "prompt": "a red fox in snow" }))
    ///     .header("X-Trace", "fox-7")
    ///     .call_timeout(Duration::from_secs(5))
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options = self.options.header(name, value);
        self
    }

    /// The timeout of each HTTP call of the submit, in place of [`Builder::timeout`](crate::Builder::timeout). It does not bound a wait.
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.options = self.options.timeout(timeout);
        self
    }

    async fn send(self) -> Result<Submitted, Error> {
        let options = self.options.read()?;
        let mut input = self.input?;
        if let Some(max_cost) = self.max_cost {
            let priced = EstimateRequest { input };
            let estimate = self.clipia.price(&self.model, &priced, options.clone()).await?.credits;
            if estimate > max_cost {
                return Err(Error::MaxCost { model: self.model, estimate, max_cost });
            }
            input = priced.input;
        }
        let body = SubmitRequest { input, webhook_url: self.webhook };
        let (scheduler, body, model) = (&self.clipia.0.scheduler, &body, check_slug(&self.model)?);
        let api = &scheduler.connection().api;
        let key = self.idempotency_key.as_str();
        let operation = Operation::submit(model, key);
        let span = operation.span();
        let list = &scheduler.connection().pending;
        let is_new = list.begun(model, key)?;
        let unsettled = Unsettled { model, key, span: &span, list, is_new, state: AtomicU8::new(UNSENT) };
        let send = |_| {
            unsettled.state.store(SENT, Ordering::Relaxed);
            around(options.clone(), api.submit(model, Some(key), body))
        };
        let result = call_in(span.clone(), scheduler, operation, send).await;
        // If the submit may have been accepted, its error holds the key.
        unsettled.settled();
        let response: SubmitResponse = result.inspect_err(|error| {
            if error.idempotency_key().is_none() {
                list.refused(key);
            }
        })?;
        list.accepted(key, &response.request_id);
        let (id, cost) = (&response.request_id, response.cost.map(display));
        span.record("request_id", display(id));
        span.in_scope(|| {
            tracing::debug!(request_id = %id, cost, "submitted");
            if let Some(max_cost) = self.max_cost.filter(|max_cost| response.cost > Some(*max_cost)) {
                let max_cost = display(max_cost);
                tracing::warn!(
                    request_id = %id, model, cost, max_cost,
                    "accepted at more than `max_cost`: the price rose after the estimate"
                );
            }
        });
        let hint = Hint::submitted(&response, model, body.webhook_url.is_some());
        let generation = Generation::new(self.clipia.clone(), id.clone(), hint);
        Ok(Submitted { generation, response })
    }
}

/// A submit without a result. It is dropped with the future that sends the submit, and then logs how to find the
/// generation.
struct Unsettled<'a> {
    model: &'a str,
    key: &'a str,
    span: &'a Span,
    list: &'a PendingList,
    /// Whether the list had no submit with this key before.
    is_new: bool,
    state: AtomicU8,
}

/// No attempt was sent.
const UNSENT: u8 = 0;
/// An attempt was sent.
const SENT: u8 = 1;
/// The submit has ended: its caller gets the response, or an error that holds the key.
const SETTLED: u8 = 2;

impl Unsettled<'_> {
    fn settled(&self) {
        self.state.store(SETTLED, Ordering::Relaxed);
    }
}

impl Drop for Unsettled<'_> {
    fn drop(&mut self) {
        match self.state.load(Ordering::Relaxed) {
            SENT => {
                let (model, idempotency_key) = (self.model, self.key);
                self.span.in_scope(|| {
                    tracing::warn!(
                        model,
                        idempotency_key,
                        "submit cut short: the same again with this idempotency key within 24 hours charges once"
                    );
                });
            }
            UNSENT if self.is_new => self.list.refused(self.key),
            _ => {}
        }
    }
}

impl Submit<Outcome> {
    /// Ends the wait with [`Error::Deadline`], which names the id, this long after it was first awaited. It does not
    /// interrupt the submit. Without a timeout the wait lasts as long as the generation.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// As [`Wait::min_interval`].
    pub fn min_interval(mut self, interval: Duration) -> Self {
        self.min_interval = Some(interval);
        self
    }

    /// Calls back with every change of position, progress or status, in order, the last one terminal. Watching costs
    /// more requests than waiting.
    pub fn on_update(mut self, callback: impl FnMut(&Update) + Send + 'static) -> Self {
        self.on_update = Some(Box::new(callback));
        self
    }

    async fn run(mut self) -> Result<Outcome, Error> {
        let begun = Instant::now();
        let (timeout, min_interval, on_update) = (self.timeout, self.min_interval, self.on_update.take());
        let generation = self.send().await?.into_generation();
        // The caller does not know the id yet.
        let mut wait: Wait = generation.wait().warns();
        if let Some(timeout) = timeout {
            wait = wait.timeout(timeout.saturating_sub(begun.elapsed()));
        }
        if let Some(interval) = min_interval {
            wait = wait.min_interval(interval);
        }
        if let Some(callback) = on_update {
            wait = wait.on_update(callback);
        }
        wait.await
    }
}

impl IntoFuture for Submit {
    type Output = Result<Submitted, Error>;
    type IntoFuture = Sending<Submitted>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl IntoFuture for Subscribe {
    type Output = Result<Outcome, Error>;
    type IntoFuture = Sending<Outcome>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<T> fmt::Debug for Submit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submit").field("model", &self.model).finish_non_exhaustive()
    }
}

/// An accepted generation: its handle, and the API's response.
#[derive(Clone, Debug)]
pub struct Submitted {
    generation: Generation,
    response: SubmitResponse,
}

impl Submitted {
    /// The API's response.
    pub fn response(&self) -> &SubmitResponse {
        &self.response
    }

    /// Credits reserved, if the response says so. For a sandbox key: what a live key would have paid.
    pub fn cost(&self) -> Option<Credits> {
        self.response.cost
    }

    /// Warnings about keys of the input that the model ignores, and about what of the input it cannot make. The generation runs
    /// all the same.
    pub fn warnings(&self) -> &[InputWarning] {
        &self.response.warnings
    }

    /// The handle on the generation.
    pub fn generation(&self) -> &Generation {
        &self.generation
    }

    /// As [`Generation::id`].
    pub fn id(&self) -> &RequestId {
        self.generation.id()
    }

    /// As [`Generation::saved`].
    pub fn saved(&self) -> SavedGeneration {
        self.generation.saved()
    }

    /// As [`Generation::status`].
    ///
    /// # Errors
    /// The same.
    pub async fn status(&self) -> Result<StatusResponse, Error> {
        self.generation.status().await
    }

    /// As [`Generation::result`].
    ///
    /// # Errors
    /// The same.
    pub async fn result(&self) -> Result<ResultResponse, Error> {
        self.generation.result().await
    }

    /// As [`Generation::wait`].
    pub fn wait(&self) -> Wait {
        self.generation.wait()
    }

    /// As [`Generation::updates`].
    pub fn updates(&self) -> Updates {
        self.generation.updates()
    }

    /// The handle alone.
    pub fn into_generation(self) -> Generation {
        self.generation
    }
}
