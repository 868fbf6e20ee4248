//! An account gets credits, or they are taken back.

use crate::Credits;
use crate::ledger::{Balance, Entry, Movement, Refused};

/// A new account with its first credits.
///
/// # Errors
/// [`Refused`] where the books do not bear it.
pub fn open(credits: Credits) -> Result<Entry, Refused> {
    grant(Balance::default(), credits)
}

/// An account with this balance gets credits.
///
/// # Errors
/// [`Refused`] where the books do not bear it.
pub fn grant(balance: Balance, credits: Credits) -> Result<Entry, Refused> {
    balance.enter(Movement::Grant(credits))
}

/// Credits that an account with this balance can spend are taken back.
///
/// # Errors
/// [`Refused::Withdrawal`] where it has fewer.
pub fn withdraw(balance: Balance, credits: Credits) -> Result<Entry, Refused> {
    balance.enter(Movement::Withdraw(credits))
}
