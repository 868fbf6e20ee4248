//! The audit log: what operators did.

use jiff::Timestamp;

/// The most entries that one call lists.
pub const AUDIT_MAX: u32 = 1_000;

/// One act of an operator, or how often tokens were refused in a minute. It holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Rises from entry to entry.
    pub number: i64,
    /// When.
    pub at: Timestamp,
    /// What was done, such as `key revoked`.
    pub act: String,
    /// The subject: the id of an account, a key, a request or a delivery; empty where there is none.
    pub subject: String,
    /// More about it, for people.
    pub detail: String,
}

/// How often tokens were refused since the last entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    /// API keys that are not in force.
    pub keys: u64,
    /// Tokens of the administration.
    pub administration: u64,
}
