//! The HTTP client for such calls: to allowed addresses only, without redirects or a proxy of the environment.

use super::lookup::{AllowedAddresses, Lookup};
use super::target::{AllowedUrl, Target};
use bytes::{Bytes, BytesMut};
use prometheus_client::metrics::gauge::Gauge;
use reqwest::{Method, RequestBuilder};
use std::error::Error;
use std::io;
use std::iter::successors;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How long a connection is kept for the next call: less than the 5 s after which common servers close theirs, so that a
/// call is not sent into a closing one.
const IDLE_MAX: Duration = Duration::from_secs(4);

/// Calls addresses that a caller named.
#[derive(Clone)]
pub struct Outbound {
    target: Target,
    http: reqwest::Client,
}

/// A body that is longer than was asked for, or broke off.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It is longer.
    #[error("the answer is longer than {0} bytes")]
    Length(usize),
    /// The connection failed.
    #[error("the answer broke off")]
    Connection(#[from] reqwest::Error),
}

impl Outbound {
    /// A client; in `dev`, plain http and this machine may be called.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new(dev: bool) -> Result<Self, reqwest::Error> {
        Self::within(Target::new(dev, &[]))
    }

    /// A client that calls what `target` allows.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn within(target: Target) -> Result<Self, reqwest::Error> {
        Self::counted(target, Gauge::default())
    }

    /// The same, which counts in `lookups` the names that are being looked up.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub(crate) fn counted(target: Target, lookups: Gauge) -> Result<Self, reqwest::Error> {
        let addresses = AllowedAddresses::of_system(target.reach.clone(), lookups);
        Self::resolving(target, addresses)
    }

    /// A client that finds the addresses of names by `lookup`.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn with_lookup(target: Target, lookup: Arc<dyn Lookup>) -> Result<Self, reqwest::Error> {
        let (reach, under_way) = (target.reach.clone(), Gauge::default());
        Self::resolving(target, AllowedAddresses { reach, lookup, under_way })
    }

    fn resolving(target: Target, addresses: AllowedAddresses) -> Result<Self, reqwest::Error> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // A second installer is not a fault: whichever came first serves.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let http = reqwest::Client::builder()
            .user_agent(concat!("clipia-server/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .pool_idle_timeout(IDLE_MAX)
            .dns_resolver(Arc::new(addresses))
            .build()?;
        Ok(Self { target, http })
    }

    /// What may be called.
    pub fn target(&self) -> Target {
        self.target.clone()
    }

    /// A call to `url`. That it has passed [`Target::parse`] matters: the resolver never sees an address that is spelled
    /// as one.
    pub fn call(&self, method: Method, url: AllowedUrl) -> RequestBuilder {
        self.http.request(method, Url::from(url))
    }

    /// The client itself, for calls to URLs that no caller named.
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }
}

/// An error and what caused it, the innermost last.
pub fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    successors(Some(error), |&cause| {
        // What is inside an I/O error is not its source, but stands for it.
        let inside = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        inside.map(|inside| inside as &(dyn Error + 'static)).or_else(|| cause.source())
    })
}

/// The body of an answer, if it is no longer than `most` bytes.
///
/// # Errors
/// [`BodyError`] where it is longer or breaks off.
pub async fn body(mut response: reqwest::Response, most: usize) -> Result<Bytes, BodyError> {
    let told = response.content_length().map(usize::try_from).unwrap_or(Ok(0));
    // At once in its full length: growing would hold it twice.
    let mut body = match told {
        Ok(length) if length <= most => BytesMut::with_capacity(length),
        _ => return Err(BodyError::Length(most)),
    };
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > most {
            return Err(BodyError::Length(most));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// The body of an answer, or as much of it as there is in its first `most` bytes and before the connection fails.
pub async fn start_of_body(mut response: reqwest::Response, most: usize, start: &mut BytesMut) {
    while start.len() < most
        && let Ok(Some(chunk)) = response.chunk().await
    {
        start.extend_from_slice(&chunk[..chunk.len().min(most - start.len())]);
    }
}
