//! The SDK's client inside a Python client and its `models` and `account`.

use crate::amount::MaxCost;
use crate::arguments::{Input, Seconds};
use crate::exceptions::{ClipiaError, ClipiaValueError, raise};
use crate::files::{self, Files};
use crate::live::Live;
use crate::process_client::ProcessClient;
use crate::upload::UploadFile;
use clipia::{
    Account, Builder, CallOptions, Clipia, Error, EstimateResponse, InputWarning, Model, RequestId,
    ResultResponse, StatusResponse, Submit, Upload,
};
use pyo3::prelude::*;
use serde::Serialize;
use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The `User-Agent` of the package.
const USER_AGENT: &str = concat!("clipia-queue-python/", env!("CARGO_PKG_VERSION"));

/// The timeout of one HTTP call if `timeout` is `None`: so long that it never passes, and short enough for clocks to
/// add.
const NO_TIMEOUT: Duration = Duration::from_secs(365 * 86_400);

/// The client until it is closed, and its settings.
#[derive(Clone)]
pub(crate) struct Session {
    client: Arc<Mutex<Option<Arc<ProcessClient>>>>,
    settings: Arc<Settings>,
}

struct Settings {
    base_url: String,
    max_retries: u32,
    retry_delay: Duration,
}

/// Variables that Python programs read for certificates, in the order of requests.
const CERTIFICATES: &[&str] = &["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];

/// The default settings of a client: those of the environment and of the SDK.
pub(crate) fn defaults() -> Builder {
    Builder::from_env().user_agent(USER_AGENT).certificate_variables(CERTIFICATES)
}

impl Session {
    /// Opens a client. Arguments that are not given come from the environment.
    pub(crate) fn open(
        py: Python<'_>,
        server: Server,
        timeout: Option<f64>,
        max_retries: i64,
        retry_delay: f64,
    ) -> PyResult<Self> {
        let timeout = timeout.map_or(Ok(NO_TIMEOUT), |timeout| Ok::<_, PyErr>(Seconds::of(timeout)?.0))?;
        let Seconds(retry_delay) = Seconds::of(retry_delay)?;
        let max_retries = u32::try_from(max_retries)
            .map_err(|_| ClipiaValueError::new_err("`max_retries` must be a count of retries, from 0 on"))?;
        let mut builder = defaults().timeout(timeout).max_retries(max_retries).retry_delay(retry_delay);
        if let Some(key) = server.api_key {
            builder = builder.key(key);
        }
        if let Some(url) = server.base_url {
            builder = builder.base_url(url);
        }
        if let Some(allowed) = server.allow_http {
            builder = builder.allow_http(allowed);
        }
        for (name, value) in server.headers.unwrap_or_default() {
            builder = builder.header(name, value);
        }
        if let Some(proxy) = server.proxy {
            builder = builder.proxy(proxy);
        }
        if let Some(certificates) = server.certificates {
            builder = builder.certificates(certificates);
        }
        let opened = ProcessClient::new(builder, server.pending_file)
            .and_then(|client| Ok((client.clipia()?.base_url().trim_end_matches('/').to_owned(), client)));
        let (base_url, client) = opened.map_err(|error| raise(py, error))?;
        let settings = Arc::new(Settings { base_url, max_retries, retry_delay });
        Ok(Self { client: Arc::new(Mutex::new(Some(client))), settings })
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.settings.base_url
    }

    pub(crate) fn max_retries(&self) -> u32 {
        self.settings.max_retries
    }

    pub(crate) fn retry_delay(&self) -> f64 {
        self.settings.retry_delay.as_secs_f64()
    }

    /// Drops the client. Its connections close once its generations were dropped, too.
    pub(crate) fn close(&self) {
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(client);
    }

    pub(crate) fn client(&self) -> PyResult<Arc<ProcessClient>> {
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner).clone();
        client.ok_or_else(|| ClipiaError::new_err("the client is closed"))
    }

    /// The SDK's client of this process.
    pub(crate) fn clipia(&self) -> PyResult<Clipia> {
        self.client()?.clipia().map_err(|error| Python::attach(|py| raise(py, error)))
    }

    pub(crate) fn generation(&self, id: RequestId) -> PyResult<Live> {
        Ok(Live::new(self.client()?, self.clipia()?.generation(id)))
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

    /// Uploads a file. Only bytes are given a name.
    pub(crate) fn upload(
        &self,
        file: UploadFile,
        file_name: Option<String>,
    ) -> PyResult<impl Future<Output = Result<Upload, Error>> + Send + use<>> {
        if matches!(file, UploadFile::Path(_)) && file_name.is_some() {
            return Err(ClipiaValueError::new_err("`file_name` is for bytes: a path has a name"));
        }
        let clipia = self.clipia()?;
        Ok(async move {
            match file {
                UploadFile::Path(path) => clipia.upload(path).await,
                UploadFile::Bytes(bytes) => {
                    clipia.upload_bytes(bytes.to_vec(), file_name.as_deref().unwrap_or("file")).await
                }
            }
        })
    }

    pub(crate) fn status(
        &self,
        id: RequestId,
        options: CallOptions,
    ) -> PyResult<impl Future<Output = Result<StatusResponse, Error>> + Send + use<>> {
        let clipia = self.clipia()?;
        Ok(async move { clipia.status_with(id, options).await })
    }

    /// A result with its files.
    pub(crate) fn result(
        &self,
        id: RequestId,
        options: CallOptions,
    ) -> PyResult<impl Future<Output = Result<(ResultResponse, Files), Error>> + Send + use<>> {
        Ok(files::of_result(self.generation(id)?, options))
    }

    pub(crate) fn submit(&self, request: Request) -> PyResult<Submit> {
        let mut submit = self.clipia()?.submit(request.model, request.input.0);
        if let Some(url) = request.webhook_url {
            submit = submit.webhook(url);
        }
        if let Some(key) = request.idempotency_key {
            submit = submit.idempotency_key(key);
        }
        if let Some(MaxCost(credits)) = request.max_cost {
            submit = submit.max_cost(credits);
        }
        for (name, value) in request.headers.into_iter().flatten() {
            submit = submit.header(name, value);
        }
        if let Some(Seconds(timeout)) = request.call_timeout {
            submit = submit.call_timeout(timeout);
        }
        Ok(submit)
    }

    pub(crate) fn check(
        &self,
        model: String,
        input: Input,
    ) -> PyResult<impl Future<Output = Result<Vec<InputWarning>, Error>> + Send + use<>> {
        let clipia = self.clipia()?;
        Ok(async move { clipia.check(&model, input.0).await })
    }

    /// `Clipia(base_url='https://api.clipia.ai')`.
    pub(crate) fn repr(&self, class: &str) -> String {
        match &*self.client.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(_) => format!("{class}(base_url='{}')", self.base_url()),
            None => format!("{class}(closed)"),
        }
    }
}

/// The catalogue as on the wire.
#[derive(Serialize)]
pub(crate) struct ModelList {
    data: Vec<Model>,
}

/// The arguments of a client about its server. Arguments that are not given come from the environment.
pub(crate) struct Server {
    pub(crate) api_key: Option<String>,
    pub(crate) base_url: Option<String>,
    pub(crate) allow_http: Option<bool>,
    pub(crate) headers: Option<HashMap<String, String>>,
    pub(crate) proxy: Option<String>,
    pub(crate) certificates: Option<PathBuf>,
    pub(crate) pending_file: Option<PathBuf>,
}

/// The arguments of a submit.
pub(crate) struct Request {
    pub(crate) model: String,
    pub(crate) input: Input,
    pub(crate) webhook_url: Option<String>,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) max_cost: Option<MaxCost>,
    /// Headers and a timeout of each HTTP call of the submit.
    pub(crate) headers: Option<HashMap<String, String>>,
    pub(crate) call_timeout: Option<Seconds>,
}
