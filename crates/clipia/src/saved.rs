//! Handles as data, for a file or a database.

use clipia_api::types::RequestId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A [`Generation`](crate::Generation) as data. [`Generation::saved`](crate::Generation::saved) makes it, and
/// [`Clipia::resume`](crate::Clipia::resume) takes it, in this process or another.
///
/// ```
/// use clipia::{Clipia, SavedGeneration};
///
/// let written = r#"{
///     "request_id": "0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de",
///     "model": "nano-banana-2",
///     "submitted_at": "2025-08-18T09:30:00Z"
/// }"#;
/// let saved: SavedGeneration = serde_json::from_str(written)?;
/// let clipia = Clipia::builder().key("clipia_test_0123456789abk3Qz").build()?;
/// let fox = clipia.resume(saved.clone()); // then `fox.wait().await`
/// assert_eq!(fox.id().to_string(), "0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de");
/// assert_eq!(fox.saved(), saved);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SavedGeneration {
    /// The id. It is enough to resume.
    pub request_id: RequestId,
    /// The slug of the model, if the handle came from a submit. With the time it lets a wait poll at the right moments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// When the generation was submitted, by this machine's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitted_at: Option<Timestamp>,
}

impl From<RequestId> for SavedGeneration {
    fn from(request_id: RequestId) -> Self {
        Self { request_id, model: None, submitted_at: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_id_alone_is_enough_and_fields_of_a_newer_version_are_ignored() {
        let id = "0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de";
        for written in [json!({ "request_id": id }), json!({ "request_id": id, "of_a_newer_version": [1] })] {
            let saved: SavedGeneration = serde_json::from_value(written).unwrap();
            assert_eq!(saved, SavedGeneration::from(id.parse::<RequestId>().unwrap()));
            assert_eq!(serde_json::to_value(&saved).unwrap(), json!({ "request_id": id }));
        }
        assert!(serde_json::from_value::<SavedGeneration>(json!({ "model": "m" })).is_err());
    }
}
