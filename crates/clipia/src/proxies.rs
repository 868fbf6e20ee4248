//! The proxy of each connection, from `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`.
//!
//! reqwest reads the same variables, but it connects directly if it cannot read one, and supports no ports in
//! `NO_PROXY`. A direct connection shows the network what a proxy was to hide, and runs into a timeout at a firewall.

use crate::environment::{self, Lookup, clean, is_blank};
use crate::error::Error;
use ipnet::IpNet;
use reqwest::{ClientBuilder, Proxy};
use std::net::IpAddr;
use std::sync::Arc;
use url::{Host, Url};

/// The proxy schemes that reqwest supports. `socks` is not one of them: some programs mean version 4 by it, some 5.
const SCHEMES: [&str; 6] = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];

/// No `Debug`: a proxy's URL may hold a password.
#[derive(Default)]
pub(crate) struct Proxies {
    http: Option<Url>,
    https: Option<Url>,
    direct: Vec<Direct>,
}

impl Proxies {
    /// The proxies in an environment. Upper case goes before lower case, the variable of a scheme before
    /// `ALL_PROXY`. An empty variable is ignored.
    ///
    /// # Errors
    /// [`Error::Proxy`] for a variable that would be used but cannot be read.
    pub(crate) fn read(lookup: Lookup<'_>) -> Result<Self, Error> {
        // A CGI program finds the header `Proxy` of its caller in `HTTP_PROXY` (https://httpoxy.org).
        let is_cgi = lookup("REQUEST_METHOD").is_some();
        let http: &[_] = if is_cgi { &["http_proxy"] } else { &["HTTP_PROXY", "http_proxy"] };
        let or_all = |proxy| match proxy {
            None => proxy_of(lookup, &["ALL_PROXY", "all_proxy"]),
            proxy => Ok(proxy),
        };
        let hosts = environment::first(lookup, &["NO_PROXY", "no_proxy"]).unwrap_or_default();
        let hosts = hosts.split([',', ' ', '\t', '\r', '\n']).map(clean).filter(|entry| !entry.is_empty());
        Ok(Self {
            http: or_all(proxy_of(lookup, http)?)?,
            https: or_all(proxy_of(lookup, &["HTTPS_PROXY", "https_proxy"])?)?,
            direct: hosts.map(Direct::parse).collect(),
        })
    }

    /// One proxy for every connection.
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub(crate) fn one(url: &str) -> Result<Self, &'static str> {
        let url = parse(clean(url))?;
        Ok(Self { http: Some(url.clone()), https: Some(url), direct: Vec::new() })
    }

    /// The proxy on the way to `url`.
    fn towards(&self, url: &Url) -> Option<&Url> {
        let proxy = match url.scheme() {
            "http" => self.http.as_ref(),
            _ => self.https.as_ref(),
        };
        proxy.filter(|_| !self.direct.iter().any(|direct| direct.includes(url)))
    }

    /// Whether the connection to one of the proxies itself uses TLS.
    pub(crate) fn need_tls(&self) -> bool {
        [&self.http, &self.https].into_iter().flatten().any(|proxy| proxy.scheme() == "https")
    }

    /// Makes a client use these proxies, and none that it finds itself.
    pub(crate) fn apply(self: &Arc<Self>, client: ClientBuilder) -> ClientBuilder {
        let client = client.no_proxy();
        if self.http.is_none() && self.https.is_none() {
            return client;
        }
        let proxies = Arc::clone(self);
        client.proxy(Proxy::custom(move |url| proxies.towards(url).cloned()))
    }
}

fn proxy_of(lookup: Lookup<'_>, names: &[&'static str]) -> Result<Option<Url>, Error> {
    for variable in names {
        let Some(value) = lookup(variable) else { continue };
        let refuse = |reason| Error::Proxy { variable, reason };
        let text = value.to_str().ok_or_else(|| refuse("it is not Unicode"))?;
        let text = clean(text);
        if !text.is_empty() {
            return parse(text).map(Some).map_err(refuse);
        }
    }
    Ok(None)
}

fn parse(text: &str) -> Result<Url, &'static str> {
    if text.contains(is_blank) {
        return Err("it has white space or an invisible character within");
    }
    const NONE: &str = "it is not a proxy's URL; one looks like http://proxy.example:3128";
    let url = match text.split_once(':') {
        Some((_, rest)) if rest.starts_with("//") => Url::parse(text),
        // A missing `//`, not the host `http`.
        Some((scheme, _)) if SCHEMES.contains(&scheme) => return Err(NONE),
        _ => Url::parse(&format!("http://{text}")),
    };
    let url = url.map_err(|_| NONE)?;
    if !SCHEMES.contains(&url.scheme()) {
        return Err("it must begin with http://, https://, socks5h://, socks5://, socks4a:// or socks4://");
    }
    // reqwest parses the URL again as a `Uri`, and would connect directly if that failed.
    if url.host_str().is_none_or(str::is_empty) || url.as_str().parse::<http::Uri>().is_err() {
        return Err("its host is malformed");
    }
    Ok(url)
}

/// An entry of `NO_PROXY`: hosts with direct connections, on this port or on any.
struct Direct {
    hosts: Hosts,
    port: Option<u16>,
}

enum Hosts {
    All,
    Network(IpNet),
    /// A domain and its subdomains.
    Domain(String),
}

impl Direct {
    /// Parses an entry as curl does (`*`, `example.com`, `.example.com`, addresses, networks), as Go does (with a
    /// port), and as people write it (`*.example.com`).
    fn parse(entry: &str) -> Self {
        // Checked before the port, because IPv6 addresses contain colons.
        if let Some(network) = network(entry) {
            return Self { hosts: Hosts::Network(network), port: None };
        }
        let with_port = entry.rsplit_once(':').and_then(|(hosts, port)| Some((hosts, port.parse().ok()?)));
        let (hosts, port) = with_port.map_or((entry, None), |(hosts, port)| (hosts, Some(port)));
        let hosts = hosts.strip_prefix('[').and_then(|hosts| hosts.strip_suffix(']')).unwrap_or(hosts);
        let hosts = match network(hosts) {
            Some(network) => Hosts::Network(network),
            None if hosts == "*" => Hosts::All,
            None => Hosts::Domain(hosts.trim_start_matches(['*', '.']).trim_end_matches('.').to_lowercase()),
        };
        Self { hosts, port }
    }

    fn includes(&self, url: &Url) -> bool {
        if self.port.is_some() && self.port != url.port_or_known_default() {
            return false;
        }
        match (&self.hosts, url.host()) {
            (Hosts::All, _) => true,
            (Hosts::Network(network), Some(Host::Ipv4(address))) => network.contains(&IpAddr::V4(address)),
            (Hosts::Network(network), Some(Host::Ipv6(address))) => network.contains(&IpAddr::V6(address)),
            (Hosts::Domain(domain), Some(Host::Domain(host))) => {
                let above = host.trim_end_matches('.').strip_suffix(domain.as_str());
                above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
            }
            _ => false,
        }
    }
}

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| Some(IpNet::from(text.parse::<IpAddr>().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::table;
    use proptest::prelude::*;

    #[test]
    fn each_scheme_has_its_variable() {
        let (api, media) = ("https://api.clipia.ai", "http://media.example:8080");
        // The environment, then the proxies for an https and for an http URL.
        for (variables, https, http) in [
            (&[][..], None, None),
            (&[("HTTPS_PROXY", "http://p:1")], Some("http://p:1/"), None),
            (&[("https_proxy", "http://p:1")], Some("http://p:1/"), None),
            (&[("HTTP_PROXY", "http://p:1")], None, Some("http://p:1/")),
            (&[("HTTPS_PROXY", "http://p:1\n")], Some("http://p:1/"), None),
            (&[("HTTPS_PROXY", " \"http://p:1\" ")], Some("http://p:1/"), None),
            (&[("HTTPS_PROXY", "p:1")], Some("http://p:1/"), None),
            (&[("HTTPS_PROXY", "https://p")], Some("https://p/"), None),
            (&[("HTTPS_PROXY", "socks5h://p:1")], Some("socks5h://p:1"), None),
            (&[("HTTPS_PROXY", "socks4://[::1]:1")], Some("socks4://[::1]:1"), None),
            // reqwest itself would connect directly: the password has an `@`.
            (&[("HTTPS_PROXY", "http://me:p@ss@p:1")], Some("http://me:p%40ss@p:1/"), None),
            (&[("HTTPS_PROXY", ""), ("https_proxy", "http://q:1")], Some("http://q:1/"), None),
            (&[("HTTPS_PROXY", "http://p:1"), ("https_proxy", "http://q:1")], Some("http://p:1/"), None),
            (&[("ALL_PROXY", "socks5://p:1")], Some("socks5://p:1"), Some("socks5://p:1")),
            (&[("all_proxy", "p"), ("HTTPS_PROXY", "q")], Some("http://q/"), Some("http://p/")),
            // Not used for any connection, so its scheme does not matter.
            (
                &[("ALL_PROXY", "socks://p"), ("HTTPS_PROXY", "q"), ("HTTP_PROXY", "q")],
                Some("http://q/"),
                Some("http://q/"),
            ),
            (
                &[("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "p"), ("HTTPS_PROXY", "q")],
                Some("http://q/"),
                None,
            ),
            (&[("ALL_PROXY", "p"), ("NO_PROXY", "clipia.ai")], None, Some("http://p/")),
            (&[("ALL_PROXY", "p"), ("no_proxy", "*")], None, None),
        ] {
            let proxies = Proxies::read(&table(variables)).unwrap();
            let towards = |url: &str| proxies.towards(&Url::parse(url).unwrap()).map(Url::as_str);
            assert_eq!((towards(api), towards(media)), (https, http), "{variables:?}");
        }
    }

    #[test]
    fn an_unreadable_variable_is_named_and_its_value_is_not() {
        for (variable, value, reason) in [
            ("HTTPS_PROXY", "http://me:secret@pro xy:1", "white space"),
            ("https_proxy", "http://me:secret@pro\nxy:1", "white space"),
            ("HTTP_PROXY", "http://me:secret@p:99999", "not a proxy's URL"),
            ("HTTP_PROXY", "http:me:secret@p", "not a proxy's URL"),
            ("HTTP_PROXY", "http:/secret:1", "not a proxy's URL"),
            ("HTTP_PROXY", "http://", "not a proxy's URL"),
            ("ALL_PROXY", "socks://me:secret@p:1", "must begin with"),
            ("ALL_PROXY", "ftp://secret", "must begin with"),
            ("all_proxy", "socks5://", "host"),
            ("all_proxy", "socks5://sec<ret", "not a proxy's URL"),
            ("HTTPS_PROXY", "\"http://secret:1", "not a proxy's URL"),
        ] {
            let error = Proxies::read(&table(&[(variable, value)])).err().expect(value);
            let said = error.to_string();
            assert!(said.contains(&format!("`{variable}`")) && said.contains(reason), "{value}: {said}");
            assert!(!format!("{said} {error:?}").contains("secret"), "{said}");
        }
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStringExt;
            let lookup = |name: &str| (name == "HTTPS_PROXY").then(|| OsStringExt::from_vec(vec![0xff]));
            assert!(Proxies::read(&lookup).is_err());
        }
    }

    #[test]
    fn no_proxy_names_hosts_networks_and_ports() {
        for (entries, url, direct) in [
            ("example.com", "https://example.com", true),
            ("EXAMPLE.com", "https://api.example.com:8443", true),
            (".example.com", "https://api.example.com", true),
            (".example.com", "https://example.com", true),
            ("*.example.com", "https://api.example.com", true),
            ("example.com.", "https://example.com", true),
            ("example.com", "https://example.com.", true),
            ("example.com", "https://notexample.com", false),
            ("example.com", "https://example.com.evil.org", false),
            ("example.com:8443", "https://example.com:8443", true),
            ("example.com:8443", "https://api.example.com:8443", true),
            ("example.com:8443", "https://example.com", false),
            ("example.com:443", "https://example.com", true),
            ("example.com:80", "https://example.com", false),
            ("localhost:8080", "http://localhost:8080", true),
            ("localhost:8080", "http://localhost:8081", false),
            ("*", "https://anything.example", true),
            ("*:8443", "https://anything.example:8443", true),
            ("10.0.0.0/8", "https://10.1.2.3", true),
            ("10.0.0.0/8", "https://11.1.2.3", false),
            ("10.1.2.3", "https://10.1.2.3:8443", true),
            ("10.1.2.3:8443", "https://10.1.2.3:8443", true),
            ("10.1.2.3:8443", "https://10.1.2.3", false),
            ("10.0.0.0/8", "https://10.example", false),
            ("::1", "https://[::1]:1", true),
            ("[::1]", "https://[::1]:1", true),
            ("[::1]:1", "https://[::1]:1", true),
            ("[::1]:2", "https://[::1]:1", false),
            ("fd00::/8", "https://[fd12::1]", true),
            ("one.example, two.example:1 ,three.example", "https://two.example:1", true),
            ("one.example two.example", "https://two.example", true),
            (" , ,", "https://example.com", false),
            (".", "https://example.com", false),
        ] {
            let proxies = Proxies::read(&table(&[("ALL_PROXY", "p"), ("NO_PROXY", entries)])).unwrap();
            assert_eq!(proxies.towards(&Url::parse(url).unwrap()).is_none(), direct, "{entries}: {url}");
        }
    }

    proptest! {
        /// A proxy that is set is used or refused. There is never a direct connection.
        #[test]
        fn a_proxy_that_is_set_is_used_or_refused(value in "[ -~\u{a0}-\u{ff}]{0,40}|(http|socks5)://[ -~]{1,20}") {
            if let Ok(proxies) = Proxies::read(&table(&[("HTTPS_PROXY", &value)])) {
                let api = Url::parse("https://api.clipia.ai").unwrap();
                prop_assert_eq!(proxies.towards(&api).is_none(), clean(&value).is_empty());
            }
        }
    }
}
