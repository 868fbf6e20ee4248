//! The response with a file or with a part of it, whichever file it is.

use super::conditions::{self, Selected, Validators};
use crate::api_error::ApiError;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use std::ops::Range;

/// The part of a file that a call gets.
pub(crate) struct FileResponse {
    validators: Validators,
    selected: Selected,
    sent: Range<u64>,
    /// Whether the body goes with the head.
    has_body: bool,
}

impl FileResponse {
    /// What a call with these headers gets of a file.
    ///
    /// # Errors
    /// The response to a call that gets nothing of it.
    // A boxed response would cost each call for a file an allocation.
    #[allow(clippy::result_large_err)]
    pub(crate) fn to(method: &Method, headers: &HeaderMap, validators: Validators) -> Result<Self, Response> {
        let (selected, length) = (conditions::select(method, headers, &validators), validators.length);
        let sent = match &selected {
            Selected::Whole => 0..length,
            Selected::Part(part) => *part.start()..*part.end() + 1,
            Selected::NotModified => 0..0,
            Selected::ConditionFailed => {
                let refused = ApiError::invalid(
                    "the file is not the one that `If-Match` or `If-Unmodified-Since` names",
                );
                return Err(refused.with_status(StatusCode::PRECONDITION_FAILED).into_response());
            }
            Selected::Unsatisfiable => {
                let refused =
                    ApiError::invalid(format!("the file has {length} bytes, and none of this `Range`"));
                let total = [(header::CONTENT_RANGE, format!("bytes */{length}"))];
                return Err((total, refused.with_status(StatusCode::RANGE_NOT_SATISFIABLE)).into_response());
            }
        };
        Ok(Self { validators, selected, sent, has_body: *method != Method::HEAD })
    }

    /// The bytes of the file that the body has.
    pub(crate) fn body(&self) -> Range<u64> {
        if self.has_body { self.sent.clone() } else { 0..0 }
    }

    /// The response, with `body` for the bytes of [`FileResponse::body`].
    pub(crate) fn with(self, content_type: HeaderValue, body: Body) -> Response {
        let Self { validators, selected, sent, .. } = self;
        let mut response = Response::new(body);
        *response.status_mut() = selected.status();
        let headers = response.headers_mut();
        headers.insert(header::ETAG, validators.etag);
        if selected == Selected::NotModified {
            return response;
        }
        headers.insert(header::CONTENT_TYPE, content_type);
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(sent.end - sent.start));
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        let modified = validators.modified.map(httpdate::fmt_http_date);
        if let Some(modified) = modified.and_then(|date| HeaderValue::try_from(date).ok()) {
            headers.insert(header::LAST_MODIFIED, modified);
        }
        if let Selected::Part(part) = selected {
            let range = format!("bytes {}-{}/{}", part.start(), part.end(), validators.length);
            // Digits are always a valid header value.
            if let Ok(range) = HeaderValue::try_from(range) {
                headers.insert(header::CONTENT_RANGE, range);
            }
        }
        response
    }
}
