//! `Webhooks`, `AsyncWebhooks` and `verify_signature`.

use crate::delivery::{AsyncDelivery, Delivery};
use crate::exceptions::{raise, refused};
use crate::live::Live;
use crate::process_client::ProcessClient;
use crate::session::Session;
use clipia::Received;
use clipia::webhook::{DeliveryHeaders, SIGNATURE_HEADER, SecretRefused, Verifier};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyDict, PyString};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

macro_rules! webhooks {
    ($Class:ident, $Delivery:ident) => {
        /// Receives the deliveries of webhooks, and ends the waits of its client with them; `webhooks` of a client.
        ///
        /// Keep it for as long as deliveries may arrive: meanwhile a wait for a generation with a `webhook_url` polls rarely.
        /// `asgi`, `flask` and `django` make receivers for these frameworks. Use `receive` with any other.
        #[pyclass(frozen, module = "clipia_queue")]
        pub(crate) struct $Class(Receiver);

        impl $Class {
            pub(crate) fn new(receiver: Receiver) -> Self {
                Self(receiver)
            }
        }

        #[pymethods]
        impl $Class {
            /// Receives one delivery: verifies it, ends the waits of its generation, and returns it. There is
            /// nothing to await.
            ///
            /// `headers` is any mapping, or pairs of name and value, as text or bytes, with names in any case. `body` is the
            /// raw body as it was received. It takes microseconds. Raises a `WebhookRefused` if the delivery is not genuine:
            /// respond with 400 then, without the reason, and with 204 otherwise.
            fn receive(&self, headers: &Bound<'_, PyAny>, body: RawBody) -> PyResult<$Delivery> {
                self.0.receive(headers, &body).map($Delivery::new)
            }

            /// An ASGI application for the URL of the webhook: as a route of Starlette or FastAPI, or as a whole server.
            ///
            /// `on_delivery` is called with each genuine delivery, repeats included: a coroutine function in the
            /// event loop, any other function in a thread. If it raises, the response is 500, and the delivery is sent again.
            #[pyo3(signature = (on_delivery = None))]
            fn asgi<'py>(
                slf: &Bound<'py, Self>,
                on_delivery: Option<&Bound<'py, PyAny>>,
            ) -> PyResult<Bound<'py, PyAny>> {
                framework_receiver(slf, "Asgi", on_delivery)
            }

            /// A view function for Flask, for the method POST.
            ///
            /// `on_delivery` is called with each genuine delivery, repeats included. If it raises, the response is 500, and
            /// the delivery is sent again.
            #[pyo3(signature = (on_delivery = None))]
            fn flask<'py>(
                slf: &Bound<'py, Self>,
                on_delivery: Option<&Bound<'py, PyAny>>,
            ) -> PyResult<Bound<'py, PyAny>> {
                framework_receiver(slf, "flask", on_delivery)
            }

            /// A view for Django, exempt from CSRF protection. It is async if `on_delivery` is a coroutine function.
            ///
            /// `on_delivery` is called with each genuine delivery, repeats included. If it raises, the response is 500, and
            /// the delivery is sent again.
            #[pyo3(signature = (on_delivery = None))]
            fn django<'py>(
                slf: &Bound<'py, Self>,
                on_delivery: Option<&Bound<'py, PyAny>>,
            ) -> PyResult<Bound<'py, PyAny>> {
                framework_receiver(slf, "django", on_delivery)
            }

            fn __repr__(&self) -> String {
                self.0.repr(stringify!($Class))
            }
        }
    };
}

webhooks!(Webhooks, Delivery);
webhooks!(AsyncWebhooks, AsyncDelivery);

/// A receiver of the SDK, with its client.
pub(crate) struct Receiver {
    webhooks: clipia::Webhooks,
    clipia: clipia::Clipia,
    client: Arc<ProcessClient>,
}

impl Receiver {
    /// A receiver that accepts the signatures of each secret.
    pub(crate) fn new(
        py: Python<'_>,
        session: &Session,
        secret: String,
        others: Vec<String>,
    ) -> PyResult<Self> {
        let (client, clipia) = (session.client()?, session.clipia()?);
        let first = clipia.webhooks(secret);
        let webhooks =
            first.and_then(|webhooks| others.into_iter().try_fold(webhooks, clipia::Webhooks::secret));
        Ok(Self { webhooks: webhooks.map_err(|error| raise(py, error))?, clipia, client })
    }

    /// Receives a genuine delivery. Returns it with a handle on its generation.
    fn receive(&self, headers: &Bound<'_, PyAny>, body: &RawBody) -> PyResult<(Received, Live)> {
        let received = self.webhooks.receive(pairs(headers)?, body.0.bytes());
        let received = received.map_err(|refusal| refused(&refusal))?;
        let generation = self.clipia.generation(received.request_id());
        Ok((received, Live::new(self.client.clone(), generation)))
    }

    fn repr(&self, class: &str) -> String {
        format!("{class}(base_url='{}')", self.clipia.base_url())
    }
}

/// The receiver of `clipia_queue._receivers` for a framework.
fn framework_receiver<'py, T: pyo3::PyClass>(
    webhooks: &Bound<'py, T>,
    framework: &str,
    on_delivery: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    webhooks.py().import("clipia_queue._receivers")?.getattr(framework)?.call1((webhooks, on_delivery))
}

/// The body of a delivery as it was received.
#[derive(FromPyObject)]
#[pyo3(transparent)]
pub(crate) struct RawBody(Bytes);

/// The headers of a mapping or of pairs. Only text and bytes count, because frameworks add other objects.
fn pairs(headers: &Bound<'_, PyAny>) -> PyResult<Vec<(Bytes, Bytes)>> {
    let items = match headers.getattr_opt("items")? {
        Some(items) => items.call0()?,
        None => headers.clone(),
    };
    items.try_iter()?.filter_map(|item| item.map(|item| item.extract().ok()).transpose()).collect()
}

/// Whether a webhook delivery is genuine: signed with `secret`, no more than `tolerance_seconds` from `now` (Unix
/// seconds, the present unless given), in `X-Clipia-Signature` or as Standard Webhooks sign.
///
/// `headers` is any mapping, with names in any case. `body` is the raw body as it was received. Never raises: a
/// delivery that cannot be verified is not genuine. If the secret is empty or shorter than 8 characters besides
/// `whsec_`, no delivery is genuine, and the logger `clipia_queue.webhooks` gets a warning.
#[pyfunction]
#[pyo3(
    signature = (secret, headers, body, *, tolerance_seconds = None, now = None),
    text_signature = "(secret, headers, body, *, tolerance_seconds=300, now=None)"
)]
pub(crate) fn verify_signature(
    secret: &Bound<'_, PyAny>,
    headers: &Bound<'_, PyAny>,
    body: &Bound<'_, PyAny>,
    tolerance_seconds: Option<&Bound<'_, PyAny>>,
    now: Option<&Bound<'_, PyAny>>,
) -> bool {
    verify(secret, headers, body, tolerance_seconds, now).is_some()
}

/// `Some` if a delivery is genuine. `None` also for arguments that are wrong or cannot be read.
fn verify(
    secret: &Bound<'_, PyAny>,
    headers: &Bound<'_, PyAny>,
    body: &Bound<'_, PyAny>,
    tolerance_seconds: Option<&Bound<'_, PyAny>>,
    now: Option<&Bound<'_, PyAny>>,
) -> Option<()> {
    let (secret, body) = (secret.extract::<Bytes>().ok()?, body.extract::<Bytes>().ok()?);
    let mut verifier = match Verifier::new([secret.text()?]) {
        Ok(verifier) => verifier,
        Err(refused) => {
            // An exception of logging cannot be raised here.
            let _ = warn(headers.py(), refused);
            return None;
        }
    };
    if let Some(tolerance) = tolerance_seconds {
        verifier = verifier.tolerance(seconds(tolerance)?);
    }
    let now = match now {
        Some(now) => seconds(now)?,
        None => SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs(),
    };
    // The fast path: the `X-Clipia-Signature` alone, in the lower case of ASGI and of most frameworks.
    if let Some(signature) = signature(headers)
        && verifier.check(signature.text().unwrap_or_default(), body.bytes(), now).is_ok()
    {
        return Some(());
    }
    // Only a mapping is accepted, as by the vendor's package.
    headers.getattr_opt(intern!(headers.py(), "items")).ok()??;
    let headers = DeliveryHeaders::read(pairs(headers).ok()?);
    verifier.check_headers(&headers, body.bytes(), now).ok()
}

/// Logs why no delivery is genuine.
fn warn(py: Python<'_>, refused: SecretRefused) -> PyResult<()> {
    let logger = py.import("logging")?.call_method1("getLogger", ("clipia_queue.webhooks",))?;
    logger.call_method1("warning", ("no delivery is genuine: %s", refused.to_string()))?;
    Ok(())
}

/// Text or bytes, because frameworks pass either.
pub(crate) enum Bytes {
    Text(PyBackedStr),
    Raw(PyBackedBytes),
}

/// Written by hand, because a derived implementation tries text first and makes an exception for all bytes.
impl<'py> FromPyObject<'_, 'py> for Bytes {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match object.cast::<PyString>() {
            Ok(_) => object.extract().map(Self::Text),
            Err(_) => object.extract().map(Self::Raw).map_err(Into::into),
        }
    }
}

impl Bytes {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Raw(bytes) => bytes,
        }
    }

    fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.bytes()).ok()
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

/// A number that is not negative, in whole seconds.
fn seconds(number: &Bound<'_, PyAny>) -> Option<u64> {
    let number: f64 = number.extract().ok()?;
    (number >= 0.0).then_some(number as u64)
}

/// The value of the signature header in a plain `dict` with its name in lower case.
fn signature(headers: &Bound<'_, PyAny>) -> Option<Bytes> {
    let dict = headers.cast_exact::<PyDict>().ok()?;
    dict.get_item(intern!(headers.py(), SIGNATURE_HEADER)).ok()??.extract().ok()
}
