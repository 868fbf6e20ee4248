// Generated from spec/openapi.yaml by `cargo xtask generate`. Do not edit.

use crate::types;
#[allow(unused_imports)]
pub use progenitor_client::{ByteStream, ClientInfo, Error, ResponseValue};
#[allow(unused_imports)]
use progenitor_client::{encode_path, ClientHooks, OperationInfo, RequestBuilderExt};
#[derive(Clone, Debug)]
/**Client for Clipia queue API

Images, video and audio through an asynchronous queue.

A submit returns a `request_id` at once. The client learns the outcome by polling the status,
by polling the result, or by a signed webhook. Credits are reserved at submit, charged
when the generation completes, and returned in full when it fails or is canceled.

Statuses, error codes, models and fields may be added at any time. A client keeps values
that it does not know, and never fails on them.

`required` lists the fields that a server must send. `x-essential`, if present, lists those of
them that a client needs. A client tolerates every other field that is missing or malformed.


Version: 1.0.0*/
pub struct Client {
    pub(crate) baseurl: String,
    pub(crate) client: reqwest::Client,
}
impl Client {
    /// Create a new client.
    ///
    /// `baseurl` is the base URL provided to the internal
    /// `reqwest::Client`, and should include a scheme and hostname,
    /// as well as port and a path stem if applicable.
    pub fn new(baseurl: &str) -> Self {
        #[cfg(not(target_arch = "wasm32"))]
        let client = {
            let dur = ::std::time::Duration::from_secs(15u64);
            reqwest::ClientBuilder::new().connect_timeout(dur).timeout(dur)
        };
        #[cfg(target_arch = "wasm32")]
        let client = reqwest::ClientBuilder::new();
        Self::new_with_client(baseurl, client.build().unwrap())
    }
    /// Construct a new client with an existing `reqwest::Client`,
    /// allowing more control over its configuration.
    ///
    /// `baseurl` is the base URL provided to the internal
    /// `reqwest::Client`, and should include a scheme and hostname,
    /// as well as port and a path stem if applicable.
    pub fn new_with_client(baseurl: &str, client: reqwest::Client) -> Self {
        Self {
            baseurl: baseurl.to_string(),
            client,
        }
    }
}
impl ClientInfo<()> for Client {
    fn api_version() -> &'static str {
        "1.0.0"
    }
    fn baseurl(&self) -> &str {
        self.baseurl.as_str()
    }
    fn client(&self) -> &reqwest::Client {
        &self.client
    }
    fn inner(&self) -> &() {
        &()
    }
}
impl ClientHooks<()> for &Client {}
#[allow(clippy::all)]
impl Client {
    /**One model

The model, with its price and its `input_schema`.

Sends a `GET` request to `/v1/models/{model}`

Arguments:
- `model`: The model's slug, as in the catalogue.
*/
    pub async fn get_model<'a>(
        &'a self,
        model: &'a str,
    ) -> Result<ResponseValue<types::Model>, Error<types::ErrorEnvelope>> {
        let url = format!(
            "{}/v1/models/{}", self.baseurl, encode_path(& model.to_string()),
        );
        #[allow(unused_mut)]
        let mut request = self
            .client
            .get(url)
            .header(
                ::reqwest::header::ACCEPT,
                ::reqwest::header::HeaderValue::from_static("application/json"),
            )
            .build()?;
        let info = OperationInfo {
            operation_id: "get_model",
        };
        self.pre(&mut request, &info).await?;
        let result = self.exec(request, &info).await;
        self.post(&result, &info).await?;
        let response = result?;
        crate::response::read(response).await
    }
    /**Submit a generation

Checks the input, reserves its price and puts the generation in the queue, or does
none of these. Send an `Idempotency-Key` with every submit, and the same one with each
retry: a submit whose response was lost can then be repeated without a second charge.

The call needs the scope `generate`. Unknown names, in `input` or beside it, are accepted and
listed in `warnings`.

With a sandbox key (`clipia_test_…`) the generation is `COMPLETED` at once, nothing is charged,
and the output is a fixed sample. Sandbox and live keys do not see each other's requests or
idempotency keys. A server may keep only the newest requests of the sandbox.


Sends a `POST` request to `/v1/models/{model}`

Arguments:
- `model`: The model's slug, as in the catalogue.
- `idempotency_key`: Any string, best a UUID v4. The server keeps it for 24 hours, per account. A submit with the
same key and the same parameters returns the same `request_id`, and nothing more is charged.
With other parameters it is refused with 409 `idempotency_key_reuse`. While the first submit
with the key is being processed, it is refused with 409 `request_in_progress`.

- `body`
*/
    pub async fn submit<'a>(
        &'a self,
        model: &'a str,
        idempotency_key: Option<&'a str>,
        body: &'a types::SubmitRequest,
    ) -> Result<ResponseValue<types::SubmitResponse>, Error<types::ErrorEnvelope>> {
        let url = format!(
            "{}/v1/models/{}", self.baseurl, encode_path(& model.to_string()),
        );
        let mut header_map = ::reqwest::header::HeaderMap::with_capacity(2usize);
        if let Some(value) = idempotency_key {
            header_map.append("Idempotency-Key", value.to_string().try_into()?);
        }
        #[allow(unused_mut)]
        let mut request = self
            .client
            .post(url)
            .header(
                ::reqwest::header::ACCEPT,
                ::reqwest::header::HeaderValue::from_static("application/json"),
            )
            .json(&body)
            .headers(header_map)
            .build()?;
        let info = OperationInfo {
            operation_id: "submit",
        };
        self.pre(&mut request, &info).await?;
        let result = self.exec(request, &info).await;
        self.post(&result, &info).await?;
        let response = result?;
        crate::response::read(response).await
    }
    /**The price of an input

The exact price that a submit of the same input would reserve. Nothing is reserved. An input
that a submit would refuse is refused here with the same error.


Sends a `POST` request to `/v1/models/{model}/estimate`

Arguments:
- `model`: The model's slug, as in the catalogue.
- `body`
*/
    pub async fn estimate<'a>(
        &'a self,
        model: &'a str,
        body: &'a types::EstimateRequest,
    ) -> Result<ResponseValue<types::EstimateResponse>, Error<types::ErrorEnvelope>> {
        let url = format!(
            "{}/v1/models/{}/estimate", self.baseurl, encode_path(& model.to_string()),
        );
        #[allow(unused_mut)]
        let mut request = self
            .client
            .post(url)
            .header(
                ::reqwest::header::ACCEPT,
                ::reqwest::header::HeaderValue::from_static("application/json"),
            )
            .json(&body)
            .build()?;
        let info = OperationInfo {
            operation_id: "estimate",
        };
        self.pre(&mut request, &info).await?;
        let result = self.exec(request, &info).await;
        self.post(&result, &info).await?;
        let response = result?;
        crate::response::read(response).await
    }
    /**All models

The whole catalogue. Models of the type `text` have no queue.

Sends a `GET` request to `/v1/models`

*/
    pub async fn list_models<'a>(
        &'a self,
    ) -> Result<ResponseValue<types::ModelList>, Error<types::ErrorEnvelope>> {
        let url = format!("{}/v1/models", self.baseurl,);
        #[allow(unused_mut)]
        let mut request = self
            .client
            .get(url)
            .header(
                ::reqwest::header::ACCEPT,
                ::reqwest::header::HeaderValue::from_static("application/json"),
            )
            .build()?;
        let info = OperationInfo {
            operation_id: "list_models",
        };
        self.pre(&mut request, &info).await?;
        let result = self.exec(request, &info).await;
        self.post(&result, &info).await?;
        let response = result?;
        crate::response::read(response).await
    }
    /**The status of a generation

Counts against the key's requests a minute like every other call: two generations that are
polled once a second use up a key of 120 requests a minute.


Sends a `GET` request to `/v1/requests/{request_id}/status`

Arguments:
- `request_id`: The request id that the submit returned.
*/
    pub async fn get_status<'a>(
        &'a self,
        request_id: &'a crate::RequestId,
    ) -> Result<ResponseValue<types::StatusResponse>, Error<types::ErrorEnvelope>> {
        let url = format!(
            "{}/v1/requests/{}/status", self.baseurl, encode_path(& request_id
            .to_string()),
        );
        #[allow(unused_mut)]
        let mut request = self
            .client
            .get(url)
            .header(
                ::reqwest::header::ACCEPT,
                ::reqwest::header::HeaderValue::from_static("application/json"),
            )
            .build()?;
        let info = OperationInfo {
            operation_id: "get_status",
        };
        self.pre(&mut request, &info).await?;
        let result = self.exec(request, &info).await;
        self.post(&result, &info).await?;
        let response = result?;
        crate::response::read(response).await
    }
    /**The result of a generation

200 with the outcome once the generation is COMPLETED, FAILED or CANCELED. 202 while it is queued
or running, with its status, `model`, the reserved credits as `cost`, and `created_at`. Both
have the same schema: read `status`.


Sends a `GET` request to `/v1/requests/{request_id}`

Arguments:
- `request_id`: The request id that the submit returned.
*/
    pub async fn get_result<'a>(
        &'a self,
        request_id: &'a crate::RequestId,
    ) -> Result<ResponseValue<types::ResultResponse>, Error<types::ErrorEnvelope>> {
        let url = format!(
            "{}/v1/requests/{}", self.baseurl, encode_path(& request_id.to_string()),
        );
        #[allow(unused_mut)]
        let mut request = self
            .client
            .get(url)
            .header(
                ::reqwest::header::ACCEPT,
                ::reqwest::header::HeaderValue::from_static("application/json"),
            )
            .build()?;
        let info = OperationInfo {
            operation_id: "get_result",
        };
        self.pre(&mut request, &info).await?;
        let result = self.exec(request, &info).await;
        self.post(&result, &info).await?;
        let response = result?;
        crate::response::read(response).await
    }
    /**Balance and usage

The available credits, and the usage of the last 30 days. A sandbox key gets a fixed balance and
no usage, since only live keys move credits.


Sends a `GET` request to `/v1/account`

*/
    pub async fn get_account<'a>(
        &'a self,
    ) -> Result<ResponseValue<types::Account>, Error<types::ErrorEnvelope>> {
        let url = format!("{}/v1/account", self.baseurl,);
        #[allow(unused_mut)]
        let mut request = self
            .client
            .get(url)
            .header(
                ::reqwest::header::ACCEPT,
                ::reqwest::header::HeaderValue::from_static("application/json"),
            )
            .build()?;
        let info = OperationInfo {
            operation_id: "get_account",
        };
        self.pre(&mut request, &info).await?;
        let result = self.exec(request, &info).await;
        self.post(&result, &info).await?;
        let response = result?;
        crate::response::read(response).await
    }
    /**Upload a file

Keeps a file for inputs: the `url` of the response is the value of a parameter of the type `image`,
`video` or `audio`. The body is the file itself, and nothing else. Any `Content-Type` is taken, and
ignored.

This is an extension of a self-hosted server. Clipia itself returns 404 `not_found`; a small file can
be sent in the input there, as a `data:` URL.

The call needs the scope `generate`. It is not idempotent: a repeated upload is kept twice, under two
URLs. That costs nothing but room.

A file is kept for 24 hours. After that, a new request that names it is refused with
`model_input_invalid`. A request that was accepted before keeps the file until it has ended. Whoever
knows the URL can read the file and name it in an input; nobody can guess it.

Bounds: a file of 100 MiB (`upload_too_large`), and 1,000 files and 2 GiB of an account at once
(`upload_limit_exceeded`).


Sends a `POST` request to `/v1/uploads`

Arguments:
- `file_name`: The name of the file. The URL ends with it; other characters than letters, digits, `.`, `_` and
`-` are replaced. Its extension decides the `content_type`. A name without one gets that of the
file's first bytes.

- `body`
*/
    pub async fn upload<'a, B: Into<reqwest::Body>>(
        &'a self,
        file_name: Option<&'a str>,
        body: B,
    ) -> Result<ResponseValue<types::Upload>, Error<types::ErrorEnvelope>> {
        let url = format!("{}/v1/uploads", self.baseurl,);
        #[allow(unused_mut)]
        let mut request = self
            .client
            .post(url)
            .header(
                ::reqwest::header::ACCEPT,
                ::reqwest::header::HeaderValue::from_static("application/json"),
            )
            .header(
                ::reqwest::header::CONTENT_TYPE,
                ::reqwest::header::HeaderValue::from_static("application/octet-stream"),
            )
            .body(body)
            .query(&progenitor_client::QueryParam::new("file_name", &file_name))
            .build()?;
        let info = OperationInfo {
            operation_id: "upload",
        };
        self.pre(&mut request, &info).await?;
        let result = self.exec(request, &info).await;
        self.post(&result, &info).await?;
        let response = result?;
        crate::response::read(response).await
    }
}
