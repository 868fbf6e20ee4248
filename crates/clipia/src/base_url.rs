//! Base URLs to which a key may be sent: https, this machine, or plain http if the caller allowed it.

use crate::environment::clean;
use crate::error::Error;
use url::{Host, ParseError, Url};

/// The host of Clipia's own API.
const HOST: &str = "api.clipia.ai";

/// Checks a base URL. Only https may carry a key over a network unless `allow_http`, so plain http is accepted for
/// exactly `localhost`, `127.0.0.1` and `[::1]` (`contract.md`, "Authentication").
///
/// The URL is checked after parsing, by the parser that the HTTP client uses, so that a URL that only looks local is
/// refused. A trailing `/v1` is removed, because every path begins with one and the API's documentation writes it.
pub(crate) fn parse(text: &str, allow_http: bool) -> Result<Url, Error> {
    let text = clean(text);
    let mut url = match Url::parse(text) {
        Ok(url) if url.has_host() => url,
        // `localhost:8080` is a URL of the scheme `localhost`.
        Ok(url) if url.cannot_be_a_base() => return Err(without_scheme(text)),
        Err(ParseError::RelativeUrlWithoutBase) => return Err(without_scheme(text)),
        _ => return Err(hidden("it is not a URL; one looks like https://api.clipia.ai")),
    };
    let refuse = |reason| Err(Error::BaseUrl { url: without_secrets(&url), reason });
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("it names a user; the key is passed on its own");
    }
    match url.scheme() {
        "https" => {}
        "http" if allow_http || is_this_machine(&url) => {}
        "http" => {
            return refuse(
                "a key is sent over https only, except to http://localhost, http://127.0.0.1 and http://[::1]; \
                 where nobody else listens on the network, allow http with `allow_http` or `CLIPIA_ALLOW_HTTP=1`",
            );
        }
        _ => return refuse("it must begin with https://"),
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refuse("it has a query or a fragment");
    }
    let path = url.path().trim_end_matches('/');
    let path = path.strip_suffix("/v1").unwrap_or(path).trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// The error for a URL without a scheme, which says what to write. `text` is shown only if its host is well known: it
/// may be the key, passed in the wrong place.
fn without_scheme(text: &str) -> Error {
    if text.is_empty() {
        return hidden("it is empty; write one such as https://api.clipia.ai, or leave it out");
    }
    match Url::parse(&format!("http://{text}")) {
        Ok(url) if url.host_str() == Some(HOST) => {
            Error::BaseUrl { url: HOST.to_owned(), reason: "it has no scheme: write https://api.clipia.ai" }
        }
        Ok(url) if is_this_machine(&url) => {
            let url = url.host_str().unwrap_or_default().to_owned();
            Error::BaseUrl {
                url,
                reason: "it has no scheme: write `http://` before it, as in http://localhost:8080",
            }
        }
        _ => hidden("it has no scheme: write `https://` before it, as in https://api.clipia.ai"),
    }
}

fn hidden(reason: &'static str) -> Error {
    Error::BaseUrl { url: "…".to_owned(), reason }
}

/// The URL as errors may show it: without user, password, query and fragment, which may hold secrets.
pub(crate) fn without_secrets(url: &Url) -> String {
    let mut shown = url.clone();
    // Fails only for URLs without a host, which have neither.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_query(None);
    shown.set_fragment(None);
    shown.into()
}

/// Whether the URL is plain http, which needs no certificates.
pub(crate) fn is_plain(url: &Url) -> bool {
    url.scheme() == "http"
}

/// Whether the host is exactly this machine.
pub(crate) fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.octets() == [127, 0, 0, 1],
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_and_this_machine_are_taken() {
        for (text, taken) in [
            ("https://api.clipia.ai", "https://api.clipia.ai/"),
            (" https://api.clipia.ai/ ", "https://api.clipia.ai/"),
            ("\u{feff}\"https://api.clipia.ai\"\r\n", "https://api.clipia.ai/"),
            ("https://api.clipia.ai/v1", "https://api.clipia.ai/"),
            ("https://api.clipia.ai/v1/", "https://api.clipia.ai/"),
            ("https://gateway.example/clipia/", "https://gateway.example/clipia"),
            ("https://gateway.example/clipia/v1/", "https://gateway.example/clipia"),
            ("https://gateway.example/clipia-v1", "https://gateway.example/clipia-v1"),
            ("HTTPS://API.clipia.ai:8443", "https://api.clipia.ai:8443/"),
            ("http://localhost:8080", "http://localhost:8080/"),
            ("http://localhost:8080/v1", "http://localhost:8080/"),
            ("http://LOCALHOST", "http://localhost/"),
            ("http://127.0.0.1:41873", "http://127.0.0.1:41873/"),
            ("http://[::1]:8080/", "http://[::1]:8080/"),
        ] {
            assert_eq!(parse(text, false).unwrap().as_str(), taken, "{text}");
        }
    }

    const OTHER_HOSTS: [&str; 13] = [
        "http://api.clipia.ai",
        "http://clipia:8080",
        "http://10.1.2.3",
        "http://localhost.evil.com",
        "http://localhost.",
        "http://evil.localhost",
        "http://127.0.0.1.nip.io",
        "http://127.0.0.2",
        "http://0.0.0.0",
        "http://[::2]",
        "http://[::ffff:127.0.0.1]",
        "http://127.0.0.1%2eevil.com",
        "http://evil.com\\@localhost",
    ];

    #[test]
    fn plain_http_to_other_hosts_must_be_allowed() {
        for text in OTHER_HOSTS {
            let said = parse(text, false).expect_err(text).to_string();
            assert!(said.contains("`allow_http`") && said.contains("`CLIPIA_ALLOW_HTTP=1`"), "{said}");
            assert_eq!(parse(text, true).unwrap(), Url::parse(text).unwrap());
        }
    }

    #[test]
    fn a_url_without_a_scheme_is_told_what_to_write() {
        for (text, shown, advice) in [
            ("api.clipia.ai", "`api.clipia.ai`", "write https://api.clipia.ai"),
            ("api.clipia.ai:443/v1", "`api.clipia.ai`", "write https://api.clipia.ai"),
            ("localhost:8080", "`localhost`", "write `http://` before it"),
            ("127.0.0.1:8080/secret", "`127.0.0.1`", "write `http://` before it"),
            ("gateway.example/secret", "`…`", "write `https://` before it"),
            ("clipia:8080", "`…`", "write `https://` before it"),
            ("clipia_live_secret", "`…`", "write `https://` before it"),
            ("secret:secret", "`…`", "write `https://` before it"),
            ("//secret", "`…`", "write `https://` before it"),
            ("", "`…`", "it is empty"),
            ("https://secret:99999", "`…`", "one looks like https://api.clipia.ai"),
        ] {
            let said = parse(text, true).expect_err(text).to_string();
            assert!(said.contains(shown) && said.contains(advice), "{text}: {said}");
            assert!(!said.contains("secret"), "{said}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "http://localhost@evil.com",
            "http://localhost:80@evil.com",
            "http://evil.com#localhost",
            "http://evil.com?localhost",
            "https://user:secret@api.clipia.ai",
            "https://api.clipia.ai?key=secret",
            "https://api.clipia.ai/v1?key=secret",
            "https://api.clipia.ai#top",
            "ftp://localhost",
            "file:///etc/passwd",
            "secret:/secret",
        ] {
            for allow_http in [false, true] {
                let error = parse(text, allow_http).expect_err(text);
                assert!(matches!(error, Error::BaseUrl { .. }), "{text}");
                assert!(!error.to_string().contains("secret"), "{error}");
            }
        }
    }
}
