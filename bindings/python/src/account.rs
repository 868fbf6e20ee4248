//! `AccountResource` and `AsyncAccountResource`.

use crate::document;
use crate::session::Session;
use crate::style::{Answer, Asyncio, Blocking, Style};
use pyo3::prelude::*;

macro_rules! account_resource {
    ($Class:ident, $Style:ident) => {
        /// The account of the key; `account` of a client.
        #[pyclass(frozen, module = "clipia_queue")]
        pub(crate) struct $Class(Session);

        impl $Class {
            pub(crate) fn new(session: Session) -> Self {
                Self(session)
            }
        }

        #[pymethods]
        impl $Class {
            /// The credits of the account, and its recent usage.
            fn get<'py>(&self, py: Python<'py>) -> PyResult<Answer<'py, $Style, Py<PyAny>>> {
                $Style::call(py, self.0.account()?, |py, account| document::of(py, &account))
            }
        }
    };
}

account_resource!(AccountResource, Blocking);
account_resource!(AsyncAccountResource, Asyncio);
