//! Why there is no page: a status, and a sentence for people.

use crate::api_error::ApiError;
use crate::store::StoreError;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

/// Why there is no page. [`finish`](super::layout::finish) makes a page of it.
#[derive(Clone, Debug)]
pub(crate) struct PageError {
    pub(super) status: StatusCode,
    /// What was wrong, and what to do.
    pub(super) message: String,
}

impl PageError {
    /// There is no such thing.
    pub(super) fn not_found(what: &str) -> Self {
        Self { status: StatusCode::NOT_FOUND, message: format!("There is no such {what}.") }
    }

    /// What was asked for cannot be done.
    pub(super) fn refused(why: impl Into<String>) -> Self {
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, message: why.into() }
    }

    /// It may not be done.
    pub(super) fn forbidden(why: &str) -> Self {
        Self { status: StatusCode::FORBIDDEN, message: why.to_owned() }
    }
}

impl From<ApiError> for PageError {
    fn from(error: ApiError) -> Self {
        Self { status: error.status(), message: error.message().to_owned() }
    }
}

impl From<StoreError> for PageError {
    fn from(error: StoreError) -> Self {
        ApiError::from(error).into()
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
