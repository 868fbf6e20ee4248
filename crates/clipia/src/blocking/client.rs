//! The client.

use super::generation::Generation;
use super::runtime::Runtime;
use super::submit::{Submit, Subscribe};
use crate::call_options::CallOptions;
use crate::error::Error;
use crate::saved::SavedGeneration;
use crate::webhooks::Webhooks;
use bytes::Bytes;
use clipia_api::types::{
    Account, EstimateResponse, InputWarning, Model, RequestId, ResultResponse, StatusResponse, Upload,
};
use serde::Serialize;
use std::fmt;
use std::path::Path;

/// A client of the queue API that blocks. It wraps the async [`Clipia`](crate::Clipia): one per key, cloned freely, one
/// request budget for all clones.
///
/// # Panics
/// Every call, on a thread that runs async code: see [the module](super#where-it-may-be-called).
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

    /// As the async [`status_with`](crate::Clipia::status_with).
    ///
    /// # Errors
    /// The same.
    #[track_caller]
    pub fn status_with(
        &self,
        id: impl Into<RequestId>,
        options: CallOptions,
    ) -> Result<StatusResponse, Error> {
        self.runtime.block_on(self.clipia.status_with(id, options))
    }

    /// As the async [`result_with`](crate::Clipia::result_with).
    ///
    /// # Errors
    /// The same.
    #[track_caller]
    pub fn result_with(
        &self,
        id: impl Into<RequestId>,
        options: CallOptions,
    ) -> Result<ResultResponse, Error> {
        self.runtime.block_on(self.clipia.result_with(id, options))
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
