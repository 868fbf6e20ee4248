//! Who calls a tool: the client of the API that a call goes through, with the caller's own key.

use crate::confirmation::Seal;
use crate::refusal::Refusal;
use clipia::{Clipia, Error};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use rmcp::model::Extensions;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The most clients that are kept, one for each key. At this number all of them are dropped: a client is made again in a millisecond, and only
/// forgets the request budget that it has learned.
const CLIENTS_KEPT: usize = 256;

/// How long a call of the API is retried. A client of tools gives a call up after a minute.
const RETRY_WITHIN: Duration = Duration::from_secs(15);

/// The prefix of keys that move no credits.
const SANDBOX: &str = "clipia_test_";

/// The caller of a tool.
pub(crate) struct Caller {
    pub(crate) clipia: Clipia,
    /// Whether the key moves no credits, so that nothing has to be confirmed.
    pub(crate) is_sandbox: bool,
    pub(crate) seal: Seal,
}

impl Caller {
    pub(crate) fn new(clipia: Clipia, key: &str) -> Self {
        Self { clipia, is_sandbox: key.trim().starts_with(SANDBOX), seal: Seal::of_key(key.trim()) }
    }
}

/// The callers of a server.
pub(crate) enum Callers {
    /// Whoever started the server, over stdio.
    One(Arc<Caller>),
    /// Whoever has a key, over HTTP.
    ByKey(ByKey),
}

impl Callers {
    /// Whether the caller is a program on this machine, which may read and write its files.
    pub(crate) fn are_local(&self) -> bool {
        matches!(self, Self::One(_))
    }

    /// The caller of a request with these extensions.
    pub(crate) fn of(&self, extensions: &Extensions) -> Result<Arc<Caller>, Refusal> {
        match self {
            Self::One(caller) => Ok(Arc::clone(caller)),
            Self::ByKey(callers) => {
                let parts = extensions.get::<Parts>();
                let key = parts.and_then(|parts| key(&parts.headers)).unwrap_or_default();
                Ok(callers.of(key)?)
            }
        }
    }
}

/// Clients of one API by key.
pub(crate) struct ByKey {
    base_url: String,
    /// By the digest of the key.
    callers: Mutex<HashMap<[u8; 32], Arc<Caller>>>,
}

impl ByKey {
    pub(crate) fn new(base_url: &str) -> Self {
        Self { base_url: base_url.to_owned(), callers: Mutex::default() }
    }

    fn of(&self, key: &str) -> Result<Arc<Caller>, Error> {
        let digest: [u8; 32] = Sha256::digest(key).into();
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(caller) = callers.get(&digest) {
            return Ok(Arc::clone(caller));
        }
        let client = Clipia::builder().key(key).base_url(&self.base_url).allow_http(true);
        let client =
            client.retry_within(RETRY_WITHIN).user_agent(concat!("clipia-mcp/", env!("CARGO_PKG_VERSION")));
        let caller = Arc::new(Caller::new(client.build()?, key));
        if callers.len() >= CLIENTS_KEPT {
            callers.clear();
        }
        callers.insert(digest, Arc::clone(&caller));
        Ok(caller)
    }
}

/// The key in the headers of a call, in any of the API's three forms. `None` if there is none.
pub(crate) fn key(headers: &HeaderMap) -> Option<&str> {
    let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let authorized = authorization.and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        ["bearer", "key"].contains(&scheme.to_ascii_lowercase().as_str()).then_some(key)
    });
    let key = authorized.or_else(|| headers.get("x-api-key")?.to_str().ok())?.trim();
    (!key.is_empty()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_in_each_form() {
        for (name, value, expected) in [
            ("authorization", "Bearer clipia_live_a", Some("clipia_live_a")),
            ("authorization", "bearer  clipia_live_a ", Some("clipia_live_a")),
            ("authorization", "Key clipia_live_a", Some("clipia_live_a")),
            ("x-api-key", "clipia_live_a", Some("clipia_live_a")),
            ("authorization", "Basic abc", None),
            ("authorization", "Bearer ", None),
            ("authorization", "clipia_live_a", None),
            ("x-api-key", "", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            assert_eq!(key(&headers), expected, "{name}: {value}");
        }
    }

    #[test]
    fn clients_are_shared_by_key_and_bounded() {
        let callers = ByKey::new("http://127.0.0.1:1");
        let first = callers.of("clipia_live_0123456789").unwrap();
        assert!(Arc::ptr_eq(&first, &callers.of("clipia_live_0123456789").unwrap()));
        assert!(!first.is_sandbox && callers.of("clipia_test_0123456789").unwrap().is_sandbox);
        for number in 0..CLIENTS_KEPT {
            callers.of(&format!("clipia_live_{number:010}")).unwrap();
        }
        assert!(callers.callers.lock().unwrap().len() <= CLIENTS_KEPT);
        assert!(callers.of("two words").is_err());
    }
}
