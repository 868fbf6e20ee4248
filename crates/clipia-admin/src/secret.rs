//! A secret on its way to the operator.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A key, a webhook secret or a token. `Debug` does not show it.
///
/// ```
/// use clipia_admin::Secret;
///
/// let secret = Secret::from("whsec_of_somebody".to_owned());
/// assert_eq!(format!("{secret:?}"), "Secret(hidden)");
/// assert_eq!(secret.reveal(), "whsec_of_somebody");
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(secret: String) -> Self {
        Self(secret)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}
