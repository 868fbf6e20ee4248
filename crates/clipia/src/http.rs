//! The HTTP clients of a client: for the API, for uploads, and for media hosts.

use crate::certificates;
use crate::environment;
use crate::error::Error;
use crate::key::Key;
use crate::proxies::Proxies;
use crate::redirect::check_redirect;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The settings that both HTTP clients of a client share.
pub(crate) struct Http {
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) user_agent: HeaderValue,
    /// Headers of every call of the API.
    pub(crate) headers: HeaderMap,
    pub(crate) proxies: Arc<Proxies>,
    /// Variables in addition to `SSL_CERT_FILE` that name certificates.
    pub(crate) certificates: &'static [&'static str],
    /// A file or a directory of more certificates.
    pub(crate) certificates_at: Option<PathBuf>,
    /// Whether the API is called by plain http.
    pub(crate) plain: bool,
}

impl Http {
    /// The client for the API. It sends the key with every call, and therefore follows no redirect.
    pub(crate) fn api(&self, key: &Key) -> Result<reqwest::Client, Error> {
        self.with_key(key, |client| client.timeout(self.timeout))
    }

    /// The client for uploads. It differs from that for the API in that nothing bounds a call as a whole: a file takes as long
    /// as its length and the network need.
    pub(crate) fn uploads(&self, key: &Key) -> Result<reqwest::Client, Error> {
        self.with_key(key, |client| client)
    }

    /// The longest time of a call, and of a silence in one that is not bounded as a whole.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    fn with_key(
        &self,
        key: &Key,
        bounded: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Result<reqwest::Client, Error> {
        let mut headers = self.headers.clone();
        headers.insert(AUTHORIZATION, key.header()?);
        let client = bounded(self.common().default_headers(headers)).redirect(Policy::none());
        // Plain http needs no root certificates, which a container may not have.
        if self.plain && !self.proxies.need_tls() { without_roots(client) } else { self.with_roots(client) }
    }

    /// The client for media. It has no key, and bounds each silence of a download, not the whole of it.
    pub(crate) fn media(&self) -> Result<reqwest::Client, Error> {
        // No `Referer` on redirects, because the URL of a file may hold a signature.
        let follow = || {
            Policy::custom(|redirect| match check_redirect(redirect.previous(), redirect.url()) {
                Ok(()) => redirect.follow(),
                Err(reason) => redirect.error(reason),
            })
        };
        let client = || self.common().read_timeout(self.timeout).referer(false).redirect(follow());
        match self.with_roots(client()) {
            Err(_) if self.plain => without_roots(client()),
            built => built,
        }
    }

    fn common(&self) -> reqwest::ClientBuilder {
        install_ring();
        let client = reqwest::Client::builder()
            .user_agent(self.user_agent.clone())
            .connect_timeout(self.connect_timeout);
        self.proxies.apply(client)
    }

    /// Builds a client that trusts the certificates of the system and the environment.
    fn with_roots(&self, client: reqwest::ClientBuilder) -> Result<reqwest::Client, Error> {
        let mut roots = certificates::read(&environment::of_process, self.certificates)?;
        if let Some(path) = &self.certificates_at {
            roots.extend(certificates::load("Builder::certificates", path)?);
        }
        let client = if roots.is_empty() { client } else { client.tls_certs_merge(roots) };
        client.build().map_err(setup)
    }
}

/// Makes ring the crypto provider of rustls, unless the program has chosen one.
fn install_ring() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Fails only if another thread was faster, which is just as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// Builds a client without any trusted certificate.
fn without_roots(client: reqwest::ClientBuilder) -> Result<reqwest::Client, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|cause| Error::Setup { cause: Box::new(cause) })?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    client.tls_backend_preconfigured(tls).build().map_err(setup)
}

fn setup(source: reqwest::Error) -> Error {
    Error::Setup { cause: Box::new(source.without_url()) }
}
