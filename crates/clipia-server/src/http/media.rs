//! The files of generations: with their type, their length, and in ranges. No key is needed; the address is the secret.

use super::errors;
use crate::media::MediaStore;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use tower_http::services::ServeDir;

pub(super) fn router<S: Clone + Send + Sync + 'static>(media: &MediaStore) -> Router<S> {
    let files = ServeDir::new(media.directory()).append_index_html_on_directories(false);
    Router::new().fallback_service(files).layer(from_fn(finish))
}

/// A file never changes and is never guessed to be of another type; what is not a file is refused as everywhere else.
async fn finish(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    match response.status() {
        StatusCode::NOT_FOUND => return errors::no_such_path().await.into_response(),
        StatusCode::METHOD_NOT_ALLOWED => return errors::no_such_method().await.into_response(),
        _ => {}
    }
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=31536000, immutable"));
    response
}
