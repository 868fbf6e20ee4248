//! `AsyncWebhooks`.

use crate::async_delivery::AsyncDelivery;
use crate::webhooks::{RawBody, Receiver, framework_receiver};
use pyo3::prelude::*;

/// Receives the deliveries of webhooks, and ends the waits of its client with them; `AsyncClipia.webhooks`.
///
/// Keep it for as long as deliveries may arrive: meanwhile a wait for a generation with a `webhook_url` polls rarely.
/// `asgi`, `flask` and `django` make receivers for these frameworks. Use `receive` with any other.
#[pyclass(frozen, module = "clipia_queue")]
pub(crate) struct AsyncWebhooks(Receiver);

impl AsyncWebhooks {
    pub(crate) fn new(receiver: Receiver) -> Self {
        Self(receiver)
    }
}

#[pymethods]
impl AsyncWebhooks {
    /// Receives one delivery: verifies it, ends the waits of its generation, and returns it. There is nothing to await.
    ///
    /// `headers` is any mapping, or pairs of name and value, as text or bytes, with names in any case. `body` is the
    /// raw body as it was received. It takes microseconds. Raises a `WebhookRefused` if the delivery is not genuine:
    /// respond with 400 then, without the reason, and with 204 otherwise.
    fn receive(&self, headers: &Bound<'_, PyAny>, body: RawBody) -> PyResult<AsyncDelivery> {
        self.0.receive(headers, &body).map(AsyncDelivery::new)
    }

    /// An ASGI application for the URL of the webhook: as a route of Starlette or FastAPI, or as a whole server.
    ///
    /// `on_delivery` is called with each genuine `AsyncDelivery`, repeats included: a coroutine function in the
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
    /// `on_delivery` is called with each genuine `AsyncDelivery`, repeats included. If it raises, the response is 500,
    /// and the delivery is sent again.
    #[pyo3(signature = (on_delivery = None))]
    fn flask<'py>(
        slf: &Bound<'py, Self>,
        on_delivery: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        framework_receiver(slf, "flask", on_delivery)
    }

    /// A view for Django, exempt from CSRF protection. It is async if `on_delivery` is a coroutine function.
    ///
    /// `on_delivery` is called with each genuine `AsyncDelivery`, repeats included. If it raises, the response is 500,
    /// and the delivery is sent again.
    #[pyo3(signature = (on_delivery = None))]
    fn django<'py>(
        slf: &Bound<'py, Self>,
        on_delivery: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        framework_receiver(slf, "django", on_delivery)
    }

    fn __repr__(&self) -> String {
        self.0.repr("AsyncWebhooks")
    }
}
