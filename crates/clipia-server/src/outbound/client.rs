//! The HTTP client for such calls: no redirects, no proxy, and no connection to an address that is not allowed.

use super::addresses::Reach;
use super::target::Target;
use bytes::{Bytes, BytesMut};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

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
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // A second installer is not a fault: whichever came first serves.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let reach = if dev { Reach::Loopback } else { Reach::Public };
        let http = reqwest::Client::builder()
            .user_agent(concat!("clipia-server/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(AllowedAddresses(reach)))
            .build()?;
        Ok(Self { target: Target { plain_http: dev, reach }, http })
    }

    /// What may be called.
    pub fn target(&self) -> Target {
        self.target
    }

    /// The client itself. A URL must have passed [`Target::parse`]: the resolver never sees an address that is spelled
    /// as one.
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }
}

/// The body of an answer, if it is no longer than `most` bytes.
///
/// # Errors
/// [`BodyError`] where it is longer or breaks off.
pub async fn body(mut response: reqwest::Response, most: usize) -> Result<Bytes, BodyError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > most {
            return Err(BodyError::Length(most));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Resolves names to the addresses that may be called. The connection goes to these and no others, so that a name
/// cannot answer differently the second time.
struct AllowedAddresses(Reach);

impl Resolve for AllowedAddresses {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|address| reach.allows(address.ip())).collect();
            if allowed.is_empty() {
                let error =
                    io::Error::new(io::ErrorKind::PermissionDenied, "the name leads to no public address");
                return Err(error.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}
