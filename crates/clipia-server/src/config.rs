//! How a server is to run.

use crate::outbound::IpNet;
use clipia_api::Credits;
use clipia_queue::limits::{REQUESTS_PER_MINUTE, RateLimit};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// How a server is to run.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen; port 0 is any free one.
    pub listen: SocketAddr,
    /// Where everything is kept.
    pub data: PathBuf,
    /// Whether webhooks and images may be on this machine and without TLS.
    pub dev: bool,
    /// Ranges of addresses that webhooks and images may be at besides public ones.
    pub allow: Vec<IpNet>,
    /// How many requests a key may make.
    pub limit: RateLimit,
    /// What the first account gets at the first start.
    pub credits: Credits,
}

impl Config {
    /// A server on this machine that keeps everything in `data`.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4747)),
            data: data.into(),
            dev: false,
            allow: Vec::new(),
            limit: RateLimit::per_minute(REQUESTS_PER_MINUTE),
            credits: Credits::new(10_000),
        }
    }
}
