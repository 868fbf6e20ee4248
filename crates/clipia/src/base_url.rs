//! Where a key may be sent: over TLS, or to this very machine.

use crate::error::Error;
use url::{Host, Url};

/// Checks a base URL. Nothing but https may carry a key over a network, so plain http is taken for exactly
/// `localhost`, `127.0.0.1` and `[::1]` (`contract.md`, "Authentication").
///
/// The URL is compared after parsing, by the same parser that the HTTP client uses: what looks like a local
/// host but would connect elsewhere is refused.
pub(crate) fn parse(text: &str) -> Result<Url, Error> {
    let text = text.trim();
    let Ok(mut url) = Url::parse(text) else {
        // Not shown: it may be the key, passed in the wrong place.
        let reason = "it is not a URL; one looks like https://api.clipia.ai";
        return Err(Error::BaseUrl { url: "…".to_owned(), reason });
    };
    let refuse = |reason| Err(Error::BaseUrl { url: without_secrets(&url), reason });
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("it names a user; the key is passed on its own");
    }
    match url.scheme() {
        "https" if url.has_host() => {}
        "http" if is_this_machine(&url) => {}
        "http" => {
            return refuse(
                "a key is sent over https only, except to http://localhost, http://127.0.0.1 and http://[::1]",
            );
        }
        _ => return refuse("it must begin with https://"),
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refuse("it has a query or a fragment");
    }
    let path = url.path().trim_end_matches('/').to_owned();
    if path == "/v1" || path.ends_with("/v1") {
        return refuse("leave out the `/v1`; it is added");
    }
    url.set_path(&path);
    Ok(url)
}

/// The URL as an error may show it: users, passwords and queries hold secrets.
pub(crate) fn without_secrets(url: &Url) -> String {
    let mut shown = url.clone();
    // Fails only on URLs without a host, which have none.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_query(None);
    shown.set_fragment(None);
    shown.into()
}

/// Whether it is plain http to this machine, so that neither TLS nor a proxy belongs on the way.
pub(crate) fn is_plain(url: &Url) -> bool {
    url.scheme() == "http"
}

fn is_this_machine(url: &Url) -> bool {
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
            ("https://gateway.example/clipia/", "https://gateway.example/clipia"),
            ("HTTPS://API.clipia.ai:8443", "https://api.clipia.ai:8443/"),
            ("http://localhost:8080", "http://localhost:8080/"),
            ("http://LOCALHOST", "http://localhost/"),
            ("http://127.0.0.1:41873", "http://127.0.0.1:41873/"),
            ("http://[::1]:8080/", "http://[::1]:8080/"),
        ] {
            assert_eq!(parse(text).unwrap().as_str(), taken, "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "api.clipia.ai",
            "clipia_live_secret",
            "http://api.clipia.ai",
            "http://localhost.evil.com",
            "http://localhost.",
            "http://evil.localhost",
            "http://127.0.0.1.nip.io",
            "http://127.0.0.2",
            "http://0.0.0.0",
            "http://[::2]",
            "http://[::ffff:127.0.0.1]",
            "http://localhost@evil.com",
            "http://localhost:80@evil.com",
            "http://127.0.0.1%2eevil.com",
            "http://evil.com#localhost",
            "http://evil.com?localhost",
            "http://evil.com\\@localhost",
            "https://user:secret@api.clipia.ai",
            "https://api.clipia.ai?key=secret",
            "https://api.clipia.ai#top",
            "https://api.clipia.ai/v1",
            "https://api.clipia.ai/v1/",
            "ftp://localhost",
            "file:///etc/passwd",
            "localhost:8080",
        ] {
            let error = parse(text).expect_err(text);
            assert!(matches!(error, Error::BaseUrl { .. }), "{text}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
