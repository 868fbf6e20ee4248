//! `Webhooks` and `verify_signature`.

use crate::delivery::Delivery;
use crate::exceptions::{raise, refused};
use crate::session::Session;
use clipia::webhook::{DeliveryHeaders, SIGNATURE_HEADER, SecretRefused, Verifier};
use clipia::{Generation, Received};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyDict, PyString};
use std::time::{SystemTime, UNIX_EPOCH};

/// Takes the deliveries of webhooks, and ends the waits of its client with them; `Clipia.webhooks`.
///
/// Keep it for as long as deliveries may arrive: while it is there, a wait for what was submitted with a
/// `webhook_url` leaves off asking. `asgi`, `flask` and `django` make the receivers; `receive` serves any other.
#[pyclass(frozen, module = "clipia_queue")]
pub(crate) struct Webhooks(Attached);

impl Webhooks {
    pub(crate) fn new(attached: Attached) -> Self {
        Self(attached)
    }
}

#[pymethods]
impl Webhooks {
    /// Takes one delivery: verifies it, ends the waits of its generation, and returns it.
    ///
    /// `headers` is any mapping, or pairs of name and value, in text or bytes, whatever the case of the names; `body`
    /// is the raw body as it arrived. It takes microseconds. Raises a `WebhookRefused` where the delivery is not to be
    /// believed; answer that with 400, without the reason, and anything else with 204.
    fn receive(&self, headers: &Bound<'_, PyAny>, body: RawBody) -> PyResult<Delivery> {
        self.0.receive(headers, &body).map(Delivery::new)
    }

    /// An ASGI application for the address of the webhook: a route of Starlette's or FastAPI's, or all of a server.
    ///
    /// `on_delivery` is called with each `Delivery` that is genuine, repeats included: a coroutine function in the
    /// event loop, any other function in a thread. What it raises makes the answer 500, and the delivery come again.
    #[pyo3(signature = (on_delivery = None))]
    fn asgi<'py>(
        slf: &Bound<'py, Self>,
        on_delivery: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        receiver(slf, "Asgi", on_delivery)
    }

    /// A view function of Flask's, for the method POST.
    ///
    /// `on_delivery` is called with each `Delivery` that is genuine, repeats included. What it raises makes the answer
    /// 500, and the delivery come again.
    #[pyo3(signature = (on_delivery = None))]
    fn flask<'py>(
        slf: &Bound<'py, Self>,
        on_delivery: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        receiver(slf, "flask", on_delivery)
    }

    /// A view of Django's, exempt from CSRF protection; an async one where `on_delivery` is a coroutine function.
    ///
    /// `on_delivery` is called with each `Delivery` that is genuine, repeats included. What it raises makes the answer
    /// 500, and the delivery come again.
    #[pyo3(signature = (on_delivery = None))]
    fn django<'py>(
        slf: &Bound<'py, Self>,
        on_delivery: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        receiver(slf, "django", on_delivery)
    }

    fn __repr__(&self) -> String {
        self.0.repr("Webhooks")
    }
}

/// What takes deliveries on behalf of a client.
pub(crate) struct Attached {
    webhooks: clipia::Webhooks,
    clipia: clipia::Clipia,
}

impl Attached {
    /// Of the secrets each is accepted.
    pub(crate) fn new(
        py: Python<'_>,
        session: &Session,
        secret: String,
        others: Vec<String>,
    ) -> PyResult<Self> {
        let clipia = session.clipia()?;
        let first = clipia.webhooks(secret);
        let webhooks =
            first.and_then(|webhooks| others.into_iter().try_fold(webhooks, clipia::Webhooks::secret));
        Ok(Self { webhooks: webhooks.map_err(|error| raise(py, error))?, clipia })
    }

    /// A delivery that is genuine, with a handle on its generation.
    pub(crate) fn receive(
        &self,
        headers: &Bound<'_, PyAny>,
        body: &RawBody,
    ) -> PyResult<(Received, Generation)> {
        let received = self.webhooks.receive(pairs(headers)?, body.0.bytes());
        let received = received.map_err(|refusal| refused(&refusal))?;
        let generation = self.clipia.generation(received.request_id());
        Ok((received, generation))
    }

    pub(crate) fn repr(&self, class: &str) -> String {
        format!("{class}(base_url='{}')", self.clipia.base_url())
    }
}

/// What `clipia_queue._receivers` makes for a framework.
pub(crate) fn receiver<'py, T: pyo3::PyClass>(
    webhooks: &Bound<'py, T>,
    framework: &str,
    on_delivery: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    webhooks.py().import("clipia_queue._receivers")?.getattr(framework)?.call1((webhooks, on_delivery))
}

/// The body of a delivery as it arrived.
#[derive(FromPyObject)]
#[pyo3(transparent)]
pub(crate) struct RawBody(Bytes);

/// The headers that are text or bytes, from a mapping or from pairs. Frameworks put others beside them.
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
/// `headers` is any mapping, whatever the case of its names; `body` is the raw body as it arrived. Never raises: what
/// cannot be verified is not genuine. With a secret that is empty or shorter than 8 characters beside `whsec_` nothing
/// is genuine, and the logger `clipia_queue.webhooks` has a warning.
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

/// The proof that a delivery is genuine. Whatever is wrong with what was passed, or with reading it, there is none.
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
            // What logging raises has nowhere to go.
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
    // Its own signature alone, in the spelling of ASGI and with it of most frameworks, needs no look at the others.
    if let Some(signature) = signature(headers)
        && verifier.check(signature.text().unwrap_or_default(), body.bytes(), now).is_ok()
    {
        return Some(());
    }
    // Only a mapping, as the vendor's package takes it.
    headers.getattr_opt(intern!(headers.py(), "items")).ok()??;
    let headers = DeliveryHeaders::read(pairs(headers).ok()?);
    verifier.check_headers(&headers, body.bytes(), now).ok()
}

/// Says in the log why nothing is genuine.
fn warn(py: Python<'_>, refused: SecretRefused) -> PyResult<()> {
    let logger = py.import("logging")?.call_method1("getLogger", ("clipia_queue.webhooks",))?;
    logger.call_method1("warning", ("no delivery is genuine: %s", refused.to_string()))?;
    Ok(())
}

/// Text or bytes: frameworks pass either.
pub(crate) enum Bytes {
    Text(PyBackedStr),
    Raw(PyBackedBytes),
}

/// By hand: a derived one takes all bytes for text first, and words an exception before it thinks better of it.
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

/// Whole seconds of a number that is not negative.
fn seconds(number: &Bound<'_, PyAny>) -> Option<u64> {
    let number: f64 = number.extract().ok()?;
    (number >= 0.0).then_some(number as u64)
}

/// The value of the signature header in a plain `dict` that has its name in lower case.
fn signature(headers: &Bound<'_, PyAny>) -> Option<Bytes> {
    let dict = headers.cast_exact::<PyDict>().ok()?;
    dict.get_item(intern!(headers.py(), SIGNATURE_HEADER)).ok()??.extract().ok()
}
