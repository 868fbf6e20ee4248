//! Constructors of wire types: the required fields are arguments, every other field is empty.

use crate::types::{Image, InputWarning, OutputFile, ResultResponse, StatusResponse, Video};
use crate::{RequestId, Status};

impl InputWarning {
    /// A warning with this code about this parameter.
    pub fn new(code: &str, parameter: &str, message: String) -> Self {
        Self { code: code.to_owned(), parameter: parameter.to_owned(), message, extra: Default::default() }
    }
}

impl Image {
    /// An image at `url`, with every other field empty.
    pub fn at(url: String) -> Self {
        Self { url, original_url: None, width: None, height: None, seed: None, extra: Default::default() }
    }
}

impl Video {
    /// A clip at `url`, with every other field empty.
    pub fn at(url: String) -> Self {
        Self { url, original_url: None, width: None, height: None, duration: None, extra: Default::default() }
    }
}

impl OutputFile {
    /// A file at `url`, with every other field empty.
    pub fn at(url: String) -> Self {
        Self { url, file_name: None, content_type: None, file_size: None, extra: Default::default() }
    }
}

impl StatusResponse {
    /// The status of `request_id`, with every other field empty.
    pub fn new(request_id: RequestId, status: Status) -> Self {
        Self {
            request_id,
            status,
            queue_position: None,
            progress: None,
            logs: Vec::new(),
            extra: Default::default(),
        }
    }
}

impl ResultResponse {
    /// The result of `request_id`, with every other field empty.
    pub fn new(request_id: RequestId, status: Status) -> Self {
        Self {
            request_id,
            status,
            queue_position: None,
            progress: None,
            model: None,
            output: None,
            error: None,
            cost: None,
            created_at: None,
            completed_at: None,
            expired_at: None,
            extra: Default::default(),
        }
    }
}
