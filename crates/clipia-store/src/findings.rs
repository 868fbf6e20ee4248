//! What an examination of a store finds.

use super::AccountId;
use clipia_queue::RequestId;

/// What an examination looked at, and the first thing it found wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// How much was looked at.
    pub checked: Checked,
    /// What is wrong; nothing where all is well.
    pub violation: Option<Violation>,
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Rules that hold, or held up to the one that does not.
    pub rules: u64,
    /// Accounts.
    pub accounts: u64,
    /// Requests.
    pub requests: u64,
    /// Movements of credits.
    pub movements: u64,
    /// Deliveries.
    pub deliveries: u64,
    /// Deliveries that wait for a word of the operator since a restore.
    pub deliveries_held: u64,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule that does not hold, as a sentence.
    pub rule: String,
    /// The account concerned.
    pub account: Option<AccountId>,
    /// The request concerned.
    pub request: Option<RequestId>,
    /// What there is, with figures.
    pub found: String,
}
