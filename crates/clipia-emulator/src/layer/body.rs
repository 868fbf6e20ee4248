//! The bodies of calls and responses, as far as the layer reads them.

use crate::Operation;
use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use http::header;
use http::response::Parts;
use serde_json::Value;

/// The longest body of a call that is read, in bytes: longer than what the server takes.
const CALL_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The longest JSON of a response that is read, in bytes.
const RESPONSE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Reads the body of a call. Returns what was read, and the body as it was. The first is empty of a body that is too long, and of
/// one that broke off.
pub(super) async fn read(body: Body) -> (Bytes, Body) {
    let mut chunks = body.into_data_stream();
    let mut read = Vec::new();
    while let Some(chunk) = chunks.next().await {
        match chunk {
            Ok(chunk) => {
                read.extend_from_slice(&chunk);
                if read.len() <= CALL_BYTES_MAX {
                    continue;
                }
                let rest = stream::iter([Ok(Bytes::from(read))]).chain(chunks);
                return (Bytes::new(), Body::from_stream(rest));
            }
            Err(error) => {
                let rest = stream::iter([Ok(Bytes::from(read)), Err(error)]);
                return (Bytes::new(), Body::from_stream(rest));
            }
        }
    }
    let read = Bytes::from(read);
    (read.clone(), Body::from(read))
}

/// A response, with its JSON where the layer looks at it.
pub(super) struct Received {
    pub(super) parts: Parts,
    pub(super) body: Body,
    /// The JSON of the body; none where it has none, or nobody looks at it.
    pub(super) json: Option<Value>,
}

impl Received {
    /// The response to a call of an operation.
    pub(super) async fn of(response: Response, operation: Option<Operation>) -> Self {
        let is_told = matches!(operation, Some(Operation::Submit | Operation::Status | Operation::Result));
        let status = response.status();
        if is_told || status.is_client_error() || status.is_server_error() {
            return Self::whole(response).await;
        }
        let (parts, body) = response.into_parts();
        Self { parts, body, json: None }
    }

    /// A response whose JSON is read.
    pub(super) async fn whole(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !content_type.is_some_and(|content_type| content_type.starts_with("application/json")) {
            return Self { parts, body, json: None };
        }
        match axum::body::to_bytes(body, RESPONSE_BYTES_MAX).await {
            Ok(bytes) => {
                let json = serde_json::from_slice(&bytes).ok();
                Self { parts, body: Body::from(bytes), json }
            }
            // The server's responses do not break off, and are not so long.
            Err(_) => Self { parts, body: Body::empty(), json: None },
        }
    }

    /// Replaces the body by this JSON.
    pub(super) fn replace(&mut self, json: Value) {
        self.body = Body::from(json.to_string());
        self.json = Some(json);
        self.parts.headers.remove(header::CONTENT_LENGTH);
    }
}

impl IntoResponse for Received {
    fn into_response(self) -> Response {
        Response::from_parts(self.parts, self.body)
    }
}
