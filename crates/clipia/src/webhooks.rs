//! Webhooks: verifies deliveries, recognises repeats, and passes each delivery to the schedule of waits.

#[cfg(feature = "axum")]
mod axum;

use crate::client::Clipia;
use crate::error::Error;
use crate::outcome::Outcome;
use clipia_api::types::{RequestId, ResultResponse};
use clipia_api::{Credits, Status, WebhookStatus};
use clipia_webhook::{Delivery, DeliveryHeaders, Refusal, SecretRefused, Verifier};
use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use uuid::Uuid;

impl Clipia {
    /// Receives the deliveries of the account's webhooks, and ends the waits of this client and its clones with them.
    /// `secret` is the account's webhook secret.
    ///
    /// # Errors
    /// [`Error::WebhookSecretMissing`] if it is empty, [`Error::WebhookSecretWeak`] if it is too short to be secret.
    pub fn webhooks(&self, secret: impl Into<String>) -> Result<Webhooks, Error> {
        Webhooks::new(self.clone(), secret.into())
    }
}

/// Receives the deliveries of webhooks, and ends the waits of a client with them. Made by [`Clipia::webhooks`].
///
/// The end of a generation submitted with [`webhook`](crate::Submit::webhook) is then known at once, and the generation
/// costs only the request that submitted it. Submit and wait as usual. If a delivery is late or lost, the wait polls,
/// rarely, and still finds the end.
///
/// Pass the headers and the **raw** body that your web framework received, and respond as the result says:
///
/// ```
/// use clipia::Clipia;
/// # use std::{collections::HashMap, time::{SystemTime, UNIX_EPOCH}};
///
/// let clipia = Clipia::builder().key("clipia_test_0123456789abk3Qz").build()?;
/// let webhooks = clipia.webhooks("whsec_of_the_account")?;
///
/// // Your framework calls this for a POST to the URL that you passed to `submit`. It returns the HTTP status.
/// let on_post = |headers: HashMap<String, String>, body: &[u8]| match webhooks.receive(headers, body) {
///     Ok(received) => {
///         println!("{} ended, {} waits with it", received.request_id(), received.resolved());
///         204
///     }
///     Err(refusal) => {
///         eprintln!("webhook refused: {refusal}"); // for your log; the sender learns nothing
///         400
///     }
/// };
/// # let body = br#"{ "request_id": "0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de", "status": "OK",
/// #     "payload": { "model": "nano-banana-2", "output": {}, "cost": 12 } }"#;
/// # let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
/// # let genuine = clipia::webhook::sign(["whsec_of_the_account"], now, body);
/// # let forged = clipia::webhook::sign(["a bold guess"], now, body);
/// # for (signature, status) in [(genuine, 204), (forged, 400)] {
/// #     assert_eq!(on_post([("X-Clipia-Signature".to_owned(), signature)].into(), body), status);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// With the feature `axum` that is one line:
///
#[cfg_attr(feature = "axum", doc = "```no_run")]
#[cfg_attr(not(feature = "axum"), doc = "```ignore")]
/// use axum::Router;
/// use clipia::{Clipia, json};
///
/// # async fn teach(secret: String) -> Result<(), Box<dyn std::error::Error>> {
/// let clipia = Clipia::from_env()?;
/// let app = Router::new().route("/clipia", clipia.webhooks(secret)?.into_route());
/// let listener = tokio::net::TcpListener::bind("0.0.0.0:8000").await?;
/// tokio::spawn(async move { axum::serve(listener, app).await });
///
/// let fox = clipia.submit("nano-banana-2", json!({ "prompt": "a red fox in snow" }))
///     .webhook("https://example.com/clipia")
///     .await?;
/// fox.wait().await?.completed()?.download("out").await?; // ends with the delivery
/// # Ok(()) }
/// ```
///
/// **Raw bytes.** The signature is over the body as it was sent. A body that was parsed and written again differs in
/// its spaces or in the order of its keys, and is refused.
///
/// **Signatures.** A delivery is verified by its `X-Clipia-Signature`, or by the headers of Standard Webhooks
/// (`webhook-id`, `webhook-timestamp`, `webhook-signature`), whichever passed the gateway. The latter need a secret
/// of the form `whsec_<base64>`, as Clipia's own server issues.
///
/// **Responses.** Respond with any 2xx within 10 s, once you have stored what you need: the delivery is not sent
/// again. Respond to a refused delivery with 400, without the reason. After any other response the delivery is sent again,
/// up to 6 times.
///
/// **Repeats.** A delivery may arrive more than once, and in any order. The first for a request ends its waits, and
/// further ones change nothing. [`Received::is_duplicate`] says whether this client has *received* it before, in this
/// process. If your own work must be done exactly once, store it under [`Received::request_id`].
///
/// **Early deliveries.** A delivery may overtake the response to the submit. It is kept, and a wait that begins
/// later ends at once without a poll.
///
/// **Rotation.** While an account changes its secret, accept both: `clipia.webhooks(new)?.secret(old)?`.
///
/// **Tests.** `clipia webhooks check URL` sends genuine and forged deliveries to a receiver that runs, and says what it does
/// wrong.
///
/// Clones share everything. Keep one alive for as long as deliveries may arrive: meanwhile the waits of submits with a
/// webhook poll rarely, unless somebody watches their progress.
#[derive(Clone)]
pub struct Webhooks(Arc<Receiver>);

struct Receiver {
    clipia: Clipia,
    verifier: Verifier,
}

impl Receiver {
    fn new(clipia: Clipia, verifier: Verifier) -> Self {
        clipia.0.scheduler.receiver_added();
        Self { clipia, verifier }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.clipia.0.scheduler.receiver_removed();
    }
}

impl Webhooks {
    pub(crate) fn new(clipia: Clipia, secret: String) -> Result<Self, Error> {
        let verifier = Verifier::new([secret]).map_err(refused)?;
        Ok(Self(Arc::new(Receiver::new(clipia, verifier))))
    }

    /// Accepts the signatures of one more secret: during a rotation, the old one.
    ///
    /// # Errors
    /// [`Error::WebhookSecretMissing`] or [`Error::WebhookSecretWeak`].
    pub fn secret(self, secret: impl Into<String>) -> Result<Self, Error> {
        let verifier = self.0.verifier.clone().secret(secret.into()).map_err(refused)?;
        Ok(Self(Arc::new(Receiver::new(self.0.clipia.clone(), verifier))))
    }

    /// Receives one delivery: verifies it, and ends the waits of its generation. It needs no runtime, and takes
    /// microseconds, so the response may wait for it.
    ///
    /// `headers` are pairs of name and value, in text or bytes, names in any case: `&HeaderMap` of the crate `http`,
    /// a `HashMap<String, String>`, a `&[(&str, &str)]`. `body` is the raw bytes.
    ///
    /// # Errors
    /// The [`Refusal`] says why the delivery is not genuine. It changed nothing; respond with 400 without the reason.
    pub fn receive<N, V, H>(
        &self,
        headers: impl IntoIterator<Item = H>,
        body: &[u8],
    ) -> Result<Received, Refusal>
    where
        H: Borrow<(N, V)>,
        N: AsRef<[u8]>,
        V: AsRef<[u8]>,
    {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let (delivery, delivery_id) = read(&self.0.verifier, headers, body, now)?;
        Ok(self.take(delivery, delivery_id))
    }

    /// Records a genuine delivery.
    fn take(&self, delivery: Delivery, delivery_id: Option<Uuid>) -> Received {
        let (clipia, result) = (&self.0.clipia, result_of(&delivery));
        let duplicate = result.status.is_terminal() && !clipia.0.delivered.is_first(&result.request_id);
        // A repeat is passed on, too: if it is so late that the first was forgotten, it may still find a wait.
        let resolved = clipia.0.scheduler.deliver(&result);
        tracing::debug!(
            request_id = %delivery.request_id,
            delivery_id = delivery_id.map(tracing::field::display),
            status = %delivery.status,
            duplicate,
            resolved,
            "webhook received"
        );
        Received { clipia: clipia.clone(), delivery, delivery_id, duplicate, resolved }
    }
}

impl fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhooks")
            .field("clipia", &self.0.clipia)
            .field("verifier", &self.0.verifier)
            .finish()
    }
}

/// A genuine delivery, and its effect.
pub struct Received {
    clipia: Clipia,
    delivery: Delivery,
    delivery_id: Option<Uuid>,
    duplicate: bool,
    resolved: usize,
}

impl Received {
    /// The id of the generation.
    pub fn request_id(&self) -> &RequestId {
        &self.delivery.request_id
    }

    /// The delivery as it was sent.
    pub fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    /// The id of the delivery, the same for each attempt. Use it for logs only: `X-Clipia-Webhook-Id` is not signed.
    pub fn delivery_id(&self) -> Option<Uuid> {
        self.delivery_id
    }

    /// Whether this client has received the end of this generation before. It remembers the latest hundred thousand.
    ///
    /// A duplicate may still need your work: if your work on the first delivery failed and you responded with an error,
    /// the repeat is your second chance.
    pub fn is_duplicate(&self) -> bool {
        self.duplicate
    }

    /// The number of waits and streams of updates that the delivery ended.
    pub fn resolved(&self) -> usize {
        self.resolved
    }

    /// The outcome of the generation, for a program that does not wait and acts on deliveries alone.
    ///
    /// ```no_run
    /// # async fn teach(received: clipia::Received) -> Result<(), clipia::Error> {
    /// received.outcome()?.completed()?.download("out").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::DeliveryInconclusive`] if a newer server sends a status that this version does not know. Ask for the
    /// result then, as waits do.
    pub fn outcome(&self) -> Result<Outcome, Error> {
        Outcome::of(&self.clipia, result_of(&self.delivery)).map_err(|_| Error::DeliveryInconclusive {
            request_id: self.request_id().clone(),
            status: self.delivery.status.to_string(),
        })
    }
}

/// Leaves the output out: the URLs of files may hold a signature.
impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("request_id", &format_args!("{}", self.delivery.request_id))
            .field("status", &format_args!("{}", self.delivery.status))
            .field("duplicate", &self.duplicate)
            .field("resolved", &self.resolved)
            .finish_non_exhaustive()
    }
}

fn refused(refused: SecretRefused) -> Error {
    match refused {
        SecretRefused::Weak => Error::WebhookSecretWeak,
        _ => Error::WebhookSecretMissing,
    }
}

/// The delivery and its id, if it is genuine at `now` (Unix seconds).
fn read<N, V, H>(
    verifier: &Verifier,
    headers: impl IntoIterator<Item = H>,
    body: &[u8],
    now: u64,
) -> Result<(Delivery, Option<Uuid>), Refusal>
where
    H: Borrow<(N, V)>,
    N: AsRef<[u8]>,
    V: AsRef<[u8]>,
{
    let headers = DeliveryHeaders::read(headers);
    let delivery = verifier.verify_headers(&headers, body, now)?;
    Ok((delivery, headers.delivery_id().and_then(|id| Uuid::try_parse(id).ok())))
}

/// The result in a delivery. Its status is terminal only if this version can read the whole result: an unreadable end
/// must not pass for an empty success.
fn result_of(delivery: &Delivery) -> ResultResponse {
    let mut result = ResultResponse::new(delivery.request_id.clone(), status_of(delivery));
    result.extra.clone_from(&delivery.extra);
    match (&result.status, &delivery.payload) {
        (Status::Completed, Some(payload)) => {
            result.model.clone_from(&payload.model);
            result.output.clone_from(&payload.output);
            result.cost = payload.cost;
            result.extra.extend(payload.extra.clone());
        }
        (Status::Failed | Status::Canceled, _) => {
            result.error.clone_from(&delivery.error);
            // The credits were returned (`contract.md`, "Endpoints").
            result.cost = Some(Credits::ZERO);
        }
        _ => {}
    }
    result
}

/// The status of the generation in a delivery. Some deliveries use a status of the API in place of `OK` and `ERROR`.
fn status_of(delivery: &Delivery) -> Status {
    let status = match &delivery.status {
        WebhookStatus::Ok => Status::Completed,
        WebhookStatus::Error => Status::Failed,
        other => other.as_str().into(),
    };
    let has_output = delivery.payload.as_ref().is_some_and(|payload| payload.output.is_some());
    if status == Status::Completed && !has_output {
        return Status::Unknown(delivery.status.to_string());
    }
    status
}
