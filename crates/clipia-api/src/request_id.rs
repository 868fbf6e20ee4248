//! The id of a request on the wire.

use crate::lenient::is_id;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The id of a request. It never changes. Servers make UUIDs today; to a client an id is an opaque text. Cheap to
/// clone.
///
/// ```
/// use clipia_api::RequestId;
///
/// let id = RequestId::from("0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de");
/// assert_eq!(id.as_str(), id.to_string());
/// assert_eq!(serde_json::from_str::<RequestId>("\"gen_42\"")?, RequestId::from("gen_42"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for RequestId {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for RequestId {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&Self> for RequestId {
    fn from(id: &Self) -> Self {
        id.clone()
    }
}

impl FromStr for RequestId {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.into())
    }
}

impl AsRef<str> for RequestId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({self})")
    }
}

impl Serialize for RequestId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RequestId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        if is_id(&text) {
            return Ok(Self::from(&*text));
        }
        Err(serde::de::Error::custom("an id is a text that is not empty, and not longer than 256 bytes"))
    }
}
