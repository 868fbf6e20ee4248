//! What a call of the control has: its body, its query and the end of its path. A mistake in one is an error as in the API.

use super::{ControlError, impossible};
use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use http::request::Parts;
use serde::de::DeserializeOwned;

/// The JSON of a body.
pub(super) struct Sent<T>(pub(super) T);

/// A query.
pub(super) struct Asked<T>(pub(super) T);

/// The end of a path.
pub(super) struct FromPath<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Sent<T> {
    type Rejection = ControlError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ControlError> {
        let sent = Json::from_request(request, state).await;
        sent.map(|Json(sent)| Self(sent)).map_err(|rejected| impossible(rejected.body_text()))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = ControlError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ControlError> {
        let asked = Query::from_request_parts(parts, state).await;
        asked.map(|Query(asked)| Self(asked)).map_err(|rejected| impossible(rejected.body_text()))
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for FromPath<T> {
    type Rejection = ControlError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ControlError> {
        let named = Path::from_request_parts(parts, state).await;
        named.map(|Path(named)| Self(named)).map_err(|rejected| impossible(rejected.body_text()))
    }
}
