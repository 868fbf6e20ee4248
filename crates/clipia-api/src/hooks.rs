//! Lets an answer that is no Clipia answer keep its HTTP status.
//!
//! A proxy between client and server answers 502 with a page of HTML. The generated client would report only
//! that the page is not JSON; what a caller needs is the 502.

use crate::generated_client::Client;
use crate::types::{ErrorBody, ErrorEnvelope};
use progenitor_client::{ClientHooks, OperationInfo};

/// How much of a foreign error page is kept in the message, in characters.
const EXCERPT_MAX: usize = 200;

impl ClientHooks<()> for Client {
    async fn exec(
        &self,
        request: reqwest::Request,
        _operation: &OperationInfo,
    ) -> reqwest::Result<reqwest::Response> {
        let response = self.client.execute(request).await?;
        let status = response.status();
        if !(status.is_client_error() || status.is_server_error()) {
            return Ok(response);
        }
        let headers = response.headers().clone();
        let body = response.bytes().await?;
        let body = match serde_json::from_slice::<ErrorEnvelope>(&body) {
            Ok(_) => body.to_vec(),
            Err(_) => envelope_of(status, &body),
        };
        let mut rebuilt = reqwest::Response::from(http_response(status, body));
        *rebuilt.headers_mut() = headers;
        Ok(rebuilt)
    }
}

fn http_response(status: reqwest::StatusCode, body: Vec<u8>) -> http::Response<Vec<u8>> {
    let mut response = http::Response::new(body);
    *response.status_mut() = status;
    response
}

fn envelope_of(status: reqwest::StatusCode, body: &[u8]) -> Vec<u8> {
    let excerpt: String = String::from_utf8_lossy(body).chars().take(EXCERPT_MAX).collect();
    let envelope = ErrorEnvelope {
        error: ErrorBody {
            type_: "api_error".to_owned(),
            code: format!("http_{}", status.as_u16()),
            message: format!("the answer is not the API's: {}", excerpt.trim()),
            extra: Default::default(),
        },
        extra: Default::default(),
    };
    serde_json::to_vec(&envelope).unwrap_or_default()
}
