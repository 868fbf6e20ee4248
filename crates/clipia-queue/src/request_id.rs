//! The id of a request, as a queue makes it.

use crate::Moment;
use clipia_api::RequestId as WireId;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// Names one request, for ever: a UUID. Clients take it for an opaque text ([`clipia_api::RequestId`]).
///
/// ```
/// use clipia_queue::RequestId;
///
/// let id = RequestId::generate();
/// assert_eq!(id.to_string().parse(), Ok(id));
/// assert!("another id".parse::<RequestId>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub Uuid);

impl RequestId {
    /// A new id. Ids made later sort later.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// When the id was made, by the clock that it was made by, less a part of a millisecond; none where it is not of
    /// version 7.
    pub fn made_at(self) -> Option<Moment> {
        let (seconds, nanos) = self.0.get_timestamp()?.to_unix();
        let millis = seconds.checked_mul(1_000)?.checked_add(u64::from(nanos) / 1_000_000)?;
        Some(Moment::from_micros(i64::try_from(millis.checked_mul(1_000)?).ok()?))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RequestId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

impl From<RequestId> for WireId {
    fn from(id: RequestId) -> Self {
        let mut text = Uuid::encode_buffer();
        Self::from(&*id.0.hyphenated().encode_lower(&mut text))
    }
}
