//! The SDK's client behind a client of Python's and its `models` and `account`.

use crate::arguments::{Input, Seconds};
use crate::exceptions::{ClipiaError, ClipiaValueError, raise};
use crate::files::{self, Files};
use clipia::{
    Account, Builder, Clipia, Error, EstimateResponse, Generation, Model, RequestId, ResultResponse,
    StatusResponse, Submit,
};
use pyo3::prelude::*;
use serde::Serialize;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

/// What the API sees as the program that calls it.
const USER_AGENT: &str = concat!("clipia-queue-python/", env!("CARGO_PKG_VERSION"));

/// Until it is closed, the client.
#[derive(Clone)]
pub(crate) struct Session(Arc<Mutex<Option<Clipia>>>);

impl Session {
    /// A client; what is not given comes from the environment.
    pub(crate) fn open(
        py: Python<'_>,
        api_key: Option<String>,
        base_url: Option<String>,
        timeout: f64,
        max_retries: i64,
    ) -> PyResult<Self> {
        let Seconds(timeout) = Seconds::of(timeout)?;
        let max_retries = u32::try_from(max_retries)
            .map_err(|_| ClipiaValueError::new_err("`max_retries` must be a count of retries, from 0 on"))?;
        let mut builder =
            Builder::from_env().timeout(timeout).max_retries(max_retries).user_agent(USER_AGENT);
        if let Some(key) = api_key {
            builder = builder.key(key);
        }
        if let Some(url) = base_url {
            builder = builder.base_url(url);
        }
        let clipia = builder.build().map_err(|error| raise(py, error))?;
        Ok(Self(Arc::new(Mutex::new(Some(clipia)))))
    }

    /// Lets go of the connections, once the generations that came of this client have, too.
    pub(crate) fn close(&self) {
        let clipia = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(clipia);
    }

    pub(crate) fn clipia(&self) -> PyResult<Clipia> {
        let clipia = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        clipia.ok_or_else(|| ClipiaError::new_err("the client is closed"))
    }

    pub(crate) fn generation(&self, id: RequestId) -> PyResult<Generation> {
        Ok(self.clipia()?.generation(id))
    }

    pub(crate) fn models(&self) -> PyResult<impl Future<Output = Result<ModelList, Error>> + Send + use<>> {
        let clipia = self.clipia()?;
        Ok(async move { Ok(ModelList { data: clipia.models().await? }) })
    }

    pub(crate) fn model(
        &self,
        slug: String,
    ) -> PyResult<impl Future<Output = Result<Model, Error>> + Send + use<>> {
        let clipia = self.clipia()?;
        Ok(async move { clipia.model(&slug).await })
    }

    pub(crate) fn estimate(
        &self,
        slug: String,
        input: Input,
    ) -> PyResult<impl Future<Output = Result<EstimateResponse, Error>> + Send + use<>> {
        let clipia = self.clipia()?;
        Ok(async move { clipia.estimate(&slug, input.0).await })
    }

    pub(crate) fn account(&self) -> PyResult<impl Future<Output = Result<Account, Error>> + Send + use<>> {
        let clipia = self.clipia()?;
        Ok(async move { clipia.account().await })
    }

    pub(crate) fn status(
        &self,
        id: RequestId,
    ) -> PyResult<impl Future<Output = Result<StatusResponse, Error>> + Send + use<>> {
        let clipia = self.clipia()?;
        Ok(async move { clipia.status(id).await })
    }

    /// A result, and how to get at its files.
    pub(crate) fn result(
        &self,
        id: RequestId,
    ) -> PyResult<impl Future<Output = Result<(ResultResponse, Files), Error>> + Send + use<>> {
        Ok(files::of_result(self.generation(id)?))
    }

    pub(crate) fn submit(&self, request: Request) -> PyResult<Submit> {
        let mut submit = self.clipia()?.submit(request.model, request.input.0);
        if let Some(url) = request.webhook_url {
            submit = submit.webhook(url);
        }
        if let Some(key) = request.idempotency_key {
            submit = submit.idempotency_key(key);
        }
        Ok(submit)
    }

    /// `Clipia(base_url='https://api.clipia.ai/')`.
    pub(crate) fn repr(&self, class: &str) -> String {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(clipia) => format!("{class}(base_url='{}')", clipia.base_url()),
            None => format!("{class}(closed)"),
        }
    }
}

/// The catalogue as the wire has it.
#[derive(Serialize)]
pub(crate) struct ModelList {
    data: Vec<Model>,
}

/// The arguments of a submit.
pub(crate) struct Request {
    pub(crate) model: String,
    pub(crate) input: Input,
    pub(crate) webhook_url: Option<String>,
    pub(crate) idempotency_key: Option<String>,
}
