//! To which host a delivery goes, and what of its URL is shown.

use url::Url;

/// Who is called by `url`: its scheme, host and port, with the port left out where it is the scheme's.
pub fn host_of(url: &str) -> String {
    Url::parse(url).map_or_else(|_| String::new(), |url| url.origin().ascii_serialization())
}

/// The URL of a delivery as operators see it: without its query and its fragment, which may hold a secret.
pub fn shown(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_its_scheme_name_and_port() {
        for (url, host) in [
            ("https://Example.com/a?b", "https://example.com"),
            ("https://example.com:443/c", "https://example.com"),
            ("http://example.com/", "http://example.com"),
            ("https://example.com:8443/", "https://example.com:8443"),
            ("https://[2606:4700::1]/", "https://[2606:4700::1]"),
        ] {
            assert_eq!(host_of(url), host);
        }
    }

    #[test]
    fn what_may_hold_a_secret_is_not_shown() {
        for url in ["https://example.com/a", "https://example.com/a?key=b", "https://example.com/a#b?c"] {
            assert_eq!(shown(url), "https://example.com/a");
        }
    }
}
