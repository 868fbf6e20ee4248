// Generated from spec/workers.yaml by `cargo xtask generate`. Do not edit.

use crate::types;
#[allow(unused_imports)]
pub use progenitor_client::{ByteStream, ClientInfo, Error, ResponseValue};
#[allow(unused_imports)]
use progenitor_client::{encode_path, ClientHooks, OperationInfo, RequestBuilderExt};
#[derive(Clone, Debug)]
/**Client for Clipia queue workers

How a worker on another machine works for a queue: it claims requests, reports how far it is, uploads what it made, and
reports the end of each attempt. The worker calls, and the server never does: the worker needs one outgoing connection and
no open port.

The calls are on the listener of the API, below `/worker/v1`. While no worker exists, each of them is 404 `not_found`.
`clipia workers create` makes a worker and its token; `clipia work` speaks this wire.

**A worker and its sessions.** The token names the worker. Each process that works with it is a session, which chooses a
random UUID when it starts and sends it in `Clipia-Session` with each call. A lease belongs to a session.

**Fencing.** A claim has a number, its `epoch`. Each report carries the request and the epoch. A report whose lease is not
in force any more, or is another session's, is refused with 409 and changes nothing: the worker ends that work at once.

**Repeats.** Each call can be repeated: a claim names what the session holds already, so that a lease whose response was lost
is returned again; a beat's log lines have offsets; a piece of a file has its place; and the end of an attempt that the same
session has reported is accepted again.

Orders are closed: a field that this document does not name is refused with 400 `invalid_request`. Responses may grow: a
client ignores fields that it does not know.

Schemas that the queue's API has too are those of `openapi.yaml`.


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
    /**Claim requests

Claims the first requests of an executor's queue, as many as the session has free slots. The call is held open until
there is one, `wait_seconds` at most. A later claim of the same session ends one that is held open: its response is
empty then.

Leases of the session that are not in `held` come first: the session does not know of them, since the response of
their claim was lost.


Sends a `POST` request to `/worker/v1/claim`

*/
    pub async fn claim<'a>(
        &'a self,
        body: &'a types::ClaimOrder,
    ) -> Result<types::Claimed, crate::CallError> {
        crate::response::of(
            async {
                let url = format!("{}/worker/v1/claim", self.baseurl,);
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
                    operation_id: "claim",
                };
                self.pre(&mut request, &info).await?;
                let result = self.exec(request, &info).await;
                self.post(&result, &info).await?;
                let response = result?;
                crate::response::read(response).await
            }
                .await,
        )
    }
    /**Prolong leases

Prolongs the leases of attempts, and reports their progress and their log lines. A lease expires 30 seconds after its
last beat, and then the request is queued again. Each attempt is answered by itself: one whose lease is lost, as by a
cancel, does not refuse the others.


Sends a `POST` request to `/worker/v1/beat`

*/
    pub async fn beat<'a>(
        &'a self,
        body: &'a types::BeatOrder,
    ) -> Result<types::BeatAnswer, crate::CallError> {
        crate::response::of(
            async {
                let url = format!("{}/worker/v1/beat", self.baseurl,);
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
                    operation_id: "beat",
                };
                self.pre(&mut request, &info).await?;
                let result = self.exec(request, &info).await;
                self.post(&result, &info).await?;
                let response = result?;
                crate::response::read(response).await
            }
                .await,
        )
    }
    /**A file that an input names

The server fetches the file, by its own rules of what may be fetched, and passes it on: an upload, media of its own, or
a file on another host. A download that broke off goes on with `Range`; its response is 206. While the server is still
fetching the file the response may be 503 with `Retry-After`: the same call is repeated then.

422 `model_input_invalid` says why the file cannot be had; the generation fails with this message.


Sends a `GET` request to `/worker/v1/inputs/{request_id}/{epoch}`

Arguments:
- `request_id`: The request.
- `epoch`: The number of its claim.
- `number`: Which of the parameter's files, from 0. 0 for a parameter with one.
- `parameter`: The parameter of the input that names the file.
- `range`: From which byte on, as `bytes=1048576-`, to go on with a download. The response is 206 then.
*/
    pub async fn get_input<'a>(
        &'a self,
        request_id: &'a clipia_api::RequestId,
        epoch: i64,
        number: u32,
        parameter: &'a str,
        range: Option<&'a str>,
    ) -> Result<ByteStream, crate::CallError> {
        crate::response::of(
            async {
                let url = format!(
                    "{}/worker/v1/inputs/{}/{}", self.baseurl, encode_path(& request_id
                    .to_string()), encode_path(& epoch.to_string()),
                );
                let mut header_map = ::reqwest::header::HeaderMap::with_capacity(2usize);
                if let Some(value) = range {
                    header_map.append("Range", value.to_string().try_into()?);
                }
                #[allow(unused_mut)]
                let mut request = self
                    .client
                    .get(url)
                    .query(&progenitor_client::QueryParam::new("number", &number))
                    .query(&progenitor_client::QueryParam::new("parameter", &parameter))
                    .headers(header_map)
                    .build()?;
                let info = OperationInfo {
                    operation_id: "get_input",
                };
                self.pre(&mut request, &info).await?;
                let result = self.exec(request, &info).await;
                self.post(&result, &info).await?;
                let response = result?;
                crate::response::stream(response).await
            }
                .await,
        )
    }
    #[doc = "A piece of a file of the output\n\nAdds a piece to a file of the attempt's output, of 64 MiB at most. Pieces come in order. `Content-Range` says where the piece is and how\nlong the whole file is (`bytes 0-1048575/3145728`; `bytes */0` for an empty file). `Content-Digest` is the SHA-256 of\nthe piece (RFC 9530): a piece that does not have it is refused with 400 and nothing of it is kept.\n\nThe response says how many bytes of the file the server has. A piece that it has already is accepted again. After a gap\nthe piece is not kept, and the next one begins at `received`.\n\n\nSends a `PUT` request to `/worker/v1/files/{request_id}/{epoch}/{name}`\n\nArguments:\n- `request_id`: The request.\n- `epoch`: The number of its claim.\n- `name`: The name of the file in the output, of letters, digits, `.`, `_` and `-`.\n- `content_digest`: The SHA-256 of the piece.\n- `content_range`: Where the piece is in the file, and how long the file is.\n- `body`\n"]
    pub async fn put_piece<'a, B: Into<reqwest::Body>>(
        &'a self,
        request_id: &'a clipia_api::RequestId,
        epoch: i64,
        name: &'a str,
        content_digest: &'a str,
        content_range: &'a str,
        body: B,
    ) -> Result<types::FileReceived, crate::CallError> {
        crate::response::of(
            async {
                let url = format!(
                    "{}/worker/v1/files/{}/{}/{}", self.baseurl, encode_path(& request_id
                    .to_string()), encode_path(& epoch.to_string()), encode_path(& name
                    .to_string()),
                );
                let mut header_map = ::reqwest::header::HeaderMap::with_capacity(3usize);
                header_map
                    .append("Content-Digest", content_digest.to_string().try_into()?);
                header_map
                    .append("Content-Range", content_range.to_string().try_into()?);
                #[allow(unused_mut)]
                let mut request = self
                    .client
                    .put(url)
                    .header(
                        ::reqwest::header::ACCEPT,
                        ::reqwest::header::HeaderValue::from_static("application/json"),
                    )
                    .header(
                        ::reqwest::header::CONTENT_TYPE,
                        ::reqwest::header::HeaderValue::from_static(
                            "application/octet-stream",
                        ),
                    )
                    .body(body)
                    .headers(header_map)
                    .build()?;
                let info = OperationInfo {
                    operation_id: "put_piece",
                };
                self.pre(&mut request, &info).await?;
                let result = self.exec(request, &info).await;
                self.post(&result, &info).await?;
                let response = result?;
                crate::response::read(response).await
            }
                .await,
        )
    }
    /**The attempt has an output

Completes the request: its credits are charged, and its webhook is told. 400 where a file of the output is not whole.


Sends a `POST` request to `/worker/v1/complete`

*/
    pub async fn complete<'a>(
        &'a self,
        body: &'a types::CompleteOrder,
    ) -> Result<(), crate::CallError> {
        crate::response::of(
            async {
                let url = format!("{}/worker/v1/complete", self.baseurl,);
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
                    operation_id: "complete",
                };
                self.pre(&mut request, &info).await?;
                let result = self.exec(request, &info).await;
                self.post(&result, &info).await?;
                let response = result?;
                crate::response::read(response).await
            }
                .await,
        )
    }
    /**The input cannot be made, now or later

The request fails. Its credits are returned, and its webhook is told.

Sends a `POST` request to `/worker/v1/fail`

*/
    pub async fn fail<'a>(
        &'a self,
        body: &'a types::FailOrder,
    ) -> Result<(), crate::CallError> {
        crate::response::of(
            async {
                let url = format!("{}/worker/v1/fail", self.baseurl,);
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
                    operation_id: "fail",
                };
                self.pre(&mut request, &info).await?;
                let result = self.exec(request, &info).await;
                self.post(&result, &info).await?;
                let response = result?;
                crate::response::read(response).await
            }
                .await,
        )
    }
    /**The attempt died, as by a crash of its program

The attempt is spent and the request is queued again. After the last attempt it fails with this message.


Sends a `POST` request to `/worker/v1/lose`

*/
    pub async fn lose<'a>(
        &'a self,
        body: &'a types::FailOrder,
    ) -> Result<(), crate::CallError> {
        crate::response::of(
            async {
                let url = format!("{}/worker/v1/lose", self.baseurl,);
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
                    operation_id: "lose",
                };
                self.pre(&mut request, &info).await?;
                let result = self.exec(request, &info).await;
                self.post(&result, &info).await?;
                let response = result?;
                crate::response::read(response).await
            }
                .await,
        )
    }
    /**Give a request back

The request is queued again, ahead of those that never ran. No attempt is spent.

Sends a `POST` request to `/worker/v1/release`

*/
    pub async fn release<'a>(
        &'a self,
        body: &'a types::ReleaseOrder,
    ) -> Result<(), crate::CallError> {
        crate::response::of(
            async {
                let url = format!("{}/worker/v1/release", self.baseurl,);
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
                    operation_id: "release",
                };
                self.pre(&mut request, &info).await?;
                let result = self.exec(request, &info).await;
                self.post(&result, &info).await?;
                let response = result?;
                crate::response::read(response).await
            }
                .await,
        )
    }
}
