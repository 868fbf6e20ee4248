//! How a client is set up.

use crate::base_url;
use crate::catalogue::Catalogue;
use crate::client::{Clipia, Inner};
use crate::download::check_redirect;
use crate::error::Error;
use crate::key::Key;
use crate::retry::Bounds;
use crate::spending::{Spending, now};
use crate::wait::Scheduler;
use crate::webhooks::Attachments;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use url::Url;

/// Where Clipia itself answers.
const BASE_URL: &str = "https://api.clipia.ai";

/// One HTTP call, from connecting to the last byte of the answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Making a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How often one call is repeated. With full jitter that is eight seconds on average, enough for a restart.
const MAX_RETRIES: u32 = 5;

/// How long one call goes on, with its pauses: long enough for a fleet to wait for room, and for a server to come
/// back.
const RETRY_WITHIN: Duration = Duration::from_secs(600);

/// The longest that the first pause between two tries is: a hiccup is over by then.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// Sets up a [`Clipia`]; made by [`Clipia::builder`].
///
/// ```
/// use std::time::Duration;
///
/// let clipia = clipia::Clipia::builder()
///     .key("clipia_test_0123456789abk3Qz")
///     .base_url("http://127.0.0.1:8080")
///     .timeout(Duration::from_secs(10))
///     .build()?;
/// assert_eq!(format!("{clipia:?}"), r#"Clipia { base_url: "http://127.0.0.1:8080/", key: clipia_test_…k3Qz }"#);
/// # Ok::<(), clipia::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "call `.build()` to get a client"]
pub struct Builder {
    key: String,
    base_url: String,
    timeout: Duration,
    connect_timeout: Duration,
    user_agent: String,
    bounds: Bounds,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            key: String::new(),
            base_url: BASE_URL.to_owned(),
            timeout: TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
            user_agent: concat!("clipia-rust/", env!("CARGO_PKG_VERSION")).to_owned(),
            bounds: Bounds { retries: MAX_RETRIES, within: RETRY_WITHIN, pause_first: RETRY_DELAY },
        }
    }

    /// The API key, `clipia_live_…` or `clipia_test_…`. Required.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = key.into();
        self
    }

    /// Where the API answers; `https://api.clipia.ai` unless set. Must be https, or http to exactly
    /// `localhost`, `127.0.0.1` or `[::1]`.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = url.into();
        self
    }

    /// How long one HTTP call may take, from connecting to the last byte of the answer; 30 s unless set. It
    /// bounds neither a wait nor a download.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long making a connection may take; 10 s unless set.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// What the client calls itself; `clipia-rust/` and its version unless set.
    pub fn user_agent(mut self, name: impl Into<String>) -> Self {
        self.user_agent = name.into();
        self
    }

    /// How often one call or one file of a download is repeated after a failure that may pass; 5 unless set. A
    /// wait is not bounded by it, and a transfer that came further than the one before is none of these. Where the
    /// server asks for patience (429), [`retry_within`](Self::retry_within) alone bounds a call; but with 0 nothing
    /// at all is repeated.
    pub fn max_retries(mut self, count: u32) -> Self {
        self.bounds.retries = count;
        self
    }

    /// How long one call may go on, all its tries and the pauses between them: no pause that would end later
    /// begins; 10 minutes unless set. Bounds neither a wait nor a download.
    ///
    /// Raise it for more generations than the key may have in flight: a submit beyond the limit
    /// ([`Error::ConcurrencyLimitExceeded`]) is repeated until one has ended.
    pub fn retry_within(mut self, time: Duration) -> Self {
        self.bounds.within = time;
        self
    }

    /// How long the pause before the first repetition of a call may be; 500 ms unless set. It is a random time up to
    /// this, each further pause may be twice as long, up to 20 s, and where the server says `Retry-After` that is
    /// waited instead.
    pub fn retry_delay(mut self, longest: Duration) -> Self {
        self.bounds.pause_first = longest;
        self
    }

    /// The client.
    ///
    /// # Errors
    /// [`Error::KeyMissing`], [`Error::KeyMalformed`], [`Error::BaseUrl`], [`Error::Input`] for a user agent that
    /// no header can hold, and [`Error::Setup`] where https cannot be set up.
    pub fn build(self) -> Result<Clipia, Error> {
        let settings = self.clone();
        let key = Key::new(&self.key)?;
        let base_url = base_url::parse(&self.base_url)?;
        let user_agent = HeaderValue::try_from(self.user_agent)
            .map_err(|_| Error::Input { message: "the user agent cannot be sent in a header".to_owned() })?;
        let http = Http {
            timeout: self.timeout,
            connect_timeout: self.connect_timeout,
            user_agent,
            plain: base_url::is_plain(&base_url),
        };
        let api = http.api(&key)?;
        Ok(Clipia(Arc::new_cyclic(|this| Inner {
            this: this.clone(),
            api: clipia_api::Client::new_with_client(base_url.as_str().trim_end_matches('/'), api),
            base_url,
            key: key.masked(),
            http,
            settings,
            process: std::process::id(),
            heir: Mutex::default(),
            media: OnceLock::new(),
            bounds: self.bounds,
            catalogue: Catalogue::default(),
            spending: Spending::new(now()),
            scheduler: Scheduler::default(),
            webhooks: Attachments::default(),
        })))
    }

    /// Begins with `CLIPIA_KEY` and, if set, `CLIPIA_BASE_URL`.
    pub fn from_env() -> Self {
        let read = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let builder = Self::new().key(read("CLIPIA_KEY").unwrap_or_default());
        match read("CLIPIA_BASE_URL") {
            Some(url) => builder.base_url(url),
            None => builder,
        }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base_url = base_url::parse(&self.base_url);
        f.debug_struct("Builder")
            .field("base_url", &base_url.as_ref().map(Url::as_str).ok())
            .field("key", &Key::new(&self.key).ok())
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("user_agent", &self.user_agent)
            .field("max_retries", &self.bounds.retries)
            .field("retry_within", &self.bounds.within)
            .field("retry_delay", &self.bounds.pause_first)
            .finish()
    }
}

/// What the HTTP clients of a [`Clipia`] have in common.
#[derive(Debug)]
pub(crate) struct Http {
    timeout: Duration,
    connect_timeout: Duration,
    user_agent: HeaderValue,
    /// The API is on this machine, by plain http.
    plain: bool,
}

impl Http {
    /// For the API: sends the key with everything, and therefore follows no redirect.
    fn api(&self, key: &Key) -> Result<reqwest::Client, Error> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, key.header()?);
        let client = self.common().default_headers(headers).timeout(self.timeout).redirect(Policy::none());
        // Plain http to this machine needs no root certificates, which a container may not have.
        let client = if self.plain { client.tls_backend_preconfigured(without_roots()?) } else { client };
        client.build().map_err(setup)
    }

    /// For media: knows no key, and has no bound on the whole of a download, only on each silence in it.
    pub(crate) fn media(&self) -> Result<reqwest::Client, Error> {
        // No `Referer` on redirects: the URL of a file may hold a signature.
        let follow = || {
            Policy::custom(|redirect| match check_redirect(redirect.previous(), redirect.url()) {
                Ok(()) => redirect.follow(),
                Err(reason) => redirect.error(reason),
            })
        };
        let client = || self.common().read_timeout(self.timeout).referer(false).redirect(follow());
        match client().build() {
            Err(_) if self.plain => {
                client().tls_backend_preconfigured(without_roots()?).build().map_err(setup)
            }
            built => built.map_err(setup),
        }
    }

    fn common(&self) -> reqwest::ClientBuilder {
        install_ring();
        let client = reqwest::Client::builder()
            .user_agent(self.user_agent.clone())
            .connect_timeout(self.connect_timeout);
        // What is said to this machine in clear must not go through a proxy elsewhere.
        if self.plain { client.no_proxy() } else { client }
    }
}

/// Gives rustls ring as its cryptography, unless the program has chosen already.
fn install_ring() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Fails only if another thread was first, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// TLS that trusts nobody.
fn without_roots() -> Result<rustls::ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|source| Error::Setup { source: Box::new(source) })?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth())
}

fn setup(source: reqwest::Error) -> Error {
    Error::Setup { source: Box::new(source.without_url()) }
}
