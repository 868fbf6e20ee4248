//! Amounts of credits on the wire.

use crate::lenient::FLOAT_EXACT_MAX;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Number;
use std::fmt;
use std::num::NonZeroU32;

/// Millionths in a credit.
const MILLIONTHS: u32 = 1_000_000;

/// A number of credits, never negative, to the millionth. Servers mostly charge whole credits.
///
/// ```
/// use clipia_api::Credits;
///
/// let price: Credits = serde_json::from_str("4.5")?;
/// assert!(price > Credits::new(4) && price < Credits::new(5));
/// assert_eq!((price.to_string(), price.whole(), price.as_f64()), ("4.5".to_owned(), None, 4.5));
/// assert_eq!(price.checked_add(price), Some(Credits::new(9)));
/// assert_eq!(Credits::new(4).checked_sub(price), None);
/// assert_eq!(serde_json::to_string(&Credits::new(12))?, "12");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Credits {
    credits: u64,
    /// The fraction, in millionths of a credit.
    millionths: Option<NonZeroU32>,
}

impl Credits {
    /// No credits.
    pub const ZERO: Self = Self::new(0);

    /// This many credits.
    pub const fn new(credits: u64) -> Self {
        Self { credits, millionths: None }
    }

    /// The amount as a whole number, or `None` if it has a fraction.
    pub const fn whole(self) -> Option<u64> {
        match self.millionths {
            None => Some(self.credits),
            Some(_) => None,
        }
    }

    /// The amount as a whole number, rounded up.
    pub const fn ceil(self) -> u64 {
        match self.millionths {
            None => self.credits,
            Some(_) => self.credits.saturating_add(1),
        }
    }

    /// The amount as a float, fraction included.
    pub fn as_f64(self) -> f64 {
        self.credits as f64 + f64::from(self.fraction()) / f64::from(MILLIONTHS)
    }

    /// The sum, or `None` on overflow.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        Self::of_millionths(self.in_millionths().checked_add(other.in_millionths())?)
    }

    /// The difference, or `None` if `other` is larger.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        Self::of_millionths(self.in_millionths().checked_sub(other.in_millionths())?)
    }

    fn in_millionths(self) -> u128 {
        u128::from(self.credits) * u128::from(MILLIONTHS) + u128::from(self.fraction())
    }

    fn of_millionths(millionths: u128) -> Option<Self> {
        let credits = u64::try_from(millionths / u128::from(MILLIONTHS)).ok()?;
        let rest = u32::try_from(millionths % u128::from(MILLIONTHS)).ok()?;
        Some(Self { credits, millionths: NonZeroU32::new(rest) })
    }

    fn fraction(self) -> u32 {
        self.millionths.map_or(0, NonZeroU32::get)
    }

    /// The amount of a number on the wire; `None` if the number is negative or too large to be exact.
    pub(crate) fn of(number: &Number) -> Option<Self> {
        number.as_u64().map(Self::new).or_else(|| Self::of_float(number.as_f64()?))
    }

    fn of_float(number: f64) -> Option<Self> {
        if !(0.0..=FLOAT_EXACT_MAX).contains(&number) {
            return None;
        }
        let millionths = (number.fract() * f64::from(MILLIONTHS)).round() as u32;
        let (carried, millionths) = (u64::from(millionths / MILLIONTHS), millionths % MILLIONTHS);
        Some(Self { credits: number as u64 + carried, millionths: NonZeroU32::new(millionths) })
    }
}

impl From<u64> for Credits {
    fn from(credits: u64) -> Self {
        Self::new(credits)
    }
}

impl fmt::Display for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fraction() {
            0 => self.credits.fmt(f),
            fraction => f.pad(format!("{}.{fraction:06}", self.credits).trim_end_matches('0')),
        }
    }
}

impl fmt::Debug for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credits({self})")
    }
}

impl Serialize for Credits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.whole() {
            Some(credits) => serializer.serialize_u64(credits),
            None => serializer.serialize_f64(self.as_f64()),
        }
    }
}

impl<'de> Deserialize<'de> for Credits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Number::deserialize(deserializer)?;
        Self::of(&number)
            .ok_or_else(|| serde::de::Error::custom(format!("{number} is not an amount of credits")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_exactly_or_not_at_all() {
        for (text, read) in [
            ("0", Some("0")),
            ("12", Some("12")),
            ("5.0", Some("5")),
            ("4.5", Some("4.5")),
            ("0.1", Some("0.1")),
            ("0.9999999", Some("1")),
            ("1e3", Some("1000")),
            ("18446744073709551615", Some("18446744073709551615")),
            ("1e300", None),
            ("-1", None),
            ("-0.5", None),
            ("\"5\"", None),
        ] {
            let credits = serde_json::from_str::<Credits>(text).ok();
            assert_eq!(credits.map(|credits| credits.to_string()).as_deref(), read, "{text}");
            if let Some(credits) = credits {
                let written = serde_json::to_string(&credits).unwrap();
                assert_eq!(serde_json::from_str::<Credits>(&written).unwrap(), credits, "{text}");
            }
        }
    }
}
