//! One attempt's work.

use crate::program::JobDirectory;
use bytes::Bytes;
use clipia_api::types::Model;
use clipia_queue::{AccountId, RequestId};
use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;

/// One attempt's work: the model and the input.
#[derive(Clone, Debug)]
pub struct Job {
    /// The id of the request.
    pub id: RequestId,
    /// The account of the request.
    pub account: AccountId,
    /// The model.
    pub model: Arc<Model>,
    /// The input, checked and with defaults.
    pub input: Map<String, Value>,
    /// The URL of the server, as the submit named it.
    pub base_url: String,
    /// The encoded image that the preparation fetched.
    pub source: Option<Source>,
    /// The directory with the files that the preparation fetched. The input names them by their paths then.
    pub directory: Option<Arc<JobDirectory>>,
}

/// An encoded image. `Debug` shows only its length.
#[derive(Clone)]
pub struct Source(pub Bytes);

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({} bytes)", self.0.len())
    }
}
