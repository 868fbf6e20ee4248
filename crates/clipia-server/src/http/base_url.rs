//! The address that a call was made to. The URLs of its response begin with it.

use super::App;
use crate::api_error::ApiError;
use axum::extract::FromRequestParts;
use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use std::net::Ipv6Addr;
use std::sync::Arc;

/// The longest `Host` that is accepted, in bytes: DNS has no longer name.
const HOST_BYTES_MAX: usize = 255;

/// The address that the URLs of a response begin with, such as `https://queue.example.com`.
pub(crate) struct BaseUrl(pub(crate) String);

impl FromRequestParts<Arc<App>> for BaseUrl {
    type Rejection = ApiError;

    /// The public address of the server if it has one, else the one that the call names.
    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let called = Self::of(parts)?;
        Ok(app.public_url.get().map_or(called, |public| Self(public.to_owned())))
    }
}

impl BaseUrl {
    /// The address that a call names.
    fn of(parts: &Parts) -> Result<Self, ApiError> {
        let host = match parts.uri.authority() {
            Some(authority) => Some(authority.as_str()),
            None => host(&parts.headers)?,
        };
        // A call by HTTP/1.0 may have no `Host`.
        let host = host.filter(|host| !host.is_empty()).unwrap_or("localhost");
        if !is_host(host) {
            return Err(invalid());
        }
        Ok(Self(format!("{}://{host}", scheme(&parts.headers))))
    }
}

fn host(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let mut values = headers.get_all(HOST).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(host), None) => host.to_str().map(Some).map_err(|_| invalid()),
        _ => Err(invalid()),
    }
}

/// The error of an invalid `Host`, which RFC 9112 (section 3.2) requires the server to refuse.
fn invalid() -> ApiError {
    ApiError::invalid(
        "`Host` must be a name or an address with at most a port, such as queue.example.com:8080",
    )
}

/// Whether this is a name or an address, with or without a port.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            let port = rest.strip_prefix(':').or_else(|| rest.is_empty().then_some(""));
            return address.parse::<Ipv6Addr>().is_ok() && port.is_some_and(is_port);
        }
        None => text.split_once(':').unwrap_or((text, "")),
    };
    let of_a_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (1..=HOST_BYTES_MAX).contains(&host.len()) && host.bytes().all(of_a_name) && is_port(port)
}

fn is_port(text: &str) -> bool {
    text.is_empty()
        || text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// The scheme that the client used: `https` where a proxy that terminates TLS says so. Where there are several proxies, the
/// client called the first one in the list.
pub(crate) fn scheme(headers: &HeaderMap) -> &'static str {
    let forwarded = headers.get("x-forwarded-proto").map(HeaderValue::as_bytes).unwrap_or_default();
    let first = forwarded.split(|byte| *byte == b',').next().unwrap_or_default();
    if first.trim_ascii().eq_ignore_ascii_case(b"https") { "https" } else { "http" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn base_url(uri: &str, headers: &[(&str, &str)]) -> Option<String> {
        let mut request = Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        BaseUrl::of(&parts).ok().map(|base| base.0)
    }

    #[test]
    fn urls_begin_with_the_address_that_was_called() {
        let (name, long) = ("a".repeat(255), "a".repeat(256));
        for (headers, expected) in [
            (&[("host", "127.0.0.1:4747")][..], Some("http://127.0.0.1:4747")),
            (&[("host", "[::1]:4747")], Some("http://[::1]:4747")),
            (&[("host", "queue_1.example.com")], Some("http://queue_1.example.com")),
            (&[("host", &name)], Some(&*format!("http://{name}"))),
            (&[("host", "")], Some("http://localhost")),
            (&[], Some("http://localhost")),
            (&[("host", &long)], None),
            (&[("host", "user@example.com")], None),
            (&[("host", "not a host")], None),
            (&[("host", "a/b")], None),
            (&[("host", "a\"b")], None),
            (&[("host", "a:b")], None),
            (&[("host", "a:99999")], None),
            (&[("host", "a:+80")], None),
            (&[("host", "[::1")], None),
            (&[("host", "[::1]x")], None),
            (&[("host", "[fe80::1%25eth0]")], None),
            (&[("host", "a"), ("host", "b")], None),
        ] {
            assert_eq!(base_url("/v1/models", headers).as_deref(), expected, "{headers:?}");
        }
        assert_eq!(base_url("http://a:80/", &[("host", "b")]).as_deref(), Some("http://a:80"));
        assert_eq!(base_url("http://user@a/", &[]), None);
    }

    #[test]
    fn the_first_proxy_decides_the_scheme() {
        for (forwarded, scheme) in [
            ("https", "https"),
            ("HTTPS", "https"),
            ("https, http", "https"),
            (" https ,http", "https"),
            ("http, https", "http"),
            ("javascript", "http"),
            ("", "http"),
            (",https", "http"),
        ] {
            let url = base_url("/", &[("host", "a"), ("x-forwarded-proto", forwarded)]);
            assert_eq!(url.as_deref(), Some(&*format!("{scheme}://a")), "{forwarded}");
        }
    }
}
