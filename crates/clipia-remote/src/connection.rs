//! The client of one session.

use crate::{CallError, Remote, SESSION_HEADER};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;
use uuid::Uuid;

/// How long a connection is kept for the next call: less than the 5 s after which common servers close theirs, so that a
/// call is not sent into a closing one.
const IDLE_MAX: Duration = Duration::from_secs(4);

/// How long a connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// A text that cannot be a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the token has characters that no token has; is the file the one that `clipia workers create` printed into?"
)]
pub struct NotAToken;

impl Remote {
    /// The client of the session `session`, which works for the server at `url` with this token. The caller limits the time of
    /// each call: one that claims is held open by the server.
    ///
    /// # Errors
    /// [`CallError::Token`] if the token cannot be sent; [`CallError::Call`] if TLS cannot be set up.
    pub fn of(url: &str, token: &str, session: Uuid) -> Result<Self, CallError> {
        let mut bearer = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| NotAToken)?;
        // `Debug` of the client does not show it then.
        bearer.set_sensitive(true);
        let session = HeaderValue::from_str(&session.to_string()).map_err(|_| NotAToken)?;
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // A second installer is not a fault: whichever came first serves.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let headers = [(AUTHORIZATION, bearer), (HeaderName::from_static(SESSION_HEADER), session)];
        let http = reqwest::Client::builder()
            .user_agent(concat!("clipia-remote/", env!("CARGO_PKG_VERSION")))
            .default_headers(HeaderMap::from_iter(headers))
            // The token goes to this server and to no other.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_MAX)
            .tcp_nodelay(true)
            .pool_idle_timeout(IDLE_MAX)
            .build()?;
        Ok(Self::new_with_client(url.trim_end_matches('/'), http))
    }
}
