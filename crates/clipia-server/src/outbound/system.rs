//! Looking names up as this machine is told to: by its file of hosts, and by the name servers that it names.
//!
//! Not by the system's own function: that holds a thread until the name servers are given up, long after the caller has
//! gone, and a few silent names take all the threads that there may be. Here a lookup is a socket and a timer, and ends
//! when it is dropped. What other sources the system has, such as multicast names, are not asked.

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

/// The files that tell the system how to look names up.
const FILES: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];

/// How often they are looked at for changes, as by a network that the machine has joined.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How long a name server has for one question. It is asked twice, and two servers are asked at the same time.
const QUESTION_MAX: Duration = Duration::from_secs(2);

/// Questions again after one that nobody answered.
const QUESTIONS_AGAIN: usize = 1;

/// How long an answer is kept at most: a receiver that moves is found as soon.
const KEPT_MAX: Duration = Duration::from_secs(60);

/// How long at most it is kept that there is no such name.
const NONE_KEPT_MAX: Duration = Duration::from_secs(10);

/// Names whose answers are kept.
const KEPT_NAMES: u64 = 1_024;

/// Questions that wait at one name server by TCP, where long answers are asked for: beyond those that calls can ask.
const BY_TCP_MAX: usize = 4_096;

/// Looks names up as the system is told to.
#[derive(Default)]
pub(super) struct SystemLookup(Mutex<Option<Configured>>);

/// How the system was told to, when it was looked at.
struct Configured {
    looked_at: Instant,
    changed: [Option<SystemTime>; FILES.len()],
    names: Arc<Names>,
}

/// One way to look names up.
struct Names {
    hosts: Hosts,
    servers: TokioResolver,
}

impl SystemLookup {
    /// The way that the system is told now.
    fn names(&self) -> io::Result<Arc<Names>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.as_ref().filter(|known| known.looked_at.elapsed() < LOOK_EVERY) {
            return Ok(Arc::clone(&known.names));
        }
        let changed = FILES.map(|path| Path::new(path).metadata().and_then(|of| of.modified()).ok());
        let names = match known.take() {
            Some(known) if known.changed == changed => known.names,
            _ => Arc::new(Names::of_system()?),
        };
        *known = Some(Configured { looked_at: Instant::now(), changed, names: Arc::clone(&names) });
        Ok(names)
    }
}

impl Names {
    fn of_system() -> io::Result<Self> {
        let (config, options) = read_system_conf().unwrap_or_else(|error| {
            tracing::warn!(%error, "the system names no name servers: one on this machine is asked");
            let here = NameServerConfig::udp_and_tcp(Ipv4Addr::LOCALHOST.into());
            (ResolverConfig::from_name_servers(vec![here]), ResolverOpts::default())
        });
        Self::asking(Hosts::from_system().unwrap_or_default(), config, options)
    }

    fn asking(hosts: Hosts, config: ResolverConfig, told: ResolverOpts) -> io::Result<Self> {
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        *options = told;
        options.timeout = options.timeout.min(QUESTION_MAX);
        options.attempts = options.attempts.min(QUESTIONS_AGAIN);
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.cache_size = KEPT_NAMES;
        options.positive_max_ttl = Some(KEPT_MAX);
        options.negative_max_ttl = Some(NONE_KEPT_MAX);
        options.max_active_requests = BY_TCP_MAX;
        // Looked at before: a name that stands there with an address of one kind is not asked for the other.
        options.use_hosts_file = ResolveHosts::Never;
        Ok(Self { hosts, servers: builder.build().map_err(io::Error::other)? })
    }

    /// The addresses in the file of hosts.
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

    /// A name server that tells 127.0.0.9 as the address of each name, nothing of those that begin with `silent`, and
    /// that there is none of those that begin with `no`. Counts the addresses that it told.
    async fn name_server() -> (SocketAddr, Arc<AtomicUsize>) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (address, answers) = (socket.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&answers);
        tokio::spawn(async move {
            let mut bytes = [0; 1_500];
            while let Ok((length, from)) = socket.recv_from(&mut bytes).await {
                let mut answer = bytes[..length].to_vec();
                let name = &answer[13..];
                if name.starts_with(b"silent") {
                    continue;
                }
                let end = 12 + 1 + name.iter().position(|byte| *byte == 0).unwrap() + 1;
                let is_a = answer[end..end + 2] == [0, 1];
                let exists = !name.starts_with(b"no");
                answer.truncate(end + 4);
                answer[2..12].copy_from_slice(&[
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
                    answer[7] = 1;
                    answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 9]);
                }
                let _ = socket.send_to(&answer, from).await;
            }
        });
        (address, answers)
    }

    fn asking(address: SocketAddr, hosts: &str) -> Names {
        let mut udp = ConnectionConfig::new(ProtocolConfig::Udp);
        udp.port = address.port();
        let server = NameServerConfig::new(address.ip(), true, vec![udp]);
        let mut of_file = Hosts::default();
        of_file.read_hosts_conf(hosts.as_bytes()).unwrap();
        let config = ResolverConfig::from_name_servers(vec![server]);
        Names::asking(of_file, config, ResolverOpts::default()).unwrap()
    }

    #[tokio::test]
    async fn names_that_nobody_tells_keep_no_other_waiting_and_end_when_they_are_dropped() {
        let (server, answers) = name_server().await;
        let names = asking(server, "127.0.0.7 silent-but-here\n");
        let silent: Vec<String> = (0..300).map(|number| format!("silent{number}.example.")).collect();
        let mut silent = Box::pin(join_all(silent.iter().map(|name| names.addresses(name))));
        assert!(silent.as_mut().now_or_never().is_none());
        let well: Vec<String> = (0..100).map(|number| format!("well{number}.example.")).collect();
        for name in &well {
            assert_eq!(names.addresses(name).await.unwrap(), ["127.0.0.9".parse::<IpAddr>().unwrap()]);
        }
        assert!(silent.as_mut().now_or_never().is_none(), "the silent names were told");
        drop(silent);
        let asked = answers.load(Ordering::Relaxed);
        assert_eq!(asked, well.len());
        names.addresses(&well[0]).await.unwrap();
        assert_eq!(answers.load(Ordering::Relaxed), asked, "what was told a moment ago is asked again");
        assert!(names.addresses("no.example.").await.is_err());
        // What stands in the file of hosts is asked of nobody.
        assert_eq!(
            names.addresses("silent-but-here").await.unwrap(),
            ["127.0.0.7".parse::<IpAddr>().unwrap()]
        );
    }
}
