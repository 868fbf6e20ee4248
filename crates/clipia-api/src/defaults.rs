//! Constructors of wire types: the required fields are arguments, every other field is empty.

use crate::types::{
    GenerationError, Image, InputWarning, OutputFile, ResultResponse, StatusResponse, Upload, Video,
    WebhookDelivery, WebhookPayload,
};
use crate::{RequestId, Status, WebhookStatus};

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

impl Upload {
    /// An upload at `url`, with every other field empty.
    pub fn at(url: String) -> Self {
        Self {
            url,
            file_name: None,
            content_type: None,
            file_size: None,
            expires_at: None,
            extra: Default::default(),
        }
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

impl WebhookDelivery {
    /// The delivery of a generation that has an output.
    pub fn completed(request_id: RequestId, payload: WebhookPayload) -> Self {
        Self { payload: Some(payload), ..Self::of(request_id, WebhookStatus::Ok) }
    }

    /// The delivery of a generation that has none.
    pub fn failed(request_id: RequestId, error: GenerationError) -> Self {
        Self { error: Some(error), ..Self::of(request_id, WebhookStatus::Error) }
    }

    /// The delivery of `request_id` with this status, with every other field empty.
    pub fn of(request_id: RequestId, status: WebhookStatus) -> Self {
        Self { request_id, status, payload: None, error: None, extra: Default::default() }
    }
}
