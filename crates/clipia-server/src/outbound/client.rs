//! The HTTP client for URLs that a caller named. It connects to allowed addresses only, follows no redirect, and uses no proxy of
//! the environment.

use super::lookup::{AllowedAddresses, Lookup};
use super::target::{AllowedUrl, Target};
use bytes::BytesMut;
use prometheus_client::metrics::gauge::Gauge;
use reqwest::{Method, RequestBuilder};
use std::error::Error;
use std::io;
use std::iter::successors;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How long an idle connection is kept for the next call. Common servers close an idle connection after 5 s, and a call must not
/// meet a connection that is being closed.
const IDLE_MAX: Duration = Duration::from_secs(4);

/// The HTTP client.
#[derive(Clone)]
pub struct Outbound {
    target: Target,
    http: reqwest::Client,
}

impl Outbound {
    /// A client for public addresses. With `dev`, it may call this machine, and use plain HTTP.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new(dev: bool) -> Result<Self, reqwest::Error> {
        Self::within(Target::new(dev, &[]))
    }

    /// A client for the URLs that `target` allows.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn within(target: Target) -> Result<Self, reqwest::Error> {
        Self::counted(target, Gauge::default())
    }

    /// A client for the URLs that `target` allows, which counts its name lookups in `lookups`.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub(crate) fn counted(target: Target, lookups: Gauge) -> Result<Self, reqwest::Error> {
        let addresses = AllowedAddresses::of_system(target.reach.clone(), lookups);
        Self::resolving(target, addresses)
    }

    /// A client that looks names up by `lookup`.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn with_lookup(target: Target, lookup: Arc<dyn Lookup>) -> Result<Self, reqwest::Error> {
        let (reach, under_way) = (target.reach.clone(), Gauge::default());
        Self::resolving(target, AllowedAddresses { reach, lookup, under_way })
    }

    fn resolving(target: Target, addresses: AllowedAddresses) -> Result<Self, reqwest::Error> {
        install_tls_provider();
        let http = reqwest::Client::builder()
            .user_agent(concat!("clipia-server/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .pool_idle_timeout(IDLE_MAX)
            .dns_resolver(Arc::new(addresses))
            .build()?;
        Ok(Self { target, http })
    }

    /// The URLs that may be called.
    pub fn target(&self) -> Target {
        self.target.clone()
    }

    /// A call to `url`. [`Target::parse`] has checked it, which matters for a URL with an IP address: the resolver never sees one.
    pub fn call(&self, method: Method, url: AllowedUrl) -> RequestBuilder {
        self.http.request(method, Url::from(url))
    }

    /// The inner client, for calls to URLs that no caller named.
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }
}

/// Sets up the provider of TLS for the process, if it has none.
pub fn install_tls_provider() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // This fails if another thread was faster, and then that thread's provider does.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// An error and its causes, the innermost last.
pub fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    successors(Some(error), |&cause| {
        // An I/O error does not report the error inside it as its source.
        let inside = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        inside.map(|inside| inside as &(dyn Error + 'static)).or_else(|| cause.source())
    })
}

/// Reads the first `most` bytes of a response's body into `start`. Where the connection fails, it reads what came before.
pub async fn start_of_body(mut response: reqwest::Response, most: usize, start: &mut BytesMut) {
    while start.len() < most
        && let Ok(Some(chunk)) = response.chunk().await
    {
        start.extend_from_slice(&chunk[..chunk.len().min(most - start.len())]);
    }
}
