//! `AsyncWebhooks`.

use crate::async_delivery::AsyncDelivery;
use crate::webhooks::{Attached, RawBody, receiver};
use pyo3::prelude::*;

/// Takes the deliveries of webhooks, and ends the waits of its client with them; `AsyncClipia.webhooks`.
///
/// Keep it for as long as deliveries may arrive: while it is there, a wait for what was submitted with a
/// `webhook_url` leaves off asking. `asgi`, `flask` and `django` make the receivers; `receive` serves any other.
#[pyclass(frozen, module = "clipia_queue")]
pub(crate) struct AsyncWebhooks(Attached);

impl AsyncWebhooks {
    pub(crate) fn new(attached: Attached) -> Self {
        Self(attached)
    }
}

#[pymethods]
impl AsyncWebhooks {
    /// Takes one delivery: verifies it, ends the waits of its generation, and returns it. Nothing to await.
    ///
    /// `headers` is any mapping, or pairs of name and value, in text or bytes, whatever the case of the names; `body`
    /// is the raw body as it arrived. It takes microseconds. Raises a `WebhookRefused` where the delivery is not to be
    /// believed; answer that with 400, without the reason, and anything else with 204.
    fn receive(&self, headers: &Bound<'_, PyAny>, body: RawBody) -> PyResult<AsyncDelivery> {
        self.0.receive(headers, &body).map(AsyncDelivery::new)
    }

    /// An ASGI application for the address of the webhook: a route of Starlette's or FastAPI's, or all of a server.
    ///
    /// `on_delivery` is called with each `AsyncDelivery` that is genuine, repeats included: a coroutine function in the
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
    /// `on_delivery` is called with each `AsyncDelivery` that is genuine, repeats included. What it raises makes the
    /// answer 500, and the delivery come again.
    #[pyo3(signature = (on_delivery = None))]
    fn flask<'py>(
        slf: &Bound<'py, Self>,
        on_delivery: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        receiver(slf, "flask", on_delivery)
    }

    /// A view of Django's, exempt from CSRF protection; an async one where `on_delivery` is a coroutine function.
    ///
    /// `on_delivery` is called with each `AsyncDelivery` that is genuine, repeats included. What it raises makes the
    /// answer 500, and the delivery come again.
    #[pyo3(signature = (on_delivery = None))]
    fn django<'py>(
        slf: &Bound<'py, Self>,
        on_delivery: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        receiver(slf, "django", on_delivery)
    }

    fn __repr__(&self) -> String {
        self.0.repr("AsyncWebhooks")
    }
}
