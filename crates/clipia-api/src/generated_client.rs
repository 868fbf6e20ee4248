// Generated from spec/openapi.yaml by `cargo xtask generate`. Do not edit.

use crate::types;
#[allow(unused_imports)]
pub use progenitor_client::{ByteStream, ClientInfo, Error, ResponseValue};
#[allow(unused_imports)]
use progenitor_client::{encode_path, ClientHooks, OperationInfo, RequestBuilderExt};
#[derive(Clone, Debug)]
/**Client for Clipia queue API

Images, video and audio through an asynchronous queue.

A submit answers at once with a `request_id`. The caller learns the outcome by asking
for the status, by asking for the result, or by a signed webhook. Credits are reserved
at submit, charged when the generation completes and returned in full when it fails.

Statuses, error codes, models and fields may be added at any time: a client keeps what
it does not know and never fails on it.

`required` says what a server must send. `x-essential`, where it stands, says which of that
a client cannot go on without; a client reads past everything else that is missing or odd.


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

The model with its price and its `input_schema`.

Sends a `GET` request to `/v1/models/{model}`

Arguments:
- `model`: The model's slug, as the catalogue spells it.
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
none of these. Send an `Idempotency-Key` with every submit and send the same one with
each retry of it: then a submit whose answer was lost can be repeated without a second
charge.

Names that are not known, in `input` or beside it, are accepted and told in `warnings`. Needs the
scope `generate`. With a sandbox key (`clipia_test_…`) the answer is `COMPLETED` at once,
nothing is charged and the output is a fixed sample. Sandbox and live keys do not see each other's
requests, nor their idempotency keys; a server may keep only the newest requests of the sandbox.


Sends a `POST` request to `/v1/models/{model}`

Arguments:
- `model`: The model's slug, as the catalogue spells it.
- `idempotency_key`: Any string, best a UUID v4. Kept for 24 hours per account. The same key with
the same parameters answers the same `request_id` and charges nothing more; with other
parameters it is refused with 409 `idempotency_key_reuse`; while the first submit of the
key is still being processed, with 409 `request_in_progress`.

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
    /**What an input costs

The exact price that a submit of the same input would reserve. Nothing is reserved. Input
that a submit would refuse is refused here with the same error.


Sends a `POST` request to `/v1/models/{model}/estimate`

Arguments:
- `model`: The model's slug, as the catalogue spells it.
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
    /**Every model

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
    /**How far a generation is

Cheap to answer, but it counts against the key's requests a minute like every other
call: at one status call a second two generations use up a default key.


Sends a `GET` request to `/v1/requests/{request_id}/status`

Arguments:
- `request_id`: The id that the submit answered.
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
    /**What came out of a generation

200 with the outcome once the generation is COMPLETED, FAILED or CANCELED; 202 while it still
waits or runs, with the lifecycle fields, `model`, the reserve as `cost`, and `created_at`. Both
have one schema: read `status`.


Sends a `GET` request to `/v1/requests/{request_id}`

Arguments:
- `request_id`: The id that the submit answered.
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

The credits that can still be spent, and what the last 30 days used. A sandbox key is told a
balance that nothing is taken from, and no usage: the books are those of the live keys.


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
}
