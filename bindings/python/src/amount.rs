//! Amounts of credits as Python's numbers.

use crate::exceptions::ClipiaValueError;
use clipia::Credits;
use pyo3::prelude::*;
use serde::Deserialize;
use serde_json::Value;

/// An `int`, or a `float` where it is a fraction.
#[derive(IntoPyObject)]
pub(crate) enum Amount {
    Whole(u64),
    Fraction(f64),
}

impl From<Credits> for Amount {
    fn from(credits: Credits) -> Self {
        credits.whole().map_or_else(|| Self::Fraction(credits.as_f64()), Self::Whole)
    }
}

/// What a generation may cost, from a number that may have a fraction as costs have.
pub(crate) struct MaxCost(pub(crate) Credits);

impl<'py> FromPyObject<'_, 'py> for MaxCost {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(whole) = object.extract::<u64>() {
            return Ok(Self(whole.into()));
        }
        let number: f64 = object.extract()?;
        let impossible = |_| ClipiaValueError::new_err(format!("{number} is not an amount of credits"));
        Credits::deserialize(Value::from(number)).map(Self).map_err(impossible)
    }
}
