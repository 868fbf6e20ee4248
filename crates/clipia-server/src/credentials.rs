//! New API keys, tokens of workers and webhook secrets, and the key that a call carries.

use crate::clock::now;
use crate::ids;
use crate::store::{AccountId, KeyHash, NewKey, NewWorker, Scopes};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clipia_queue::limits::KeyLimits;
use clipia_remote::TOKEN_PREFIX;
use http::{HeaderMap, header};
use sha2::{Digest, Sha256};

/// The prefix of a live key.
pub const LIVE: &str = "clipia_live_";

/// The prefix of a sandbox key.
pub const TEST: &str = "clipia_test_";

/// The last characters of a key that its hint shows, and the fewest characters before them that it hides.
const HINT_LENGTH: usize = 4;
const HIDDEN_MIN: usize = 8;

/// A new key with the default limits, and its record for the store, which does not contain the key. The key is shown to its
/// owner once.
pub(crate) fn new_key(account: AccountId, sandbox: bool, scopes: Scopes) -> (String, NewKey) {
    let (key, hint) = new_token(if sandbox { TEST } else { LIVE });
    let id = format!("key_{}", hex::encode(rand::random::<[u8; 8]>()));
    let stored =
        NewKey { id, account, hash: hash(&key), hint, sandbox, scopes, limits: KeyLimits::default() };
    (key, stored)
}

/// The record of a key that is known already, as one for tests. Its public name follows from the key, so that the same key has the
/// same name in every run.
pub fn known_key(account: AccountId, key: &str, sandbox: bool, limits: KeyLimits) -> NewKey {
    let hash = hash(key);
    let id = format!("key_{}", hex::encode(&hash.0[..8]));
    NewKey { id, account, hash, hint: hint(key), sandbox, scopes: Scopes { generate: true }, limits }
}

/// A new worker's token, and its record for the store, which does not contain the token. The token is shown to the operator once.
pub(crate) fn new_worker(name: String, executors: Vec<String>) -> (String, NewWorker) {
    let (token, hint) = new_token(TOKEN_PREFIX);
    let stored = NewWorker { name, hash: hash(&token), hint, executors };
    (token, stored)
}

/// A new token of 256 random bits that begins with `start`, and its hint.
fn new_token(start: &str) -> (String, String) {
    let secret = hex::encode(rand::random::<[u8; 32]>());
    let token = format!("{start}{secret}");
    let hint = hint_below(start, &secret);
    (token, hint)
}

/// Enough of a key to recognise it by, as the store, responses and the log name it: `clipia_live_…k3Qz`.
///
/// ```
/// use clipia_server::credentials::hint;
///
/// assert_eq!(hint("clipia_live_0123456789abcdef"), "clipia_live_…cdef");
/// assert_eq!(hint("clipia_live_short"), "clipia_live_…", "most of it would be shown");
/// ```
pub fn hint(key: &str) -> String {
    let start = [LIVE, TEST].into_iter().find(|start| key.starts_with(start)).unwrap_or_default();
    hint_below(start, &key[start.len()..])
}

/// The hint of a key that is `start` and `secret`.
fn hint_below(start: &str, secret: &str) -> String {
    let hidden = secret.chars().count().saturating_sub(HINT_LENGTH);
    let shown: String = secret.chars().skip(hidden).filter(|_| hidden >= HIDDEN_MIN).collect();
    format!("{start}…{shown}")
}

/// A new account id.
pub(crate) fn new_account_id() -> AccountId {
    AccountId(format!("acct_{}", ids::new(now()).simple()))
}

/// The random bytes of a webhook secret. Standard Webhooks requires 24 to 64. A multiple of three has no base64 padding,
/// which some libraries require and others refuse.
const WEBHOOK_SECRET_BYTES: usize = 36;

/// A new secret that signs deliveries.
pub(crate) fn new_webhook_secret() -> String {
    format!("whsec_{}", STANDARD.encode(rand::random::<[u8; WEBHOOK_SECRET_BYTES]>()))
}

/// The hash that finds a key or a worker's token in the store. A fast hash is enough for 256 random bits.
pub fn hash(key: &str) -> KeyHash {
    KeyHash(Sha256::digest(key.as_bytes()).into())
}

/// The key that a call carries, in any of the three forms (`contract.md`, "Authentication").
pub fn of_headers(headers: &HeaderMap) -> Option<&str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let authorization = text(header::AUTHORIZATION.as_str()).and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        let known = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("key");
        known.then(|| key.trim())
    });
    authorization.or_else(|| text("x-api-key")).filter(|key| !key.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_in_three_forms() {
        for (name, value, key) in [
            ("authorization", "Bearer k1", Some("k1")),
            ("authorization", "bearer  k1", Some("k1")),
            ("authorization", "Key k1", Some("k1")),
            ("x-api-key", "k1", Some("k1")),
            ("authorization", "Basic k1", None),
            ("authorization", "k1", None),
            ("authorization", "Bearer ", None),
            ("x-api-key", "", None),
        ] {
            let headers = HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]);
            assert_eq!(of_headers(&headers), key, "{name}: {value}");
        }
    }

    #[test]
    fn the_record_of_a_key_does_not_reveal_the_key() {
        let scopes = Scopes { generate: true };
        let (key, stored) = new_key(AccountId("a".into()), false, scopes);
        assert!(key.starts_with(LIVE) && key.len() == LIVE.len() + 64);
        assert_eq!(stored.hint, format!("clipia_live_…{}", &key[key.len() - 4..]));
        assert_ne!(new_key(AccountId("a".into()), true, scopes).0, key);
    }

    #[test]
    fn the_record_of_a_worker_does_not_reveal_its_token() {
        let (token, stored) = new_worker("box".to_owned(), vec!["gpu".to_owned()]);
        assert!(token.starts_with("clipia_worker_") && token.len() == "clipia_worker_".len() + 64);
        assert_eq!(stored.hint, format!("clipia_worker_…{}", &token[token.len() - 4..]));
        assert!(stored.hash == hash(&token));
    }
}
