//! The id of a request, as a queue makes it.

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
