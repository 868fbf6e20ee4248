//! The server of a simulation.

use crate::budget::RateLimit;
use std::time::Duration;

/// A default key: 120 requests a minute, 30 at once.
pub(super) const PER_SECOND: f64 = 2.0;
pub(super) const BURST: u32 = 30;

/// The server: a bucket of tokens, which refuses requests without a token.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) burst: f64,
    pub(super) tokens: f64,
    pub(super) counted: Duration,
    /// Whether responses have `RateLimit-*` headers.
    sends_limits: bool,
}

impl Server {
    pub(super) fn new(burst: u32, sends_limits: bool) -> Self {
        Self { burst: burst.into(), tokens: burst.into(), counted: Duration::ZERO, sends_limits }
    }

    /// When the bucket has a whole token.
    pub(super) fn whole_at(&self) -> Duration {
        self.counted + Duration::from_secs_f64((1.0 - self.tokens).max(0.0) / PER_SECOND)
    }

    /// Whether a request is accepted, and the headers of the response.
    pub(super) fn accept(&mut self, now: Duration) -> (bool, RateLimit) {
        self.tokens = (self.tokens + (now - self.counted).as_secs_f64() * PER_SECOND).min(self.burst);
        self.counted = now;
        let taken = self.tokens >= 1.0 - 1e-6;
        self.tokens -= f64::from(u8::from(taken));
        let limits = RateLimit {
            limit: Some((PER_SECOND * 60.0) as u64),
            remaining: Some(self.tokens.max(0.0) as u64),
            reset: Some(((self.burst - self.tokens) / PER_SECOND).ceil() as u64),
        };
        (taken, if self.sends_limits { limits } else { RateLimit::default() })
    }
}
