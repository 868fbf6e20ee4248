//! A receiver of webhooks, and how it answers a delivery.

use super::{HeaderCase, SignedDelivery};
use crate::exit::Usage;
use anyhow::{Context, ensure};
use bytes::BytesMut;
use clipia_queue::schedules::DELIVERY_TIMEOUT;
use clipia_server::outbound::client::{causes, install_tls_provider, start_of_body};
use reqwest::{Client, ClientBuilder, Url};
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// The most bytes of a response that are read and shown.
const REPLY_BYTES_MAX: usize = 2 * 1024;

/// A receiver at a URL.
pub(crate) struct Receiver {
    url: Url,
    lower: Client,
    title: Client,
}

/// How a receiver answered one delivery.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) answer: Answer,
    /// The time from the first byte sent to the end of the response.
    pub(crate) took: Duration,
    /// The beginning of the response's body.
    pub(crate) reply: String,
}

/// What came back. Its text is the end of a sentence about the receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A response with this status.
    Status(u16),
    /// Nothing within the time that a server waits.
    TimedOut,
    /// No connection was made.
    Unreachable(String),
    /// The connection ended without a response.
    Broken(String),
}

impl Receiver {
    /// The receiver at `url`: https, this machine, or with `allows_http` plain http to another one.
    ///
    /// # Errors
    /// [`Usage`] if the URL is not one of these.
    pub(crate) fn at(url: &str, allows_http: bool) -> anyhow::Result<Self> {
        let url = address(url, allows_http)?;
        install_tls_provider();
        let builder = || {
            Client::builder()
                .user_agent(concat!("clipia-cli/", env!("CARGO_PKG_VERSION")))
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                // A connection for each delivery: what one did to its connection is no fault of the next.
                .pool_max_idle_per_host(0)
        };
        let build = |builder: ClientBuilder| builder.build().context("setting up TLS");
        let title = builder().http1_only().http1_title_case_headers();
        Ok(Self { url, lower: build(builder())?, title: build(title)? })
    }

    /// The URL without its query, which may hold a secret.
    pub(crate) fn shown(&self) -> String {
        let mut shown = self.url.clone();
        shown.set_query(None);
        shown.set_fragment(None);
        shown.into()
    }

    /// Sends a delivery once.
    pub(crate) async fn send(&self, delivery: SignedDelivery) -> Response {
        let client = match delivery.header_case {
            HeaderCase::Lower => &self.lower,
            HeaderCase::Title => &self.title,
        };
        let mut request = client.post(self.url.clone()).header("content-type", "application/json");
        for (name, value) in delivery.headers {
            request = request.header(name, value);
        }
        let mut reply = BytesMut::new();
        let begun = Instant::now();
        let exchange = async {
            let response = request.body(delivery.body).send().await?;
            let status = response.status().as_u16();
            start_of_body(response, REPLY_BYTES_MAX, &mut reply).await;
            Ok(status)
        };
        let answer = match tokio::time::timeout(DELIVERY_TIMEOUT, exchange).await {
            Ok(Ok(status)) => Answer::Status(status),
            Ok(Err(error)) => Answer::of(&error),
            Err(_) => Answer::TimedOut,
        };
        Response { answer, took: begun.elapsed(), reply: String::from_utf8_lossy(&reply).into_owned() }
    }
}

impl Answer {
    fn of(error: &reqwest::Error) -> Self {
        // The innermost error only: the outer ones have the URL in them.
        let innermost = causes(error).last().map_or_else(String::new, ToString::to_string);
        if error.is_connect() { Self::Unreachable(innermost) } else { Self::Broken(innermost) }
    }

    /// The status of the response, if there is one.
    pub(crate) fn status(&self) -> Option<u16> {
        if let Self::Status(status) = self { Some(*status) } else { None }
    }

    /// Whether a server takes the delivery for received.
    pub(crate) fn is_taken(&self) -> bool {
        matches!(self, Self::Status(200..300))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "responded with {status}"),
            Self::TimedOut => write!(f, "did not respond within {} s", DELIVERY_TIMEOUT.as_secs()),
            Self::Unreachable(why) => write!(f, "cannot be reached: {why}"),
            Self::Broken(why) => write!(f, "ended the connection without a response: {why}"),
        }
    }
}

/// The URL of a receiver.
fn address(text: &str, allows_http: bool) -> anyhow::Result<Url> {
    let refused = |why: &str| Usage::new(format!("the receiver's URL {why}"));
    let url = Url::parse(text.trim())
        .map_err(|_| refused("is not one; write such as http://localhost:3000/hook"))?;
    ensure!(url.has_host(), refused("has no scheme; write such as http://localhost:3000/hook"));
    ensure!(
        url.username().is_empty() && url.password().is_none(),
        refused("names a user, which a server refuses; a delivery is known by its signature")
    );
    match url.scheme() {
        "https" => {}
        "http" if allows_http || is_this_machine(&url) => {}
        "http" => {
            return Err(refused(
                "must begin with https://, except for this machine; where nobody else listens on the network, allow http with \
                 `--allow-http` or `CLIPIA_ALLOW_HTTP=1`",
            )
            .into());
        }
        _ => return Err(refused("must begin with http:// or https://").into()),
    }
    Ok(url)
}

fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_is_https_or_this_machine_unless_http_is_allowed() {
        for (url, taken, taken_with_http) in [
            ("https://example.com/hook?token=1", true, true),
            ("http://localhost:3000/hook", true, true),
            ("http://LOCALHOST", true, true),
            ("http://127.0.0.1:3000", true, true),
            ("http://127.1", true, true),
            ("http://[::1]:3000/", true, true),
            ("http://10.0.0.7/hook", false, true),
            ("http://example.com/hook", false, true),
            ("http://localhost.example.com/", false, true),
            ("http://127.0.0.1.example.com/", false, true),
            ("http://user@localhost/", false, false),
            ("localhost:3000", false, false),
            ("ftp://localhost/", false, false),
            ("/hook", false, false),
            ("", false, false),
        ] {
            assert_eq!(address(url, false).is_ok(), taken, "{url}");
            assert_eq!(address(url, true).is_ok(), taken_with_http, "{url} with http");
        }
    }

    #[test]
    fn the_query_of_a_receiver_is_not_shown() {
        let receiver = Receiver::at("http://localhost:3000/hook?token=secret#part", false).unwrap();
        assert_eq!(receiver.shown(), "http://localhost:3000/hook");
    }
}
