//! Amounts of credits, as the books of a queue have them.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A whole, never negative number of credits. The wire also has fractions ([`clipia_api::Credits`]), which this queue
/// never charges.
///
/// Arithmetic is checked, so that an amount can neither wrap nor go below nothing.
///
/// ```
/// use clipia_queue::Credits;
///
/// let price = Credits::new(120);
/// assert_eq!(Credits::new(35).checked_sub(price), None);
/// assert_eq!(price.to_string(), "120");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Credits(u64);

impl Credits {
    /// No credits.
    pub const ZERO: Self = Self(0);

    /// This many credits.
    pub const fn new(credits: u64) -> Self {
        Self(credits)
    }

    /// As a bare number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The sum, or `None` where it would not fit.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// What is left, or `None` where `other` is more than this.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(rest) => Some(Self(rest)),
            None => None,
        }
    }
}

impl From<u64> for Credits {
    fn from(credits: u64) -> Self {
        Self(credits)
    }
}

impl fmt::Display for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Credits> for clipia_api::Credits {
    fn from(credits: Credits) -> Self {
        Self::new(credits.0)
    }
}
