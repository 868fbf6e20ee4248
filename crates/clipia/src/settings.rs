//! The settings of a client, as data.

use crate::retry::Bounds;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) key: String,
    pub(crate) base_url: String,
    pub(crate) allow_http: bool,
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) user_agent: String,
    /// Headers of every call, by their names.
    pub(crate) headers: Vec<(String, String)>,
    /// The URL of a proxy, in place of those of the environment.
    pub(crate) proxy: Option<String>,
    /// A file or a directory of certificates.
    pub(crate) certificates_at: Option<PathBuf>,
    /// Variables in addition to `SSL_CERT_FILE` that name certificates.
    pub(crate) certificates: &'static [&'static str],
    /// The file of pending generations.
    pub(crate) pending_file: Option<PathBuf>,
    pub(crate) bounds: Bounds,
    /// Whether the budget ignores that others may share the key.
    #[cfg(feature = "simulation")]
    pub(crate) ignores_others: bool,
}
