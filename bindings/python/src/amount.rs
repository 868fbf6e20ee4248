//! Amounts of credits as Python numbers.

use crate::exceptions::ClipiaValueError;
use clipia::Credits;
use pyo3::prelude::*;
use serde::Deserialize;
use serde_json::Value;

/// An `int`, or a `float` if the amount has a fraction.
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

/// The highest price that a caller allows, from a number that may have a fraction.
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
