//! Accounts as an operator sees them.

use super::AccountId;
use clipia_queue::Credits;

/// An account in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountListing {
    /// Its name.
    pub id: AccountId,
    /// What it can spend.
    pub available: Credits,
    /// What is set aside for its requests that have not ended.
    pub held: Credits,
    /// How many of its keys are in force.
    pub keys: u64,
    /// When it was made.
    pub created_at: jiff::Timestamp,
}

/// Accounts, by their ids.
#[derive(Clone, Debug, Default)]
pub struct AccountPage {
    /// The accounts.
    pub accounts: Vec<AccountListing>,
    /// Where the next page begins; nothing where this was the last.
    pub next: Option<AccountId>,
}
