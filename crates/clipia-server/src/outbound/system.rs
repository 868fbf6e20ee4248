//! The lookup of names by the system's configuration: by its hosts file, and by its name servers.
//!
//! The system's own function will not do: it blocks a thread until the name servers time out, long after the caller has gone. A
//! few names without a response would block all threads. Here a lookup is a socket and a timer, and ends when it is dropped.
//! Other sources of the system, such as multicast DNS, are not used.

use super::lookup::Lookup;
use async_trait::async_trait;
use hickory_resolver::config::{
    LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{Hosts, TokioResolver};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// The files of the system's configuration.
const FILES: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];

/// How often these files are checked for changes, as after the machine has joined another network.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// The time-out of one query to a name server. Two servers are queried at the same time, and each of them twice.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// The retries of a query without a response.
const QUERY_RETRIES: usize = 1;

/// The longest time in the cache, so that a receiver that moves is found.
const CACHE_TTL_MAX: Duration = Duration::from_secs(60);

/// The longest time in the cache for a name that does not exist.
const NEGATIVE_TTL_MAX: Duration = Duration::from_secs(10);

/// The most names in the cache.
const CACHE_NAMES: u64 = 1_024;

/// The most queries to one name server over TCP at once: more than all calls together can make.
const TCP_QUERIES_MAX: usize = 4_096;

/// A lookup by the system's configuration.
#[derive(Default)]
pub(super) struct SystemLookup(Mutex<Option<Configured>>);

/// The configuration, when its files were last checked.
struct Configured {
    checked_at: Instant,
    modified: [Option<SystemTime>; FILES.len()],
    names: Arc<Names>,
}

/// The hosts file and the name servers of one configuration.
struct Names {
    hosts: Hosts,
    servers: TokioResolver,
}

impl SystemLookup {
    /// The current configuration, which is read again if its files have changed.
    fn names(&self) -> io::Result<Arc<Names>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.as_ref().filter(|known| known.checked_at.elapsed() < CHECK_INTERVAL) {
            return Ok(Arc::clone(&known.names));
        }
        let modified = FILES.map(|path| Path::new(path).metadata().and_then(|of| of.modified()).ok());
        let names = match known.take() {
            Some(known) if known.modified == modified => known.names,
            _ => Arc::new(Names::of_system()?),
        };
        *known = Some(Configured { checked_at: Instant::now(), modified, names: Arc::clone(&names) });
        Ok(names)
    }
}

impl Names {
    fn of_system() -> io::Result<Self> {
        let (config, options) = read_system_conf().unwrap_or_else(|error| {
            tracing::warn!(%error, "the system has no name servers configured: using one on this machine");
            let here = NameServerConfig::udp_and_tcp(Ipv4Addr::LOCALHOST.into());
            (ResolverConfig::from_name_servers(vec![here]), ResolverOpts::default())
        });
        Self::new(Hosts::from_system().unwrap_or_default(), config, options)
    }

    fn new(hosts: Hosts, config: ResolverConfig, of_system: ResolverOpts) -> io::Result<Self> {
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        *options = of_system;
        options.timeout = options.timeout.min(QUERY_TIMEOUT);
        options.attempts = options.attempts.min(QUERY_RETRIES);
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.cache_size = CACHE_NAMES;
        options.positive_max_ttl = Some(CACHE_TTL_MAX);
        options.negative_max_ttl = Some(NEGATIVE_TTL_MAX);
        options.max_active_requests = TCP_QUERIES_MAX;
        // `addresses` reads the hosts file itself. hickory would query the name servers for IPv6 where the file has only IPv4.
        options.use_hosts_file = ResolveHosts::Never;
        Ok(Self { hosts, servers: builder.build().map_err(io::Error::other)? })
    }

    /// The addresses in the hosts file.
    fn in_hosts(&self, name: &Name) -> Vec<IpAddr> {
        let of = |kind| self.hosts.lookup_static_host(&Query::query(name.clone(), kind));
        let found = [of(RecordType::A), of(RecordType::AAAA)];
        let records = found.iter().flatten().flat_map(|found| found.answers());
        records.filter_map(|record| record.data.ip_addr()).collect()
    }

    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let parsed = Name::from_utf8(name).map_err(io::Error::other)?;
        let here = self.in_hosts(&parsed);
        if !here.is_empty() {
            return Ok(here);
        }
        Ok(self.servers.lookup_ip(parsed).await.map_err(io::Error::other)?.iter().collect())
    }
}

#[async_trait]
impl Lookup for SystemLookup {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        self.names()?.addresses(name).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use futures_util::future::join_all;
    use hickory_resolver::config::{ConnectionConfig, ProtocolConfig};
    use std::net::SocketAddr;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::net::UdpSocket;

    /// A name server with the address 127.0.0.9 for each name. It does not respond for names that begin with `silent`, and says
    /// that names that begin with `no` do not exist. The counter has the number of addresses that it sent.
    async fn name_server() -> (SocketAddr, Arc<AtomicUsize>) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (address, sent) = (socket.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&sent);
        tokio::spawn(async move {
            let mut bytes = [0; 1_500];
            while let Ok((length, from)) = socket.recv_from(&mut bytes).await {
                let mut response = bytes[..length].to_vec();
                let name = &response[13..];
                if name.starts_with(b"silent") {
                    continue;
                }
                let end = 12 + 1 + name.iter().position(|byte| *byte == 0).unwrap() + 1;
                let is_a = response[end..end + 2] == [0, 1];
                let exists = !name.starts_with(b"no");
                response.truncate(end + 4);
                response[2..12].copy_from_slice(&[
                    0x81,
                    if exists { 0x80 } else { 0x83 },
                    0,
                    1,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                ]);
                if is_a && exists {
                    counted.fetch_add(1, Ordering::Relaxed);
                    response[7] = 1;
                    response.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 9]);
                }
                let _ = socket.send_to(&response, from).await;
            }
        });
        (address, sent)
    }

    fn names(address: SocketAddr, hosts: &str) -> Names {
        let mut udp = ConnectionConfig::new(ProtocolConfig::Udp);
        udp.port = address.port();
        let server = NameServerConfig::new(address.ip(), true, vec![udp]);
        let mut of_file = Hosts::default();
        of_file.read_hosts_conf(hosts.as_bytes()).unwrap();
        let config = ResolverConfig::from_name_servers(vec![server]);
        Names::new(of_file, config, ResolverOpts::default()).unwrap()
    }

    #[tokio::test]
    async fn lookups_without_a_response_delay_no_others_and_end_when_dropped() {
        let (server, sent) = name_server().await;
        let names = names(server, "127.0.0.7 silent-but-here\n");
        let silent: Vec<String> = (0..300).map(|number| format!("silent{number}.example.")).collect();
        let mut silent = Box::pin(join_all(silent.iter().map(|name| names.addresses(name))));
        assert!(silent.as_mut().now_or_never().is_none());
        let well: Vec<String> = (0..100).map(|number| format!("well{number}.example.")).collect();
        for name in &well {
            assert_eq!(names.addresses(name).await.unwrap(), ["127.0.0.9".parse::<IpAddr>().unwrap()]);
        }
        assert!(silent.as_mut().now_or_never().is_none(), "the silent names got a response");
        drop(silent);
        let before = sent.load(Ordering::Relaxed);
        assert_eq!(before, well.len());
        names.addresses(&well[0]).await.unwrap();
        assert_eq!(sent.load(Ordering::Relaxed), before, "a cached name was queried again");
        assert!(names.addresses("no.example.").await.is_err());
        // A name in the hosts file is not queried.
        assert_eq!(
            names.addresses("silent-but-here").await.unwrap(),
            ["127.0.0.7".parse::<IpAddr>().unwrap()]
        );
    }
}
