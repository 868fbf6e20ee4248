//! Amounts of credits as Python's numbers.

use clipia::Credits;
use pyo3::IntoPyObject;

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
