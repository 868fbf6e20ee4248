//! The tools over HTTP, beside the API whose keys they take.

use crate::callers::{ByKey, Callers, key};
use crate::handler::Handler;
use crate::settings::Settings;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The path of the tools.
pub const PATH: &str = "/mcp";

/// The pages of a browser that may call the tools: those of programs on the same machine.
const ORIGINS: [&str; 6] = [
    "http://localhost:*",
    "http://127.0.0.1:*",
    "http://[::1]:*",
    "https://localhost:*",
    "https://127.0.0.1:*",
    "https://[::1]:*",
];

/// The body of a call without a key.
const NO_KEY: &str = r#"{"error":{"type":"authentication_error","code":"invalid_api_key","message":"send an API key of this server as `Authorization: Bearer <key>`"}}"#;

/// The routes of the tools, for the listener of the API at `api_url`. Each call goes through that API, with the key that the call brings:
/// limits, credits and refusals are those of the API. Waits end early once `stop` is canceled.
///
/// A call without a key gets 401 with `WWW-Authenticate`. There are no sessions, so any node of a server answers any call.
///
/// ```
/// use tokio_util::sync::CancellationToken;
///
/// let tools: axum::Router = clipia_mcp::router("http://127.0.0.1:4747", CancellationToken::new());
/// ```
pub fn router(api_url: &str, stop: CancellationToken) -> Router {
    let handler = Handler::new(Callers::ByKey(ByKey::new(api_url)), Settings::default(), None, stop);
    // The configuration has a token too, but it cuts calls off that could still say what they know.
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        // A page elsewhere may have its name lead to this machine (DNS rebinding). A browser sends the page's origin with each POST, and that
        // origin is refused. `Host` tells no more: a proxy passes on the name that clients call, and this server does not know it.
        .disable_allowed_hosts()
        .enforce_origin_validation()
        .with_allowed_origins(ORIGINS);
    let sessions = Arc::new(NeverSessionManager::default());
    let service = StreamableHttpService::new(move || Ok(handler.clone()), sessions, config);
    Router::new().route_service(PATH, service).layer(from_fn(authorized))
}

/// Refuses a call without a key.
async fn authorized(request: Request, next: Next) -> Response {
    if key(request.headers()).is_some() {
        return next.run(request).await;
    }
    let headers = [(WWW_AUTHENTICATE, "Bearer realm=\"clipia\""), (CONTENT_TYPE, "application/json")];
    (StatusCode::UNAUTHORIZED, headers, NO_KEY).into_response()
}
