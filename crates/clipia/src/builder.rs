//! How a client is set up.

use crate::base_url;
use crate::catalogue::Catalogue;
use crate::certificates;
use crate::client::{Clipia, Inner};
use crate::download::check_redirect;
use crate::environment::{self, Lookup};
use crate::error::Error;
use crate::key::Key;
use crate::proxies::Proxies;
use crate::retry::Bounds;
use crate::spending::{Spending, now};
use crate::wait::Scheduler;
use crate::webhooks::Attachments;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use std::borrow::Cow;
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

/// What `CLIPIA_ALLOW_HTTP` may say to allow it.
const ALLOWED: [&str; 4] = ["1", "true", "yes", "on"];

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
///
/// # The environment
/// A client connects as the environment says when it is built, whatever it is built from:
///
/// - through the proxy in `HTTPS_PROXY`, `HTTP_PROXY` or else `ALL_PROXY`: `http://`, `https://`, `socks5://`,
///   `socks5h://`, `socks4://` or `socks4a://`, with a user and a password if need be. `NO_PROXY` lists what is connected
///   to directly: `example.com` and all below it, `10.0.0.0/8`, `*`, each also with a port. Lower case does, too. Plain
///   http to this machine never goes through a proxy.
/// - trusting the certificates of the system. `SSL_CERT_FILE` and `SSL_CERT_DIR` name others: in place of the system's
///   on Linux, as for OpenSSL, beside them on macOS and Windows.
///
/// Of every variable white space, quotes and invisible characters around the value are left out.
#[derive(Clone)]
#[must_use = "call `.build()` to get a client"]
pub struct Builder {
    key: String,
    base_url: String,
    allow_http: bool,
    timeout: Duration,
    connect_timeout: Duration,
    user_agent: String,
    certificates: &'static [&'static str],
    bounds: Bounds,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            key: String::new(),
            base_url: BASE_URL.to_owned(),
            allow_http: false,
            timeout: TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
            user_agent: concat!("clipia-rust/", env!("CARGO_PKG_VERSION")).to_owned(),
            certificates: &[],
            bounds: Bounds { retries: MAX_RETRIES, within: RETRY_WITHIN, pause_first: RETRY_DELAY },
        }
    }

    /// The API key, `clipia_live_…` or `clipia_test_…`. Required. `Bearer ` before it, and quotes and white space around
    /// it, are left out.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = key.into();
        self
    }

    /// Where the API answers; `https://api.clipia.ai` unless set. Must be https, or http to exactly
    /// `localhost`, `127.0.0.1` or `[::1]`, unless [`allow_http`](Self::allow_http). A `/v1` at its end is left out.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = url.into();
        self
    }

    /// Whether the base URL may be http to another machine, such as `http://clipia:8080` between containers; `false`
    /// unless set. Everyone on the way then reads the key and what is generated.
    pub fn allow_http(mut self, allowed: bool) -> Self {
        self.allow_http = allowed;
        self
    }

    /// More environment variables that may name a file or a directory of certificates. Those of the first one that is
    /// set are trusted besides the system's. Python's clients take `REQUESTS_CA_BUNDLE` so.
    pub fn certificate_variables(mut self, names: &'static [&'static str]) -> Self {
        self.certificates = names;
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
    /// [`Error::KeyMissing`], [`Error::KeyMalformed`], [`Error::BaseUrl`], [`Error::Proxy`], [`Error::Certificates`],
    /// [`Error::Input`] for a user agent that no header can hold, and [`Error::Setup`] where https cannot be set up.
    pub fn build(self) -> Result<Clipia, Error> {
        let settings = self.clone();
        let key = Key::new(&self.key)?;
        if let Cow::Owned(_) = key.hide(&self.base_url) {
            // Every error of a connection tells the base URL.
            let reason = "the key stands in it; the key is passed on its own";
            return Err(Error::BaseUrl { url: "…".to_owned(), reason });
        }
        let base_url = base_url::parse(&self.base_url, self.allow_http)?;
        let plain = base_url::is_plain(&base_url);
        // What is said to this machine in clear must not go through a proxy elsewhere.
        let proxies = if plain && base_url::is_this_machine(&base_url) {
            Proxies::default()
        } else {
            Proxies::read(&environment::of_process)?
        };
        let user_agent = HeaderValue::try_from(self.user_agent)
            .map_err(|_| Error::Input { message: "the user agent cannot be sent in a header".to_owned() })?;
        let http = Http {
            timeout: self.timeout,
            connect_timeout: self.connect_timeout,
            user_agent,
            proxies: Arc::new(proxies),
            certificates: self.certificates,
            plain,
        };
        let api = http.api(&key)?;
        Ok(Clipia(Arc::new_cyclic(|this| Inner {
            this: this.clone(),
            api: clipia_api::Client::new_with_client(base_url.as_str().trim_end_matches('/'), api),
            base_url,
            key,
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

    /// Begins with `CLIPIA_KEY`, or else `CLIPIA_API_KEY`, and with `CLIPIA_BASE_URL` and `CLIPIA_ALLOW_HTTP` (1 or 0)
    /// if set.
    pub fn from_env() -> Self {
        Self::from(&environment::of_process)
    }

    fn from(lookup: Lookup<'_>) -> Self {
        let key = environment::first(lookup, &["CLIPIA_KEY", "CLIPIA_API_KEY"]);
        let allow_http = environment::first(lookup, &["CLIPIA_ALLOW_HTTP"]);
        let allow_http =
            allow_http.is_some_and(|value| ALLOWED.contains(&value.to_ascii_lowercase().as_str()));
        let builder = Self::new().key(key.unwrap_or_default()).allow_http(allow_http);
        match environment::first(lookup, &["CLIPIA_BASE_URL"]) {
            Some(url) => builder.base_url(url),
            None => builder,
        }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base_url = base_url::parse(&self.base_url, self.allow_http);
        f.debug_struct("Builder")
            .field("base_url", &base_url.as_ref().map(Url::as_str).ok())
            .field("allow_http", &self.allow_http)
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
pub(crate) struct Http {
    timeout: Duration,
    connect_timeout: Duration,
    user_agent: HeaderValue,
    proxies: Arc<Proxies>,
    /// Variables beside `SSL_CERT_FILE` that name certificates.
    certificates: &'static [&'static str],
    /// The API is called by plain http.
    plain: bool,
}

impl Http {
    /// For the API: sends the key with everything, and therefore follows no redirect.
    fn api(&self, key: &Key) -> Result<reqwest::Client, Error> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, key.header()?);
        let client = self.common().default_headers(headers).timeout(self.timeout).redirect(Policy::none());
        // Plain http needs no root certificates, which a container may not have.
        if self.plain && !self.proxies.need_tls() { without_roots(client) } else { self.with_roots(client) }
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

    /// Builds a client that trusts the certificates of the system and of the environment.
    fn with_roots(&self, client: reqwest::ClientBuilder) -> Result<reqwest::Client, Error> {
        let roots = certificates::read(&environment::of_process, self.certificates)?;
        let client = if roots.is_empty() { client } else { client.tls_certs_merge(roots) };
        client.build().map_err(setup)
    }
}

/// Gives rustls ring as its cryptography, unless the program has chosen already.
fn install_ring() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Fails only if another thread was first, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// Builds a client that trusts nobody over TLS.
fn without_roots(client: reqwest::ClientBuilder) -> Result<reqwest::Client, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|source| Error::Setup { source: Box::new(source) })?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    client.tls_backend_preconfigured(tls).build().map_err(setup)
}

fn setup(source: reqwest::Error) -> Error {
    Error::Setup { source: Box::new(source.without_url()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::table;

    const KEY: &str = "clipia_live_0123456789abk3Qz";

    #[test]
    fn the_environment_is_read_as_people_set_it() {
        let read = |variables: &[(&str, &str)]| {
            let builder = Builder::from(&table(variables));
            (builder.key, builder.base_url, builder.allow_http)
        };
        for (variables, key, base_url, allow_http) in [
            (&[][..], "", BASE_URL, false),
            (&[("CLIPIA_KEY", "one"), ("CLIPIA_API_KEY", "two")], "one", BASE_URL, false),
            (&[("CLIPIA_KEY", " \n"), ("CLIPIA_API_KEY", "two\r\n")], "two", BASE_URL, false),
            (&[("CLIPIA_API_KEY", "\"two\"")], "two", BASE_URL, false),
            (&[("CLIPIA_BASE_URL", "")], "", BASE_URL, false),
            (&[("CLIPIA_BASE_URL", " 'http://clipia:8080'\n")], "", "http://clipia:8080", false),
            (&[("CLIPIA_ALLOW_HTTP", "1")], "", BASE_URL, true),
            (&[("CLIPIA_ALLOW_HTTP", " True\n")], "", BASE_URL, true),
            (&[("CLIPIA_ALLOW_HTTP", "0")], "", BASE_URL, false),
            (&[("CLIPIA_ALLOW_HTTP", "")], "", BASE_URL, false),
            (&[("CLIPIA_ALLOW_HTTP", "perhaps")], "", BASE_URL, false),
        ] {
            assert_eq!(read(variables), (key.to_owned(), base_url.to_owned(), allow_http), "{variables:?}");
        }
    }

    #[test]
    fn a_key_in_the_base_url_is_told_nowhere() {
        for url in [
            format!("https://{KEY}"),
            format!("https://gateway.example/{KEY}/v1"),
            format!("ftp://gateway.example/{KEY}"),
            KEY.to_owned(),
        ] {
            let error = Builder::new().key(KEY).base_url(&url).build().unwrap_err();
            assert!(matches!(error, Error::BaseUrl { .. }), "{url}: {error}");
            assert!(!format!("{error:?} {error}").contains("0123456789"), "{error:?}");
        }
    }
}
