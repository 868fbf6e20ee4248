//! The settings of a client.

use crate::base_url;
use crate::catalogue_cache::CatalogueCache;
use crate::client::{Clipia, Inner};
use crate::connection::Connection;
use crate::delivered_ids::DeliveredIds;
use crate::environment::{self, Lookup};
use crate::error::Error;
use crate::headers::{self, VISIBLE};
use crate::http::Http;
use crate::key::Key;
use crate::pending::PendingList;
use crate::proxies::Proxies;
use crate::retry::Bounds;
use crate::settings::Settings;
use crate::shared_budget::{SharedBudget, now};
use crate::wait::Scheduler;
use reqwest::header::HeaderValue;
use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// The base URL of Clipia's own API.
const BASE_URL: &str = "https://api.clipia.ai";

/// The timeout of one HTTP call, from connecting to the last byte of the response.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The timeout of connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Retries of one call after failures. With full jitter their pauses take eight seconds on average, enough for a
/// restart.
const MAX_RETRIES: u32 = 5;

/// The time that one call may take with its retries: enough for a fleet larger than the concurrency limit, and for a
/// server to come back.
const RETRY_WITHIN: Duration = Duration::from_secs(600);

/// The bound of the first pause between two attempts. A hiccup of the network is over by then.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// The values of `CLIPIA_ALLOW_HTTP` that allow http.
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
/// A client takes these from the environment when it is built, however its other settings were made:
///
/// - the proxy in `HTTPS_PROXY`, `HTTP_PROXY` or else `ALL_PROXY`: `http://`, `https://`, `socks5://`, `socks5h://`,
///   `socks4://` or `socks4a://`, optionally with user and password. `NO_PROXY` lists hosts for direct connections:
///   `example.com` with its subdomains, `10.0.0.0/8`, `*`, each optionally with a port. The names may be lower case.
///   Plain http to this machine never goes through a proxy.
/// - the trusted certificates: those of the system. `SSL_CERT_FILE` and `SSL_CERT_DIR` name others: in place of the
///   system's on Linux, as for OpenSSL; in addition to them on macOS and Windows.
///
/// White space, quotes and invisible characters around the value of a variable are ignored.
#[derive(Clone)]
#[must_use = "call `.build()` to get a client"]
pub struct Builder(Settings);

impl Builder {
    pub(crate) fn new() -> Self {
        Self(Settings {
            key: String::new(),
            base_url: BASE_URL.to_owned(),
            allow_http: false,
            timeout: TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
            user_agent: concat!("clipia-rust/", env!("CARGO_PKG_VERSION")).to_owned(),
            headers: Vec::new(),
            proxy: None,
            certificates_at: None,
            certificates: &[],
            pending_file: None,
            bounds: Bounds { retries: MAX_RETRIES, within: RETRY_WITHIN, pause_first: RETRY_DELAY },
            #[cfg(feature = "simulation")]
            ignores_others: false,
        })
    }

    /// The API key, `clipia_live_…` or `clipia_test_…`. Required. A `Bearer ` before it, and quotes and white space
    /// around it, are ignored.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.0.key = key.into();
        self
    }

    /// The base URL of the API; `https://api.clipia.ai` by default. It must be https, or http to exactly
    /// `localhost`, `127.0.0.1` or `[::1]`, unless [`allow_http`](Self::allow_http). A trailing `/v1` is removed.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.0.base_url = url.into();
        self
    }

    /// Whether the base URL may be http to another machine, such as `http://clipia:8080` between containers; `false`
    /// by default. Everyone on the network path can then read the key and the generations.
    pub fn allow_http(mut self, allowed: bool) -> Self {
        self.0.allow_http = allowed;
        self
    }

    /// More environment variables that may name a file or a directory of certificates, as `REQUESTS_CA_BUNDLE` does for
    /// Python's clients. The certificates of the first variable that is set are trusted in addition to the system's.
    pub fn certificate_variables(mut self, names: &'static [&'static str]) -> Self {
        self.0.certificates = names;
        self
    }

    /// The timeout of one HTTP call, from connecting to the last byte of the response; 30 s by default. It
    /// bounds neither a wait nor a download.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.0.timeout = timeout;
        self
    }

    /// The timeout of connecting; 10 s by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.0.connect_timeout = timeout;
        self
    }

    /// Whether the client ignores that others may share its key, as benchmarks compare. Not a part of the API.
    #[cfg(feature = "simulation")]
    #[doc(hidden)]
    pub fn ignores_others(mut self, ignores: bool) -> Self {
        self.0.ignores_others = ignores;
        self
    }

    /// The `User-Agent`; `clipia-rust/` and the version by default.
    pub fn user_agent(mut self, name: impl Into<String>) -> Self {
        self.0.user_agent = name.into();
        self
    }

    /// A header of every call of the API, such as one that a gateway asks for; it replaces an earlier one of the same name. Media hosts do
    /// not get it. The value is never shown.
    ///
    /// ```
    /// let clipia = clipia::Clipia::builder()
    ///     .key("clipia_test_0123456789abk3Qz")
    ///     .header("X-Team", "pictures")
    ///     .build()?;
    /// # Ok::<(), clipia::Error>(())
    /// ```
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.headers.push((name.into(), value.into()));
        self
    }

    /// The proxy of every connection, in place of those of the environment: a URL as [above](#the-environment). As there, plain http to this
    /// machine never goes through it.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.0.proxy = Some(url.into());
        self
    }

    /// A file of certificates in PEM, or a directory of such files, that are trusted in addition to those of the system and the
    /// environment, such as that of a company's own authority.
    pub fn certificates(mut self, path: impl Into<PathBuf>) -> Self {
        self.0.certificates_at = Some(path.into());
        self
    }

    /// How often one call, or one file of a download, is retried after a failure that may pass; 5 by default. It does
    /// not bound a wait, and it does not count a transfer that got further than the one before. After a 429 only
    /// [`retry_within`](Self::retry_within) bounds a call; but with 0 nothing at all is retried.
    pub fn max_retries(mut self, count: u32) -> Self {
        self.0.bounds.retries = count;
        self
    }

    /// The time that one call may take with all its attempts and pauses; 10 minutes by default. A pause that would end
    /// later does not begin. Bounds neither a wait nor a download.
    ///
    /// Raise it to submit more generations than the key may have in flight: a submit beyond the limit
    /// ([`Error::ConcurrencyLimitExceeded`]) is retried until another generation has ended.
    pub fn retry_within(mut self, time: Duration) -> Self {
        self.0.bounds.within = time;
        self
    }

    /// The longest first pause between two attempts of a call; 500 ms by default. A pause is a random time up to its
    /// bound, which doubles with each retry up to 20 s. A `Retry-After` of the server replaces the pause.
    pub fn retry_delay(mut self, longest: Duration) -> Self {
        self.0.bounds.pause_first = longest;
        self
    }

    /// Keeps the list of [`Clipia::pending`] in a file, beyond the end of the process: one JSON document a line, written before a submit
    /// is sent. A client that is built with the same file lists what the one before has left. One client at a time may use it.
    pub fn pending_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.0.pending_file = Some(path.into());
        self
    }

    /// Builds the client.
    ///
    /// # Errors
    /// [`Error::KeyMissing`], [`Error::KeyMalformed`], [`Error::BaseUrl`], [`Error::Proxy`], [`Error::Certificates`],
    /// [`Error::PendingFile`], [`Error::Input`] for a user agent or a header that cannot be sent, and [`Error::Setup`] if TLS cannot be set up.
    pub fn build(self) -> Result<Clipia, Error> {
        let key = Key::new(&self.0.key)?;
        if let Cow::Owned(_) = key.hide(&self.0.base_url) {
            // Connection errors show the base URL.
            let reason = "it contains the API key; pass the key on its own";
            return Err(Error::BaseUrl { url: "…".to_owned(), reason });
        }
        let base_url = base_url::parse(&self.0.base_url, self.0.allow_http)?;
        let plain = base_url::is_plain(&base_url);
        // Plain http to this machine must not go through a proxy elsewhere.
        let proxies = if plain && base_url::is_this_machine(&base_url) {
            Proxies::default()
        } else if let Some(url) = &self.0.proxy {
            Proxies::one(url).map_err(|reason| Error::Proxy { variable: "Builder::proxy", reason })?
        } else {
            Proxies::read(&environment::of_process)?
        };
        let user_agent = HeaderValue::try_from(self.0.user_agent).map_err(|_| {
            Error::argument("user_agent", "the user agent cannot be sent in a header", VISIBLE)
        })?;
        let http = Http {
            timeout: self.0.timeout,
            connect_timeout: self.0.connect_timeout,
            user_agent,
            headers: headers::read(&self.0.headers)?,
            proxies: Arc::new(proxies),
            certificates: self.0.certificates,
            certificates_at: self.0.certificates_at,
            plain,
        };
        let budget = SharedBudget::new(now());
        #[cfg(feature = "simulation")]
        let budget = if self.0.ignores_others { SharedBudget::ignoring_others(now()) } else { budget };
        let pending = match &self.0.pending_file {
            Some(path) => PendingList::open(path)?,
            None => PendingList::default(),
        };
        let connection = Arc::new(Connection::new(base_url, key, http, self.0.bounds, budget, pending)?);
        Ok(Clipia(Arc::new(Inner {
            scheduler: Arc::new(Scheduler::new(Arc::clone(&connection))),
            connection,
            catalogue: CatalogueCache::default(),
            delivered: DeliveredIds::default(),
        })))
    }

    /// Settings with the key in `CLIPIA_KEY` or else `CLIPIA_API_KEY`, and with `CLIPIA_BASE_URL` and
    /// `CLIPIA_ALLOW_HTTP` (1 or 0) if set.
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

impl Clipia {
    /// A client with the key in `CLIPIA_KEY` or else `CLIPIA_API_KEY`, for the API at `CLIPIA_BASE_URL` or else
    /// `https://api.clipia.ai`.
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn from_env() -> Result<Self, Error> {
        Builder::from_env().build()
    }

    /// Starts the settings of a client.
    pub fn builder() -> Builder {
        Builder::new()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base_url = base_url::parse(&self.0.base_url, self.0.allow_http);
        f.debug_struct("Builder")
            .field("base_url", &base_url.as_ref().map(Url::as_str).ok())
            .field("allow_http", &self.0.allow_http)
            .field("key", &Key::new(&self.0.key).ok())
            .field("timeout", &self.0.timeout)
            .field("connect_timeout", &self.0.connect_timeout)
            .field("user_agent", &self.0.user_agent)
            .field("max_retries", &self.0.bounds.retries)
            .field("retry_within", &self.0.bounds.within)
            .field("retry_delay", &self.0.bounds.pause_first)
            .finish()
    }
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
            (builder.0.key, builder.0.base_url, builder.0.allow_http)
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
    fn a_key_in_the_base_url_is_never_shown() {
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
