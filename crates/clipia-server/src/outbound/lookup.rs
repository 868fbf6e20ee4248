//! The lookup of a name's addresses, restricted to the addresses that may be called.

use super::addresses::Reach;
use super::system::SystemLookup;
use super::time_limit::TimeLimit;
use async_trait::async_trait;
use prometheus_client::metrics::gauge::Gauge;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// The longest time of a lookup: half of a delivery's time. A call whose name cannot be looked up in this time fails.
const LOOKUP_MAX: Duration = Duration::from_secs(5);

/// Looks up the addresses of names.
///
/// A lookup that is dropped must leave nothing behind. The number of lookups is bounded only by the slots of the calls that make
/// them, of which each account has its share.
#[async_trait]
pub trait Lookup: Send + Sync + 'static {
    /// The current addresses of `name`.
    ///
    /// # Errors
    /// If the name has no address, or no name server responds.
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// Why a name has no address that may be called.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The name has no address, or no name server responds.
    #[error("the name of the host cannot be looked up: {0}")]
    Failed(#[from] io::Error),
    /// None of the name's addresses may be called.
    #[error("the name of the host leads to no public address")]
    Refused,
}

/// The resolver of a client, which returns only addresses that may be called. The connection uses this result, so a name cannot
/// change its addresses between the check and the connection.
pub(super) struct AllowedAddresses {
    pub(super) reach: Reach,
    pub(super) lookup: Arc<dyn Lookup>,
    /// The metric of the lookups under way.
    pub(super) under_way: Gauge,
}

/// Counts a lookup under way. Dropping this ends the count.
struct UnderWay(Gauge);

impl UnderWay {
    fn new(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl AllowedAddresses {
    /// A resolver with the system's configuration.
    pub(super) fn of_system(reach: Reach, under_way: Gauge) -> Self {
        Self { reach, lookup: Arc::new(SystemLookup::default()), under_way }
    }
}

impl Resolve for AllowedAddresses {
    fn resolve(&self, name: Name) -> Resolving {
        let (reach, lookup) = (self.reach.clone(), Arc::clone(&self.lookup));
        let under_way = self.under_way.clone();
        Box::pin(async move {
            let _under_way = UnderWay::new(under_way);
            let found =
                TimeLimit::new(LOOKUP_MAX).of(lookup.lookup(name.as_str())).await.unwrap_or_else(|| {
                    let message = format!("no name server answered within {} s", LOOKUP_MAX.as_secs());
                    Err(io::Error::new(io::ErrorKind::TimedOut, message))
                });
            let allowed: Vec<SocketAddr> = found
                .map_err(LookupError::Failed)?
                .into_iter()
                .filter(|address| reach.allows(*address))
                .map(|address| SocketAddr::new(address, 0))
                .collect();
            if allowed.is_empty() {
                return Err(LookupError::Refused.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;

    /// A lookup that never ends.
    struct Silent;

    #[async_trait]
    impl Lookup for Silent {
        async fn lookup(&self, _name: &str) -> io::Result<Vec<IpAddr>> {
            std::future::pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lookup_without_a_response_times_out_as_a_lookup_error() {
        let under_way = Gauge::default();
        let (lookup, gauge) = (Arc::new(Silent), under_way.clone());
        let addresses = AllowedAddresses { reach: Reach::public(), lookup, under_way: gauge };
        let start = tokio::time::Instant::now();
        let looking = tokio::spawn(addresses.resolve("silent.example".parse().unwrap()));
        tokio::task::yield_now().await;
        assert_eq!(under_way.get(), 1);
        let error: Box<dyn Error + Send + Sync> = looking.await.unwrap().err().unwrap();
        assert_eq!((start.elapsed(), under_way.get()), (LOOKUP_MAX, 0));
        assert!(matches!(error.downcast_ref(), Some(LookupError::Failed(_))), "{error}");
        assert!(error.to_string().ends_with("no name server answered within 5 s"), "{error}");
        let dropped = addresses.resolve("silent.example".parse().unwrap());
        drop(dropped);
        assert_eq!(under_way.get(), 0);
    }
}
