//! The URLs that may be called.

use super::addresses::Reach;
use ipnet::IpNet;
use std::net::IpAddr;
use url::{Host, Url};

/// The longest URL that may be called, in bytes.
const URL_BYTES_MAX: usize = 2_048;

/// The URLs that a caller may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whether a URL may have the scheme `http`.
    pub plain_http: bool,
    /// The addresses that may be called.
    pub reach: Reach,
}

/// A URL that may be called. If its host is a name, the addresses of the name are not checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedUrl(Url);

impl AllowedUrl {
    /// The origin: scheme, host and port. The scheme's default port is left out.
    pub fn host(&self) -> String {
        self.0.origin().ascii_serialization()
    }
}

impl From<AllowedUrl> for Url {
    fn from(url: AllowedUrl) -> Self {
        url.0
    }
}

impl From<AllowedUrl> for String {
    fn from(url: AllowedUrl) -> Self {
        url.0.into()
    }
}

/// Why a URL may not be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetRefused {
    /// The text is not a URL.
    #[error("is not a URL")]
    Form,
    /// The URL is too long.
    #[error("is longer than {URL_BYTES_MAX} bytes")]
    Length,
    /// The scheme is not allowed.
    #[error("must begin with https://")]
    Scheme,
    /// The URL has a user name or a password.
    #[error("must not have a user name or a password in it")]
    UserInfo,
    /// The port is usual for another service than HTTP.
    #[error("must have the port 443, 80 or one from 1024 on")]
    Port,
    /// The host is an address of a private network.
    #[error("must lead to a public address")]
    Address,
}

impl Target {
    /// URLs with public addresses, and with addresses in the ranges of `allow`. With `dev`, also those of this machine.
    ///
    /// With `dev` or with such ranges, a URL may have the scheme `http`: hosts in the operator's own network have no certificate.
    /// A delivery is signed in any case.
    pub fn new(dev: bool, allow: &[IpNet]) -> Self {
        Self { plain_http: dev || !allow.is_empty(), reach: Reach { loopback: dev, allow: allow.into() } }
    }

    /// The URL in `text`, if it may be called. The addresses of a host name are checked later, when the connection is made.
    ///
    /// # Errors
    /// [`TargetRefused`] completes the sentence "the URL …".
    pub fn parse(&self, text: &str) -> Result<AllowedUrl, TargetRefused> {
        if text.len() > URL_BYTES_MAX {
            return Err(TargetRefused::Length);
        }
        let url = Url::parse(text).map_err(|_| TargetRefused::Form)?;
        // Percent-encoding may have made the URL longer. Each attempt parses this longer form again.
        if url.as_str().len() > URL_BYTES_MAX {
            return Err(TargetRefused::Length);
        }
        match url.scheme() {
            "https" => {}
            "http" if self.plain_http => {}
            _ => return Err(TargetRefused::Scheme),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetRefused::UserInfo);
        }
        let web_port = matches!(url.port_or_known_default(), Some(80 | 443 | 1024..));
        if !self.reach.loopback && !web_port {
            return Err(TargetRefused::Port);
        }
        // `Url` has parsed every spelling of an address, such as octal or a bare number.
        let address = match url.host() {
            Some(Host::Ipv4(v4)) => Some(IpAddr::V4(v4)),
            Some(Host::Ipv6(v6)) => Some(IpAddr::V6(v6)),
            Some(Host::Domain(name)) if !name.is_empty() => None,
            _ => return Err(TargetRefused::Form),
        };
        if address.is_some_and(|address| !self.reach.allows(address)) {
            return Err(TargetRefused::Address);
        }
        Ok(AllowedUrl(url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn strict(text: &str) -> Option<TargetRefused> {
        Target::new(false, &[]).parse(text).err()
    }

    fn dev(text: &str) -> Option<TargetRefused> {
        Target::new(true, &[]).parse(text).err()
    }

    #[test]
    fn webhooks_are_https_to_public_addresses_except_in_development() {
        use TargetRefused::{Address, Form, Port, Scheme, UserInfo};
        for (text, when_strict, in_development) in [
            ("https://example.com/hook?x=1", None, None),
            ("https://example.com:8443/", None, None),
            ("http://example.com/hook", Some(Scheme), None),
            ("http://127.0.0.1:4000/", Some(Scheme), None),
            ("https://127.0.0.1/", Some(Address), None),
            ("https://[::1]/", Some(Address), None),
            ("https://10.0.0.1/", Some(Address), Some(Address)),
            ("https://169.254.169.254/", Some(Address), Some(Address)),
            ("https://user:pw@example.com/", Some(UserInfo), Some(UserInfo)),
            ("https://user@example.com/", Some(UserInfo), Some(UserInfo)),
            ("https://:pw@example.com/", Some(UserInfo), Some(UserInfo)),
            ("https://example.com\\@127.0.0.1/", None, None), // the host is example.com, as browsers read it
            ("https://example.com:22/", Some(Port), None),
            ("https://example.com:0/", Some(Port), None),
            ("https://example.com:1023/", Some(Port), None),
            ("https://example.com:99999/", Some(Form), Some(Form)),
            ("ftp://example.com/", Some(Scheme), Some(Scheme)),
            ("file:///etc/passwd", Some(Scheme), Some(Scheme)),
            ("gopher://127.0.0.1:6379/_", Some(Scheme), Some(Scheme)),
            ("javascript:alert(1)", Some(Scheme), Some(Scheme)),
            ("example.com/hook", Some(Form), Some(Form)),
            ("//example.com/hook", Some(Form), Some(Form)),
            ("https://", Some(Form), Some(Form)),
            ("https://exa mple.com/", Some(Form), Some(Form)),
            ("", Some(Form), Some(Form)),
        ] {
            assert_eq!(strict(text), when_strict, "{text}");
            assert_eq!(dev(text), in_development, "{text} in development");
        }
        let long = format!("https://example.com/{}", "a".repeat(3_000));
        assert_eq!(strict(&long), Some(TargetRefused::Length));
        let grows = format!("https://example.com/{}", "\u{10ffff}".repeat(500));
        assert_eq!(strict(&grows), Some(TargetRefused::Length));
    }

    #[test]
    fn every_spelling_of_an_address_is_refused() {
        for host in [
            "2130706433",                     // decimal
            "0x7f000001",                     // hexadecimal
            "0x7f.1",                         // parts of different bases
            "0177.0.0.1",                     // octal
            "127.1",                          // short
            "127.0.0.1.",                     // with the root's dot
            "%31%32%37.0.0.1",                // percent-encoded
            "\u{ff11}27.0.0.1",               // a full-width digit
            "127\u{3002}0\u{3002}0\u{3002}1", // ideographic full stops
            "0",
            "0.0.0.0",
            "2852039166", // 169.254.169.254
            "[::1]",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::127.0.0.1]",
            "[64:ff9b::127.0.0.1]",
            "[2002:7f00:1::]",
            "[2001::1]",
            "[fe80::1]",
            "[fec0::1]",
            "[fd00:ec2::254]",
            "[::]",
        ] {
            assert_eq!(strict(&format!("https://{host}/")), Some(TargetRefused::Address), "{host}");
        }
        for host in ["[fe80::1%25eth0]", "[::1", "127.0.0.0x100", "1.2.3.4.5", "4294967296", "127..1"] {
            assert!(strict(&format!("https://{host}/")).is_some(), "{host}");
        }
    }

    #[test]
    fn allowed_ranges_need_no_tls() {
        let target = Target::new(false, &["10.0.0.0/8".parse().unwrap()]);
        assert!(target.parse("http://10.1.2.3:8080/hook").is_ok());
        assert!(target.parse("http://app:8080/hook").is_ok());
        assert_eq!(target.parse("http://10.1.2.3:25/"), Err(TargetRefused::Port));
        assert_eq!(target.parse("http://127.0.0.1:8080/"), Err(TargetRefused::Address));
        assert_eq!(target.parse("http://192.168.0.1:8080/"), Err(TargetRefused::Address));
    }

    proptest! {
        #[test]
        fn an_allowed_url_is_allowed_when_it_is_parsed_again(text in "(https?://)?[a-z0-9.:@\\[\\]%/\\\\-]{0,40}") {
            let target = Target::new(false, &[]);
            if let Ok(url) = target.parse(&text) {
                let spelled = String::from(url.clone());
                prop_assert_eq!(target.parse(&spelled), Ok(url));
            }
        }
    }
}
