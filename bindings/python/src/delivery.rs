//! `Delivery` and `AsyncDelivery`.

use crate::exceptions::raise;
use crate::files;
use crate::generation_result::{AsyncGenerationResult, GenerationResult};
use crate::handle::Handle;
use crate::live::Live;
use clipia::{Received, printable};
use pyo3::prelude::*;

macro_rules! delivery {
    ($Class:ident, $GenerationResult:ident) => {
        /// A genuine delivery of a webhook, and its effect.
        #[pyclass(frozen, module = "clipia_queue")]
        pub(crate) struct $Class {
            received: Received,
            generation: Live,
        }

        impl $Class {
            pub(crate) fn new((received, generation): (Received, Live)) -> Self {
                Self { received, generation }
            }
        }

        #[pymethods]
        impl $Class {
            /// The id of the generation.
            #[getter]
            fn request_id(&self) -> String {
                self.received.request_id().to_string()
            }

            /// The id of the delivery, the same for each attempt. Use it for logs only, because it is not signed.
            #[getter]
            fn delivery_id(&self) -> Option<String> {
                self.received.delivery_id().map(|id| id.to_string())
            }

            /// Whether this client has received the end of this generation before. A duplicate may still need your work: if
            /// your work on the first delivery failed, the repeat is the second chance.
            #[getter]
            fn is_duplicate(&self) -> bool {
                self.received.is_duplicate()
            }

            /// The number of waits that the delivery ended.
            #[getter]
            fn resolved(&self) -> usize {
                self.received.resolved()
            }

            /// The result of the generation: `COMPLETED` or `FAILED`. The server is not called. Raises `ClipiaError` if a
            /// newer server sends a status that this version does not know; ask for the result then.
            #[getter]
            fn result(&self, py: Python<'_>) -> PyResult<Py<$GenerationResult>> {
                let outcome = self.received.outcome().map_err(|error| raise(py, error))?;
                $GenerationResult::new(py, files::of_outcome(Handle::Live(self.generation.clone()), outcome))
            }

            /// The whole delivery, including fields that this version does not know.
            #[getter]
            fn data<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
                Ok(pythonize::pythonize(py, self.received.delivery())?)
            }

            fn __repr__(&self) -> String {
                repr(stringify!($Class), &self.received)
            }
        }
    };
}

delivery!(Delivery, GenerationResult);
delivery!(AsyncDelivery, AsyncGenerationResult);

/// `Delivery(request_id='…', status='COMPLETED', is_duplicate=False, resolved=1)`.
fn repr(class: &str, received: &Received) -> String {
    let delivery = received.delivery();
    let duplicate = if received.is_duplicate() { "True" } else { "False" };
    let repr = format!(
        "{class}(request_id='{}', status='{}', is_duplicate={duplicate}, resolved={})",
        delivery.request_id,
        delivery.status,
        received.resolved(),
    );
    printable(&repr).into_owned()
}
