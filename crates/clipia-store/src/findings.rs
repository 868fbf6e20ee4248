//! The findings of an examination of a store.

use super::AccountId;
use clipia_queue::RequestId;

/// What an examination looked at, the first rule that is broken, and what slows the store down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// How much was looked at.
    pub checked: Checked,
    /// The rule that is broken, if one is.
    pub violation: Option<Violation>,
    /// What keeps the database from removing rows that changed, the oldest first. It gets slower until that ends.
    pub pins: Vec<Pin>,
}

/// What keeps the database from removing rows that changed since: the oldest snapshot that something may still look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// What it is, such as a session of a user, and how it is ended.
    pub by: String,
    /// How many transactions began since.
    pub transactions: u64,
    /// Since when, where that is known.
    pub since: Option<jiff::Timestamp>,
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Rules that hold, up to the one that is broken.
    pub rules: u64,
    /// Accounts.
    pub accounts: u64,
    /// Requests.
    pub requests: u64,
    /// Movements of credits.
    pub movements: u64,
    /// Deliveries.
    pub deliveries: u64,
    /// Deliveries that are held since a restore, until an operator resumes or abandons them.
    pub deliveries_held: u64,
}

/// A rule that is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule, as a sentence.
    pub rule: String,
    /// The account concerned.
    pub account: Option<AccountId>,
    /// The request concerned.
    pub request: Option<RequestId>,
    /// What there is, with figures.
    pub found: String,
}
