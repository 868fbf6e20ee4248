// Generated from spec/administration.yaml by `cargo xtask generate`. Do not edit.

use crate::types;
#[allow(unused_imports)]
pub use progenitor_client::{ByteStream, ClientInfo, Error, ResponseValue};
#[allow(unused_imports)]
use progenitor_client::{encode_path, ClientHooks, OperationInfo, RequestBuilderExt};
#[derive(Clone, Debug)]
/**Client for Clipia queue administration

What an operator does to a running server: accounts, credits, keys, requests, queues, workers on other machines,
deliveries, webhook secrets, the audit, and the store as a whole.

The administration listens on the loopback interface unless `admin_listen` says otherwise. Its address and its
token are in `admin.json` of the data directory, which only the server's user can read:
`{"url": "http://127.0.0.1:43210", "token": "…"}`. Each start of the server makes a new token.

No response contains a secret, except the one that the call has just made.

Orders are closed: a field or a query parameter that this document does not name is refused with
400 `invalid_request`. Responses may grow: a client ignores fields that it does not know.

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
    /**A page of the accounts

Accounts in the order of their ids, which rise with time.

Sends a `GET` request to `/accounts`

Arguments:
- `after`: The last account of the page before; left out for the first page.
- `limit`: How many at most. More than 1000 means 1000, and so does a page without `limit`.
*/
    pub async fn list_accounts<'a>(
        &'a self,
        after: Option<&'a str>,
        limit: Option<::std::num::NonZeroU32>,
    ) -> Result<types::AccountPage, crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!("{}/accounts", self.baseurl,);
                #[allow(unused_mut)]
                let mut request = self
                    .client
                    .get(url)
                    .header(
                        ::reqwest::header::ACCEPT,
                        ::reqwest::header::HeaderValue::from_static("application/json"),
                    )
                    .query(&progenitor_client::QueryParam::new("after", &after))
                    .query(&progenitor_client::QueryParam::new("limit", &limit))
                    .build()?;
                let info = OperationInfo {
                    operation_id: "list_accounts",
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
    /**Create an account

The account has no key yet.

Sends a `POST` request to `/accounts`

*/
    pub async fn create_account<'a>(
        &'a self,
        body: &'a types::AccountOrder,
    ) -> Result<types::AccountMade, crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!("{}/accounts", self.baseurl,);
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
                    operation_id: "create_account",
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
    /**Grant credits to an account

Sends a `POST` request to `/accounts/{account_id}/grants`

Arguments:
- `account_id`: The account. 404 where there is none of this id.
- `body`
*/
    pub async fn grant_credits<'a>(
        &'a self,
        account_id: &'a str,
        body: &'a types::GrantOrder,
    ) -> Result<types::GrantMade, crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!(
                    "{}/accounts/{}/grants", self.baseurl, encode_path(& account_id
                    .to_string()),
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
                    operation_id: "grant_credits",
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
    /**Take credits back that an account can spend

Sends a `POST` request to `/accounts/{account_id}/withdrawals`

Arguments:
- `account_id`: The account. 404 where there is none of this id.
- `body`
*/
    pub async fn withdraw_credits<'a>(
        &'a self,
        account_id: &'a str,
        body: &'a types::WithdrawalOrder,
    ) -> Result<types::WithdrawalMade, crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!(
                    "{}/accounts/{}/withdrawals", self.baseurl, encode_path(& account_id
                    .to_string()),
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
                    operation_id: "withdraw_credits",
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
    /**When the webhook secrets of an account sign

The secrets themselves are not in the response.

Sends a `GET` request to `/accounts/{account_id}/webhook-secrets`

Arguments:
- `account_id`: The account. 404 where there is none of this id.
*/
    pub async fn list_webhook_secrets<'a>(
        &'a self,
        account_id: &'a str,
    ) -> Result<types::SecretsListing, crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!(
                    "{}/accounts/{}/webhook-secrets", self.baseurl, encode_path(&
                    account_id.to_string()),
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
                    operation_id: "list_webhook_secrets",
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
    /**Make an account another webhook secret

Deliveries are signed with the new secret at once, and with the old ones too until these end. Many receivers know
one secret and look at the last signature alone: until the new secret comes last they need the old one. At most
4 secrets sign at a time; one more ends the oldest.


Sends a `POST` request to `/accounts/{account_id}/webhook-secrets`

Arguments:
- `account_id`: The account. 404 where there is none of this id.
- `body`
*/
    pub async fn rotate_webhook_secret<'a>(
        &'a self,
        account_id: &'a str,
        body: &'a types::RotationOrder,
    ) -> Result<types::SecretMade, crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!(
                    "{}/accounts/{}/webhook-secrets", self.baseurl, encode_path(&
                    account_id.to_string()),
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
                    operation_id: "rotate_webhook_secret",
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
    /**Change the times of a rotation

What the order leaves out stays as it is. Refused where only one secret signs.

Sends a `PATCH` request to `/accounts/{account_id}/webhook-secrets`

Arguments:
- `account_id`: The account. 404 where there is none of this id.
- `body`
*/
    pub async fn replan_rotation<'a>(
        &'a self,
        account_id: &'a str,
        body: &'a types::RotationOrder,
    ) -> Result<types::SecretsListing, crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!(
                    "{}/accounts/{}/webhook-secrets", self.baseurl, encode_path(&
                    account_id.to_string()),
                );
                #[allow(unused_mut)]
                let mut request = self
                    .client
                    .patch(url)
                    .header(
                        ::reqwest::header::ACCEPT,
                        ::reqwest::header::HeaderValue::from_static("application/json"),
                    )
                    .json(&body)
                    .build()?;
                let info = OperationInfo {
                    operation_id: "replan_rotation",
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
    /**A page of the keys

Keys of every account in the order of their creation, revoked ones included.

Sends a `GET` request to `/keys`

Arguments:
- `after`: The `next` of the page before; left out for the first page.
- `limit`: How many at most. More than 1000 means 1000, and so does a page without `limit`.
*/
    pub async fn list_keys<'a>(
        &'a self,
        after: Option<&'a str>,
        limit: Option<::std::num::NonZeroU32>,
    ) -> Result<types::KeyPage, crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!("{}/keys", self.baseurl,);
                #[allow(unused_mut)]
                let mut request = self
                    .client
                    .get(url)
                    .header(
                        ::reqwest::header::ACCEPT,
                        ::reqwest::header::HeaderValue::from_static("application/json"),
                    )
                    .query(&progenitor_client::QueryParam::new("after", &after))
                    .query(&progenitor_client::QueryParam::new("limit", &limit))
                    .build()?;
                let info = OperationInfo {
                    operation_id: "list_keys",
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
    /**Create a key

Sends a `POST` request to `/keys`

*/
    pub async fn create_key<'a>(
        &'a self,
        body: &'a types::KeyOrder,
    ) -> Result<types::KeyMade, crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!("{}/keys", self.baseurl,);
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
                    operation_id: "create_key",
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
    /**Revoke a key

The key is refused from now on. Its requests go on. 404 where no such key is in force.

Sends a `DELETE` request to `/keys/{key_id}`

Arguments:
- `key_id`: The `id` of the key, not the key itself.
*/
    pub async fn revoke_key<'a>(
        &'a self,
        key_id: &'a str,
    ) -> Result<(), crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!(
                    "{}/keys/{}", self.baseurl, encode_path(& key_id.to_string()),
                );
                #[allow(unused_mut)]
                let mut request = self
                    .client
                    .delete(url)
                    .header(
                        ::reqwest::header::ACCEPT,
                        ::reqwest::header::HeaderValue::from_static("application/json"),
                    )
                    .build()?;
                let info = OperationInfo {
                    operation_id: "revoke_key",
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
    /**A page of the requests

Requests of every account, the newest first. A server looks at some thousand requests for one page: a page may hold
few requests, or none, and not be the last.


Sends a `GET` request to `/requests`

Arguments:
- `account_id`: Only what belongs to this account.
- `after`: Only requests that are older than this one; the `next` of the page before.
- `key_id`: Only requests that were submitted with this key.
- `limit`: How many at most. More than 1000 means 1000.
- `model`: Only requests of the model with this slug.
- `since`: Only requests that were accepted at this time or later.
- `status`: Only requests with this status.
- `text`: Only requests whose input, or error message, has every one of these words; the last may be the beginning of one. A
request is found some seconds after its submit. Where there is no word, nothing is found.

*/
    pub async fn list_requests<'a>(
        &'a self,
        account_id: Option<&'a str>,
        after: Option<&'a clipia_api::RequestId>,
        key_id: Option<&'a str>,
        limit: u32,
        model: Option<&'a str>,
        since: Option<&'a jiff::Timestamp>,
        status: Option<&'a clipia_api::Status>,
        text: Option<&'a str>,
    ) -> Result<types::RequestPage, crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!("{}/requests", self.baseurl,);
                #[allow(unused_mut)]
                let mut request = self
                    .client
                    .get(url)
                    .header(
                        ::reqwest::header::ACCEPT,
                        ::reqwest::header::HeaderValue::from_static("application/json"),
                    )
                    .query(
                        &progenitor_client::QueryParam::new("account_id", &account_id),
                    )
                    .query(&progenitor_client::QueryParam::new("after", &after))
                    .query(&progenitor_client::QueryParam::new("key_id", &key_id))
                    .query(&progenitor_client::QueryParam::new("limit", &limit))
                    .query(&progenitor_client::QueryParam::new("model", &model))
                    .query(&progenitor_client::QueryParam::new("since", &since))
                    .query(&progenitor_client::QueryParam::new("status", &status))
                    .query(&progenitor_client::QueryParam::new("text", &text))
                    .build()?;
                let info = OperationInfo {
                    operation_id: "list_requests",
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
    /**A request and what happened to it

Neither its input nor its output, which are its owner's.

Sends a `GET` request to `/requests/{request_id}`

Arguments:
- `request_id`: The request. 404 where there is none of this id.
*/
    pub async fn get_request<'a>(
        &'a self,
        request_id: &'a clipia_api::RequestId,
    ) -> Result<types::RequestDetails, crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!(
                    "{}/requests/{}", self.baseurl, encode_path(& request_id
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
                    operation_id: "get_request",
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
    /**What the attempts at a request logged

The log lines of a request, in their order. Of each attempt the latest 1,000 lines are kept, and 256 KiB at most; of a
request the latest ten attempts. To follow a request that runs, ask again after the `position` of the page before, until
the status is one of an end and there are no more lines.


Sends a `GET` request to `/requests/{request_id}/logs`

Arguments:
- `request_id`: The request. 404 where there is none of this id.
- `after`: Only lines after this position; the `position` of the page before.
- `attempt`: Only lines of this attempt, from 1.
- `limit`: How many at most. More than 1000 means 1000, and so does a page without `limit`.
*/
    pub async fn list_log_lines<'a>(
        &'a self,
        request_id: &'a clipia_api::RequestId,
        after: Option<&'a str>,
        attempt: Option<i64>,
        limit: Option<::std::num::NonZeroU32>,
    ) -> Result<types::LogPage, crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!(
                    "{}/requests/{}/logs", self.baseurl, encode_path(& request_id
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
                    .query(&progenitor_client::QueryParam::new("after", &after))
                    .query(&progenitor_client::QueryParam::new("attempt", &attempt))
                    .query(&progenitor_client::QueryParam::new("limit", &limit))
                    .build()?;
                let info = OperationInfo {
                    operation_id: "list_log_lines",
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
    /**Cancel a request

Ends a request that is queued or runs. Its reserve is returned, its worker stops, and its webhook is told. 400
where the request has ended.


Sends a `POST` request to `/requests/{request_id}/cancel`

Arguments:
- `request_id`: The request. 404 where there is none of this id.
*/
    pub async fn cancel_request<'a>(
        &'a self,
        request_id: &'a clipia_api::RequestId,
    ) -> Result<types::RequestCanceled, crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!(
                    "{}/requests/{}/cancel", self.baseurl, encode_path(& request_id
                    .to_string()),
                );
                #[allow(unused_mut)]
                let mut request = self
                    .client
                    .post(url)
                    .header(
                        ::reqwest::header::ACCEPT,
                        ::reqwest::header::HeaderValue::from_static("application/json"),
                    )
                    .build()?;
                let info = OperationInfo {
                    operation_id: "cancel_request",
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
    /**The queues

In the order of their names: the queue of each executor, and queues of executors that the server does not have any
more.


Sends a `GET` request to `/queues`

*/
    pub async fn list_queues<'a>(
        &'a self,
    ) -> Result<types::QueueList, crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!("{}/queues", self.baseurl,);
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
                    operation_id: "list_queues",
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
    /**Pause a queue

No request of it is claimed until it is resumed, also after a restart of the server. It takes submits, requests keep
their positions, and running ones end. A queue that is paused stays as it is.


Sends a `POST` request to `/queues/{queue}/pause`

Arguments:
- `queue`: The name of the queue, which is that of its executor. 404 where there is none of this name.
*/
    pub async fn pause_queue<'a>(
        &'a self,
        queue: &'a str,
    ) -> Result<types::QueueListing, crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!(
                    "{}/queues/{}/pause", self.baseurl, encode_path(& queue.to_string()),
                );
                #[allow(unused_mut)]
                let mut request = self
                    .client
                    .post(url)
                    .header(
                        ::reqwest::header::ACCEPT,
                        ::reqwest::header::HeaderValue::from_static("application/json"),
                    )
                    .build()?;
                let info = OperationInfo {
                    operation_id: "pause_queue",
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
    /**Resume a queue

Its requests are claimed again. A queue that is not paused stays as it is.

Sends a `POST` request to `/queues/{queue}/resume`

Arguments:
- `queue`: The name of the queue, which is that of its executor. 404 where there is none of this name.
*/
    pub async fn resume_queue<'a>(
        &'a self,
        queue: &'a str,
    ) -> Result<types::QueueListing, crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!(
                    "{}/queues/{}/resume", self.baseurl, encode_path(& queue
                    .to_string()),
                );
                #[allow(unused_mut)]
                let mut request = self
                    .client
                    .post(url)
                    .header(
                        ::reqwest::header::ACCEPT,
                        ::reqwest::header::HeaderValue::from_static("application/json"),
                    )
                    .build()?;
                let info = OperationInfo {
                    operation_id: "resume_queue",
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
    /**The workers on other machines

Every worker with its sessions, in the order of their names. Revoked ones are listed too.

Sends a `GET` request to `/workers`

*/
    pub async fn list_workers<'a>(
        &'a self,
    ) -> Result<types::WorkerList, crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!("{}/workers", self.baseurl,);
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
                    operation_id: "list_workers",
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
    /**Create a worker

The token is all that a machine needs to work as it. Several processes may use one token at the same time. The name of
a worker is never another one's, also after it was revoked: attempts are told by it.


Sends a `POST` request to `/workers`

*/
    pub async fn create_worker<'a>(
        &'a self,
        body: &'a types::WorkerOrder,
    ) -> Result<types::WorkerMade, crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!("{}/workers", self.baseurl,);
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
                    operation_id: "create_worker",
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
    /**Revoke a worker

Its token is refused from now on. What its sessions have is taken back at once: an attempt is spent, and the request is
queued again, or fails if that was its last attempt.


Sends a `DELETE` request to `/workers/{worker}`

Arguments:
- `worker`: The name of the worker. 404 where none of this name is in force.
*/
    pub async fn revoke_worker<'a>(
        &'a self,
        worker: &'a str,
    ) -> Result<types::WorkerRevoked, crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!(
                    "{}/workers/{}", self.baseurl, encode_path(& worker.to_string()),
                );
                #[allow(unused_mut)]
                let mut request = self
                    .client
                    .delete(url)
                    .header(
                        ::reqwest::header::ACCEPT,
                        ::reqwest::header::HeaderValue::from_static("application/json"),
                    )
                    .build()?;
                let info = OperationInfo {
                    operation_id: "revoke_worker",
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
    /**Make a worker quiet

It claims nothing more, also after a restart of the server, and what it has it completes. A worker that is quiet stays
as it is.


Sends a `POST` request to `/workers/{worker}/quiet`

Arguments:
- `worker`: The name of the worker. 404 where none of this name is in force.
*/
    pub async fn quiet_worker<'a>(
        &'a self,
        worker: &'a str,
    ) -> Result<types::WorkerListing, crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!(
                    "{}/workers/{}/quiet", self.baseurl, encode_path(& worker
                    .to_string()),
                );
                #[allow(unused_mut)]
                let mut request = self
                    .client
                    .post(url)
                    .header(
                        ::reqwest::header::ACCEPT,
                        ::reqwest::header::HeaderValue::from_static("application/json"),
                    )
                    .build()?;
                let info = OperationInfo {
                    operation_id: "quiet_worker",
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
    /**Have a quiet worker claim again

A worker that is not quiet stays as it is.

Sends a `POST` request to `/workers/{worker}/resume`

Arguments:
- `worker`: The name of the worker. 404 where none of this name is in force.
*/
    pub async fn resume_worker<'a>(
        &'a self,
        worker: &'a str,
    ) -> Result<types::WorkerListing, crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!(
                    "{}/workers/{}/resume", self.baseurl, encode_path(& worker
                    .to_string()),
                );
                #[allow(unused_mut)]
                let mut request = self
                    .client
                    .post(url)
                    .header(
                        ::reqwest::header::ACCEPT,
                        ::reqwest::header::HeaderValue::from_static("application/json"),
                    )
                    .build()?;
                let info = OperationInfo {
                    operation_id: "resume_worker",
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
    /**Deliveries of every account

The newest first. An empty list is the end.

Sends a `GET` request to `/deliveries`

Arguments:
- `account_id`: Only what belongs to this account.
- `before`: Only deliveries that are older than this one; the last of the list before.
- `limit`: How many at most. More than 1000 means 1000.
- `request_id`: Only the delivery of this request.
- `state`: Only deliveries in this state.
*/
    pub async fn list_deliveries<'a>(
        &'a self,
        account_id: Option<&'a str>,
        before: Option<&'a ::uuid::Uuid>,
        limit: u32,
        request_id: Option<&'a clipia_api::RequestId>,
        state: Option<types::DeliveryState>,
    ) -> Result<types::DeliveryList, crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!("{}/deliveries", self.baseurl,);
                #[allow(unused_mut)]
                let mut request = self
                    .client
                    .get(url)
                    .header(
                        ::reqwest::header::ACCEPT,
                        ::reqwest::header::HeaderValue::from_static("application/json"),
                    )
                    .query(
                        &progenitor_client::QueryParam::new("account_id", &account_id),
                    )
                    .query(&progenitor_client::QueryParam::new("before", &before))
                    .query(&progenitor_client::QueryParam::new("limit", &limit))
                    .query(
                        &progenitor_client::QueryParam::new("request_id", &request_id),
                    )
                    .query(&progenitor_client::QueryParam::new("state", &state))
                    .build()?;
                let info = OperationInfo {
                    operation_id: "list_deliveries",
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
    /**A delivery and its attempts

Sends a `GET` request to `/deliveries/{delivery_id}`

Arguments:
- `delivery_id`: The delivery. 404 where there is none of this id.
*/
    pub async fn get_delivery<'a>(
        &'a self,
        delivery_id: &'a ::uuid::Uuid,
    ) -> Result<types::DeliveryDetails, crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!(
                    "{}/deliveries/{}", self.baseurl, encode_path(& delivery_id
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
                    operation_id: "get_delivery",
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
    /**Send a delivery again, now

Whatever its state. The schedule of its own attempts stays as it is.

Sends a `POST` request to `/deliveries/{delivery_id}/replay`

Arguments:
- `delivery_id`: The delivery. 404 where there is none of this id.
*/
    pub async fn replay_delivery<'a>(
        &'a self,
        delivery_id: &'a ::uuid::Uuid,
    ) -> Result<(), crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!(
                    "{}/deliveries/{}/replay", self.baseurl, encode_path(& delivery_id
                    .to_string()),
                );
                #[allow(unused_mut)]
                let mut request = self
                    .client
                    .post(url)
                    .header(
                        ::reqwest::header::ACCEPT,
                        ::reqwest::header::HeaderValue::from_static("application/json"),
                    )
                    .build()?;
                let info = OperationInfo {
                    operation_id: "replay_delivery",
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
    /**Send again the deliveries that were given up

At most 1000 with one call; `next` of the response is the `failed_since` of the next call.

Sends a `POST` request to `/deliveries/replay`

*/
    pub async fn replay_failed_deliveries<'a>(
        &'a self,
        body: &'a types::ReplayOrder,
    ) -> Result<types::Replayed, crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!("{}/deliveries/replay", self.baseurl,);
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
                    operation_id: "replay_failed_deliveries",
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
    /**Send the deliveries that a restored store holds

Sends a `POST` request to `/deliveries/resume`

*/
    pub async fn resume_deliveries<'a>(
        &'a self,
    ) -> Result<types::HeldSettled, crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!("{}/deliveries/resume", self.baseurl,);
                #[allow(unused_mut)]
                let mut request = self
                    .client
                    .post(url)
                    .header(
                        ::reqwest::header::ACCEPT,
                        ::reqwest::header::HeaderValue::from_static("application/json"),
                    )
                    .build()?;
                let info = OperationInfo {
                    operation_id: "resume_deliveries",
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
    /**Give up the deliveries that a restored store holds

Each can still be replayed.

Sends a `POST` request to `/deliveries/abandon`

*/
    pub async fn abandon_deliveries<'a>(
        &'a self,
    ) -> Result<types::HeldSettled, crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!("{}/deliveries/abandon", self.baseurl,);
                #[allow(unused_mut)]
                let mut request = self
                    .client
                    .post(url)
                    .header(
                        ::reqwest::header::ACCEPT,
                        ::reqwest::header::HeaderValue::from_static("application/json"),
                    )
                    .build()?;
                let info = OperationInfo {
                    operation_id: "abandon_deliveries",
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
    /**Create a ticket for the dashboard

`/dashboard/in?ticket=…` on the administration's address signs a browser in, once, within a minute.


Sends a `POST` request to `/tickets`

*/
    pub async fn create_ticket<'a>(
        &'a self,
    ) -> Result<types::TicketMade, crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!("{}/tickets", self.baseurl,);
                #[allow(unused_mut)]
                let mut request = self
                    .client
                    .post(url)
                    .header(
                        ::reqwest::header::ACCEPT,
                        ::reqwest::header::HeaderValue::from_static("application/json"),
                    )
                    .build()?;
                let info = OperationInfo {
                    operation_id: "create_ticket",
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
    /**What operators did

The newest entry first. An empty list is the end. Refused keys and tokens are one entry a minute each, with their
number.


Sends a `GET` request to `/audit`

Arguments:
- `before`: Only entries with a lower number; that of the last entry of the list before.
- `limit`: How many at most. More than 1000 means 1000.
*/
    pub async fn list_audit<'a>(
        &'a self,
        before: Option<i64>,
        limit: u32,
    ) -> Result<types::AuditList, crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!("{}/audit", self.baseurl,);
                #[allow(unused_mut)]
                let mut request = self
                    .client
                    .get(url)
                    .header(
                        ::reqwest::header::ACCEPT,
                        ::reqwest::header::HeaderValue::from_static("application/json"),
                    )
                    .query(&progenitor_client::QueryParam::new("before", &before))
                    .query(&progenitor_client::QueryParam::new("limit", &limit))
                    .build()?;
                let info = OperationInfo {
                    operation_id: "list_audit",
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
    /**Change what the server logs

In force at once on this server, until its next start: then `RUST_LOG` says what is logged.


Sends a `PUT` request to `/log-level`

*/
    pub async fn set_log_level<'a>(
        &'a self,
        body: &'a types::LogLevelOrder,
    ) -> Result<types::LogLevel, crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!("{}/log-level", self.baseurl,);
                #[allow(unused_mut)]
                let mut request = self
                    .client
                    .put(url)
                    .header(
                        ::reqwest::header::ACCEPT,
                        ::reqwest::header::HeaderValue::from_static("application/json"),
                    )
                    .json(&body)
                    .build()?;
                let info = OperationInfo {
                    operation_id: "set_log_level",
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
    /**Examine the store

Checks the books, the requests and the deliveries against the rules that always hold. Takes longer the more
the store holds.


Sends a `GET` request to `/examination`

*/
    pub async fn examine<'a>(
        &'a self,
    ) -> Result<types::Findings, crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!("{}/examination", self.baseurl,);
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
                    operation_id: "examine",
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
    /**Copy the store to a file

The copy is the store as it stands at one moment. The server goes on meanwhile. Media are not in it.

Sends a `POST` request to `/backups`

*/
    pub async fn back_up<'a>(
        &'a self,
        body: &'a types::BackupOrder,
    ) -> Result<types::BackupMade, crate::AdministrationError> {
        crate::response::of(
            async {
                let url = format!("{}/backups", self.baseurl,);
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
                    operation_id: "back_up",
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
