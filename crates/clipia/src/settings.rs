//! The settings of a client, as data.

use crate::retry::Bounds;
use std::time::Duration;

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) key: String,
    pub(crate) base_url: String,
    pub(crate) allow_http: bool,
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) user_agent: String,
    /// Variables in addition to `SSL_CERT_FILE` that name certificates.
    pub(crate) certificates: &'static [&'static str],
    pub(crate) bounds: Bounds,
}
