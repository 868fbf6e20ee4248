//! The reset of a connection in place of a response.

/// An extension of a response. The response is not sent: its connection is reset.
///
/// ```
/// use axum::Extension;
/// use axum::response::IntoResponse;
/// use clipia_server::Reset;
///
/// let response = Extension(Reset).into_response();
/// assert!(response.extensions().get::<Reset>().is_some());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Reset;

/// The error of a call whose connection is reset. It makes hyper end the connection.
#[derive(Debug, thiserror::Error)]
#[error("the connection was reset in place of a response")]
pub(super) struct WasReset;
