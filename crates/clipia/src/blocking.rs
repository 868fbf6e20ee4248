//! The client for code that is not async: the same names, the same behaviour. Feature `blocking`.
//!
//! An async call ends in `.await`. Its blocking counterpart ends in `run()` if it is a chain, and in nothing
//! otherwise.
//!
//! ```no_run
//! use clipia::blocking::Clipia;
//! use clipia::json;
//! use std::time::Duration;
//!
//! # fn teach() -> Result<(), clipia::Error> {
//! let clipia = Clipia::from_env()?;
//! let fox = clipia.submit("nano-banana-2", json!({ "prompt": "a red fox in snow" })).max_cost(40).run()?;
//! for update in fox.updates() {
//!     println!("{:?}", update?.progress);
//! }
//! let picture = fox.wait().timeout(Duration::from_secs(600)).run()?.completed()?;
//! let paths = picture.download("out").run()?;
//! println!("{paths:?}, {} left", clipia.account()?.balance.credits);
//! # Ok(()) }
//! ```
//!
//! # Where it may be called
//! Any number of threads may call at once, and each sleeps until its call has ended. A client has one thread of its own
//! for the network and the timers. Clones and handles share this thread, which ends with the last of them.
//!
//! A call panics in async code, where a sleeping thread would stop other tasks, and in a callback of another call.
//! Use the [async client](crate::Clipia) there, or Tokio's `spawn_blocking`. A client may be made, cloned and dropped
//! anywhere.

mod call;
mod runtime;

pub use call::{Download, Submit, Subscribe, Wait};

use crate::error::Error;
use crate::outcome::{Canceled, Failed};
use crate::saved::SavedGeneration;
use crate::wait::Update;
use crate::webhooks::Webhooks;
use bytes::Bytes;
use clipia_api::Credits;
use clipia_api::types::{
    Account, EstimateResponse, InputWarning, Model, RequestId, ResultResponse, StatusResponse,
    SubmitResponse, Upload,
};
use runtime::Runtime;
use serde::Serialize;
use std::fmt;
use std::iter::FusedIterator;
use std::ops::Deref;
use std::path::Path;

/// A client of the queue API that blocks. It wraps the async [`Clipia`](crate::Clipia): one per key, cloned freely, one
/// request budget for all clones.
///
/// # Panics
/// Every call, on a thread that runs async code: see [the module](self#where-it-may-be-called).
#[derive(Clone)]
pub struct Clipia {
    runtime: Runtime,
    clipia: crate::Clipia,
}

impl Clipia {
    /// As the async [`from_env`](crate::Clipia::from_env).
    ///
    /// # Errors
    /// As [`Builder::build`](crate::Builder::build) and [`new`](Self::new).
    pub fn from_env() -> Result<Self, Error> {
        Self::new(crate::Clipia::from_env()?)
    }

    /// The blocking side of a client, which shares its budget, its waits and its webhooks: for settings of your own,
    /// and for a program that is partly async.
    ///
    /// ```
    /// use clipia::blocking;
    ///
    /// let clipia = clipia::Clipia::builder().key("clipia_test_0123456789abk3Qz").max_retries(2).build()?;
    /// let clipia = blocking::Clipia::new(clipia)?;
    /// # Ok::<(), clipia::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Setup`] if no thread can be started.
    pub fn new(clipia: crate::Clipia) -> Result<Self, Error> {
        Ok(Self { runtime: Runtime::start()?, clipia })
    }

    /// As the async [`base_url`](crate::Clipia::base_url).
    pub fn base_url(&self) -> &str {
        self.clipia.base_url()
    }

    /// As the async [`submit`](crate::Clipia::submit).
    pub fn submit(&self, model: impl Into<String>, input: impl Serialize) -> Submit {
        Submit::new(&self.runtime, self.clipia.submit(model, input))
    }

    /// As the async [`subscribe`](crate::Clipia::subscribe).
    pub fn subscribe(&self, model: impl Into<String>, input: impl Serialize) -> Subscribe {
        Subscribe::new(&self.runtime, self.clipia.subscribe(model, input))
    }

    /// As the async [`generation`](crate::Clipia::generation).
    pub fn generation(&self, id: impl Into<RequestId>) -> Generation {
        Generation { runtime: self.runtime.clone(), generation: self.clipia.generation(id) }
    }

    /// As the async [`resume`](crate::Clipia::resume).
    pub fn resume(&self, saved: SavedGeneration) -> Generation {
        Generation { runtime: self.runtime.clone(), generation: self.clipia.resume(saved) }
    }

    /// As the async [`webhooks`](crate::Clipia::webhooks). [`Webhooks::receive`] never blocks, and ends waits of this
    /// client too.
    ///
    /// # Errors
    /// [`Error::WebhookSecretMissing`] if it is empty, [`Error::WebhookSecretWeak`] if it is too short to be secret.
    pub fn webhooks(&self, secret: impl Into<String>) -> Result<Webhooks, Error> {
        self.clipia.webhooks(secret)
    }

    /// As the async [`status`](crate::Clipia::status).
    ///
    /// # Errors
    /// The same.
    #[track_caller]
    pub fn status(&self, id: impl Into<RequestId>) -> Result<StatusResponse, Error> {
        self.runtime.block_on(self.clipia.status(id))
    }

    /// As the async [`result`](crate::Clipia::result).
    ///
    /// # Errors
    /// The same.
    #[track_caller]
    pub fn result(&self, id: impl Into<RequestId>) -> Result<ResultResponse, Error> {
        self.runtime.block_on(self.clipia.result(id))
    }

    /// As the async [`models`](crate::Clipia::models).
    ///
    /// # Errors
    /// The same.
    #[track_caller]
    pub fn models(&self) -> Result<Vec<Model>, Error> {
        self.runtime.block_on(self.clipia.models())
    }

    /// As the async [`model`](crate::Clipia::model).
    ///
    /// # Errors
    /// The same.
    #[track_caller]
    pub fn model(&self, slug: &str) -> Result<Model, Error> {
        self.runtime.block_on(self.clipia.model(slug))
    }

    /// As the async [`check`](crate::Clipia::check).
    ///
    /// # Errors
    /// The same.
    #[track_caller]
    pub fn check(&self, model: &str, input: impl Serialize) -> Result<Vec<InputWarning>, Error> {
        self.runtime.block_on(self.clipia.check(model, input))
    }

    /// As the async [`estimate`](crate::Clipia::estimate).
    ///
    /// # Errors
    /// The same.
    #[track_caller]
    pub fn estimate(&self, model: &str, input: impl Serialize) -> Result<EstimateResponse, Error> {
        self.runtime.block_on(self.clipia.estimate(model, input))
    }

    /// As the async [`upload`](crate::Clipia::upload).
    ///
    /// # Errors
    /// The same.
    #[track_caller]
    pub fn upload(&self, path: impl AsRef<Path>) -> Result<Upload, Error> {
        self.runtime.block_on(self.clipia.upload(path))
    }

    /// As the async [`upload_bytes`](crate::Clipia::upload_bytes).
    ///
    /// # Errors
    /// The same.
    #[track_caller]
    pub fn upload_bytes(&self, bytes: impl Into<Bytes>, file_name: &str) -> Result<Upload, Error> {
        self.runtime.block_on(self.clipia.upload_bytes(bytes, file_name))
    }

    /// As the async [`account`](crate::Clipia::account).
    ///
    /// # Errors
    /// The same.
    #[track_caller]
    pub fn account(&self) -> Result<Account, Error> {
        self.runtime.block_on(self.clipia.account())
    }
}

impl fmt::Debug for Clipia {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.clipia.fmt(f)
    }
}

/// A handle on one generation. As the async [`Generation`](crate::Generation).
#[derive(Clone)]
pub struct Generation {
    runtime: Runtime,
    generation: crate::Generation,
}

impl Generation {
    /// As the async [`id`](crate::Generation::id).
    pub fn id(&self) -> &RequestId {
        self.generation.id()
    }

    /// As the async [`saved`](crate::Generation::saved).
    pub fn saved(&self) -> SavedGeneration {
        self.generation.saved()
    }

    /// As the async [`status`](crate::Generation::status).
    ///
    /// # Errors
    /// The same.
    #[track_caller]
    pub fn status(&self) -> Result<StatusResponse, Error> {
        self.runtime.block_on(self.generation.status())
    }

    /// As the async [`result`](crate::Generation::result).
    ///
    /// # Errors
    /// The same.
    #[track_caller]
    pub fn result(&self) -> Result<ResultResponse, Error> {
        self.runtime.block_on(self.generation.result())
    }

    /// As the async [`wait`](crate::Generation::wait).
    pub fn wait(&self) -> Wait {
        Wait::new(&self.runtime, self.generation.wait())
    }

    /// As the async [`updates`](crate::Generation::updates), an iterator.
    pub fn updates(&self) -> Updates {
        Updates { runtime: self.runtime.clone(), updates: self.generation.updates() }
    }

    /// As the async [`download`](crate::Generation::download).
    pub fn download(&self, dir: impl AsRef<Path>) -> Download {
        Download::new(&self.runtime, self.generation.download(dir))
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.generation.fmt(f)
    }
}

/// The changes of one generation, in order. The thread sleeps between them. Made by [`Generation::updates`]. As
/// the async [`Updates`](crate::Updates).
#[must_use = "nothing is polled until it is read"]
pub struct Updates {
    runtime: Runtime,
    updates: crate::Updates,
}

impl Iterator for Updates {
    type Item = Result<Update, Error>;

    #[track_caller]
    fn next(&mut self) -> Option<Self::Item> {
        self.runtime.block_on(self.updates.next())
    }
}

impl FusedIterator for Updates {}

impl fmt::Debug for Updates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.updates.fmt(f)
    }
}

/// An accepted generation: its handle, and the API's response. As the async
/// [`Submitted`](crate::Submitted).
#[derive(Clone, Debug)]
pub struct Submitted {
    generation: Generation,
    submitted: crate::Submitted,
}

impl Submitted {
    fn new(submitted: crate::Submitted, runtime: Runtime) -> Self {
        let generation = Generation { runtime, generation: crate::Generation::clone(&submitted) };
        Self { generation, submitted }
    }

    /// As the async [`response`](crate::Submitted::response).
    pub fn response(&self) -> &SubmitResponse {
        self.submitted.response()
    }

    /// As the async [`cost`](crate::Submitted::cost).
    pub fn cost(&self) -> Option<Credits> {
        self.submitted.cost()
    }

    /// As the async [`warnings`](crate::Submitted::warnings).
    pub fn warnings(&self) -> &[InputWarning] {
        self.submitted.warnings()
    }

    /// The handle alone.
    pub fn into_generation(self) -> Generation {
        self.generation
    }
}

impl Deref for Submitted {
    type Target = Generation;

    fn deref(&self) -> &Generation {
        &self.generation
    }
}

/// The end of a generation. As the async [`Outcome`](crate::Outcome).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// It has an output.
    Completed(Completed),
    /// It has no output. Its credits were returned.
    Failed(Failed),
    /// An operator ended it. Its credits were returned.
    Canceled(Canceled),
}

impl Outcome {
    fn new(outcome: crate::Outcome, runtime: Runtime) -> Self {
        match outcome {
            crate::Outcome::Completed(completed) => Self::Completed(Completed { runtime, completed }),
            crate::Outcome::Failed(failed) => Self::Failed(failed),
            crate::Outcome::Canceled(canceled) => Self::Canceled(canceled),
        }
    }

    /// The completed generation, for a caller that accepts nothing else.
    ///
    /// # Errors
    /// [`Error::Failed`] and [`Error::Canceled`].
    pub fn completed(self) -> Result<Completed, Error> {
        match self {
            Self::Completed(completed) => Ok(completed),
            Self::Failed(failed) => Err(Error::Failed(Box::new(failed))),
            Self::Canceled(canceled) => Err(Error::Canceled(Box::new(canceled))),
        }
    }

    /// The API's response.
    pub fn response(&self) -> &ResultResponse {
        match self {
            Self::Completed(completed) => completed.response(),
            Self::Failed(failed) => failed.response(),
            Self::Canceled(canceled) => canceled.response(),
        }
    }

    /// The id of the generation.
    pub fn request_id(&self) -> &RequestId {
        &self.response().request_id
    }
}

/// A generation with an output. It has every getter of the async [`Completed`](crate::Completed).
#[derive(Clone)]
pub struct Completed {
    runtime: Runtime,
    completed: crate::Completed,
}

impl Completed {
    /// As the async [`download`](crate::Completed::download).
    pub fn download(&self, dir: impl AsRef<Path>) -> Download {
        Download::new(&self.runtime, self.completed.download(dir))
    }
}

impl Deref for Completed {
    type Target = crate::Completed;

    fn deref(&self) -> &crate::Completed {
        &self.completed
    }
}

impl fmt::Debug for Completed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.completed.fmt(f)
    }
}
