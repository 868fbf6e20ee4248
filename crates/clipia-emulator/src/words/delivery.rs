//! How the delivery of a request goes wrong.

use crate::duration;
use clipia_queue::suggestion::nearest;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How the delivery of a request goes wrong: `twice`, `late:10s`, and so on. The default goes right.
///
/// ```
/// use clipia_emulator::words::{Delivery, DeliveryTime};
/// use std::time::Duration;
///
/// let delivery: Delivery = "twice,late:10s".parse()?;
/// assert!(delivery.twice);
/// assert_eq!(delivery.time, DeliveryTime::Late(Duration::from_secs(10)));
/// assert!("never,twice".parse::<Delivery>().is_err());
/// # Ok::<(), clipia_emulator::words::DeliveryError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// `twice`: it comes again after the receiver has accepted it.
    pub twice: bool,
    /// When it comes.
    pub time: DeliveryTime,
    /// How it is signed.
    pub signature: DeliverySignature,
    /// What its body is.
    pub body: DeliveryBody,
    /// `slow`: one byte of its body a second.
    pub slow: bool,
}

/// When a delivery comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeliveryTime {
    /// When the request has ended.
    #[default]
    AtTheEnd,
    /// `never`: it is lost.
    Never,
    /// `late:10s`: so long after the end, by the emulator's clock.
    Late(Duration),
    /// `early`: before the status says that the request has ended.
    Early,
}

/// How a delivery is signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeliverySignature {
    /// With the secret, now.
    #[default]
    Good,
    /// `forged`: with another secret.
    Forged,
    /// `stale`: with the secret, ten minutes ago.
    Stale,
    /// `rotated`: with the old secret and the new one, as two `v1`.
    Rotated,
}

/// What the body of a delivery is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeliveryBody {
    /// The outcome of the request.
    #[default]
    Good,
    /// `unknown`: the outcome, with a `status` that receivers do not know.
    Unknown,
    /// `garbage`: no JSON.
    Garbage,
    /// `huge`: the outcome, and 5 MB of padding.
    Huge,
}

/// Why a text is no [`Delivery`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// There is no such way.
    #[error(
        "there is no `{word}`{}; there is `twice`, `never`, `late:10s`, `early`, `forged`, `stale`, `rotated`, `unknown`, `garbage`, \
         `huge` and `slow`",
        .meant.map(|meant| format!(": did you mean `{meant}`?")).unwrap_or_default()
    )]
    Unknown {
        /// The text, without what a message does not repeat.
        word: String,
        /// The way that was most likely meant.
        meant: Option<&'static str>,
    },
    /// Two ways exclude each other.
    #[error("`{0}` and `{1}` exclude each other: take one away")]
    Contradiction(&'static str, &'static str),
}

/// The ways by name, without the duration of `late`.
const WAYS: [&str; 11] =
    ["twice", "never", "late", "early", "forged", "stale", "rotated", "unknown", "garbage", "huge", "slow"];

/// The ways of which a delivery has at most one.
const EXCLUSIVE: [&[&str]; 4] = [
    &["never", "late", "early"],
    &["forged", "stale", "rotated"],
    &["unknown", "garbage", "huge"],
    // Five million bytes would take two months.
    &["huge", "slow"],
];

/// The most characters of a way that a message repeats.
const SHOWN_CHARACTERS_MAX: usize = 30;

impl Delivery {
    /// The ways in which it goes wrong, by name.
    fn ways(&self) -> Vec<&'static str> {
        let time = match self.time {
            DeliveryTime::AtTheEnd => None,
            DeliveryTime::Never => Some("never"),
            DeliveryTime::Late(_) => Some("late"),
            DeliveryTime::Early => Some("early"),
        };
        let signature = match self.signature {
            DeliverySignature::Good => None,
            DeliverySignature::Forged => Some("forged"),
            DeliverySignature::Stale => Some("stale"),
            DeliverySignature::Rotated => Some("rotated"),
        };
        let body = match self.body {
            DeliveryBody::Good => None,
            DeliveryBody::Unknown => Some("unknown"),
            DeliveryBody::Garbage => Some("garbage"),
            DeliveryBody::Huge => Some("huge"),
        };
        let (twice, slow) = (self.twice.then_some("twice"), self.slow.then_some("slow"));
        [twice, time, signature, body, slow].into_iter().flatten().collect()
    }

    /// Adds a way.
    fn add(&mut self, word: &str) -> Result<(), DeliveryError> {
        let (name, argument) = word.split_once(':').map_or((word, None), |(name, of)| (name, Some(of)));
        let late = argument.and_then(duration::parse);
        let known = WAYS.into_iter().find(|way| *way == name);
        let known = known.filter(|way| if *way == "late" { late.is_some() } else { argument.is_none() });
        let Some(way) = known else {
            let word = word.chars().take(SHOWN_CHARACTERS_MAX).collect();
            let meant = nearest(WAYS, name).map(|meant| if meant == "late" { "late:10s" } else { meant });
            return Err(DeliveryError::Unknown { word, meant });
        };
        for other in self.ways() {
            // A lost delivery goes wrong in no other way.
            let excludes = other == way
                || [other, way].contains(&"never")
                || EXCLUSIVE.iter().any(|group| group.contains(&other) && group.contains(&way));
            if excludes {
                return Err(DeliveryError::Contradiction(other, way));
            }
        }
        match way {
            "twice" => self.twice = true,
            "never" => self.time = DeliveryTime::Never,
            "late" => self.time = DeliveryTime::Late(late.unwrap_or_default()),
            "early" => self.time = DeliveryTime::Early,
            "forged" => self.signature = DeliverySignature::Forged,
            "stale" => self.signature = DeliverySignature::Stale,
            "rotated" => self.signature = DeliverySignature::Rotated,
            "unknown" => self.body = DeliveryBody::Unknown,
            "garbage" => self.body = DeliveryBody::Garbage,
            "huge" => self.body = DeliveryBody::Huge,
            _ => self.slow = true,
        }
        Ok(())
    }
}

impl FromStr for Delivery {
    type Err = DeliveryError;

    fn from_str(text: &str) -> Result<Self, DeliveryError> {
        let mut delivery = Self::default();
        text.split(',').try_for_each(|word| delivery.add(word))?;
        Ok(delivery)
    }
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = |way: &'static str| match self.time {
            DeliveryTime::Late(by) if way == "late" => format!("late:{}", duration::shown(by)),
            _ => way.to_owned(),
        };
        f.write_str(&self.ways().into_iter().map(way).collect::<Vec<_>>().join(","))
    }
}
