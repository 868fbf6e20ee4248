//! Which URLs may be called.

use super::addresses::Reach;
use std::net::IpAddr;
use url::{Host, Url};

/// The longest URL that is taken, in bytes.
const URL_BYTES_MAX: usize = 2_048;

/// What a caller may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whether `http` will do.
    pub plain_http: bool,
    /// Which addresses may be called.
    pub reach: Reach,
}

/// Why a URL may not be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetRefused {
    /// It is not a URL.
    #[error("is not a URL")]
    Form,
    /// It is longer than is taken.
    #[error("is longer than {URL_BYTES_MAX} bytes")]
    Length,
    /// The scheme is another.
    #[error("must begin with https://")]
    Scheme,
    /// There is a user name or a password in it.
    #[error("must not have a user name or a password in it")]
    UserInfo,
    /// The port is one where other services than HTTP listen.
    #[error("must have the port 443, 80 or one from 1024 on")]
    Port,
    /// The host is an address of a private network.
    #[error("must lead to a public address")]
    Address,
}

impl Target {
    /// The URL in `text`, if it may be called. A host name is checked again for its addresses, when it is connected to.
    ///
    /// # Errors
    /// [`TargetRefused`] completes the sentence "the URL …".
    pub fn parse(self, text: &str) -> Result<Url, TargetRefused> {
        if text.len() > URL_BYTES_MAX {
            return Err(TargetRefused::Length);
        }
        let url = Url::parse(text).map_err(|_| TargetRefused::Form)?;
        match url.scheme() {
            "https" => {}
            "http" if self.plain_http => {}
            _ => return Err(TargetRefused::Scheme),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetRefused::UserInfo);
        }
        let web_port = matches!(url.port_or_known_default(), Some(80 | 443 | 1024..));
        if self.reach == Reach::Public && !web_port {
            return Err(TargetRefused::Port);
        }
        // `Url` has turned every spelling of an address (octal, a bare number) into the address itself.
        let address = match url.host() {
            Some(Host::Ipv4(v4)) => Some(IpAddr::V4(v4)),
            Some(Host::Ipv6(v6)) => Some(IpAddr::V6(v6)),
            Some(Host::Domain(_)) => None,
            None => return Err(TargetRefused::Form),
        };
        if address.is_some_and(|address| !self.reach.allows(address)) {
            return Err(TargetRefused::Address);
        }
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: Target = Target { plain_http: false, reach: Reach::Public };
    const DEV: Target = Target { plain_http: true, reach: Reach::Loopback };

    #[test]
    fn webhooks_are_https_to_public_places_unless_in_development() {
        for (text, strict, dev) in [
            ("https://example.com/hook?x=1", None, None),
            ("http://example.com/hook", Some(TargetRefused::Scheme), None),
            ("http://127.0.0.1:4000/", Some(TargetRefused::Scheme), None),
            ("https://127.0.0.1/", Some(TargetRefused::Address), None),
            ("https://2130706433/", Some(TargetRefused::Address), None),
            ("https://0x7f.1/", Some(TargetRefused::Address), None),
            ("https://[::ffff:127.0.0.1]/", Some(TargetRefused::Address), None),
            ("https://10.0.0.1/", Some(TargetRefused::Address), Some(TargetRefused::Address)),
            ("https://169.254.169.254/", Some(TargetRefused::Address), Some(TargetRefused::Address)),
            ("https://user:pw@example.com/", Some(TargetRefused::UserInfo), Some(TargetRefused::UserInfo)),
            ("https://example.com:22/", Some(TargetRefused::Port), None),
            ("ftp://example.com/", Some(TargetRefused::Scheme), Some(TargetRefused::Scheme)),
            ("example.com/hook", Some(TargetRefused::Form), Some(TargetRefused::Form)),
            ("https://", Some(TargetRefused::Form), Some(TargetRefused::Form)),
            ("", Some(TargetRefused::Form), Some(TargetRefused::Form)),
        ] {
            assert_eq!(STRICT.parse(text).err(), strict, "{text}");
            assert_eq!(DEV.parse(text).err(), dev, "{text} in development");
        }
        assert_eq!(
            STRICT.parse(&format!("https://example.com/{}", "a".repeat(3_000))),
            Err(TargetRefused::Length)
        );
    }
}
