//! Finding the addresses of a name, and keeping those that may be called.

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

/// How long the name servers may take to tell a name's addresses: half of a delivery's time. A call whose name nobody
/// tells ends then.
const LOOKUP_MAX: Duration = Duration::from_secs(5);

/// Finds the addresses of names.
///
/// A lookup that is dropped must leave nothing behind: what bounds the lookups under way are the places of the calls that
/// ask for them, and each account has its share of those.
#[async_trait]
pub trait Lookup: Send + Sync + 'static {
    /// The addresses of `name`, now.
    ///
    /// # Errors
    /// If there are none, or nobody answers.
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// It has no address, or nobody tells it.
    #[error("the name of the host cannot be looked up: {0}")]
    Failed(#[from] io::Error),
    /// It has, but none that may be called.
    #[error("the name of the host leads to no public address")]
    Refused,
}

/// Resolves names to the addresses that may be called. The connection goes to these and no others, so that a name
/// cannot answer differently the second time.
pub(super) struct AllowedAddresses {
    pub(super) reach: Reach,
    pub(super) lookup: Arc<dyn Lookup>,
    /// Lookups under way, for metrics.
    pub(super) under_way: Gauge,
}

/// Counts a lookup as long as it is under way.
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
    /// As the system is told to look names up.
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
                    let told = format!("no name server answered within {} s", LOOKUP_MAX.as_secs());
                    Err(io::Error::new(io::ErrorKind::TimedOut, told))
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

    /// Tells nothing, ever.
    struct Silent;

    #[async_trait]
    impl Lookup for Silent {
        async fn lookup(&self, _name: &str) -> io::Result<Vec<IpAddr>> {
            std::future::pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_nobody_tells_fails_before_the_call_and_as_a_lookup() {
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
