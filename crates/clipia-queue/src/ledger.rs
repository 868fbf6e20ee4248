//! How credits move: double entry, so that nothing is made or lost.
//!
//! An account has two books, what it can spend and what is held for requests that have not ended; the house has two,
//! what it issued and what it earned. Every movement is entered in several books with a sum of zero. Entries are never
//! changed: a settlement is a movement of its own.

use crate::Credits;
use std::fmt;

/// One movement of credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Movement {
    /// The account gets credits.
    Grant(Credits),
    /// Credits that the account can spend are taken back. It is stored as a grant of the opposite sign.
    Withdraw(Credits),
    /// A request is accepted: its price is set aside.
    Reserve(Credits),
    /// A request completed: `charged` of what was `reserved` is earned, the rest is returned.
    Capture {
        /// What was set aside.
        reserved: Credits,
        /// What it really cost, at most that.
        charged: Credits,
    },
    /// A request ended without an output: all that was set aside is returned.
    Release(Credits),
}

impl fmt::Display for Movement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grant(credits) => write!(f, "a grant of {credits} credits"),
            Self::Withdraw(credits) => write!(f, "a withdrawal of {credits} credits"),
            Self::Reserve(credits) => write!(f, "a reserve of {credits} credits"),
            Self::Capture { reserved, charged } => write!(f, "a capture of {charged} of {reserved} credits"),
            Self::Release(credits) => write!(f, "a release of {credits} credits"),
        }
    }
}

/// What a movement enters in each book, in credits, negative where they leave it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    /// What the account can spend.
    pub available: i64,
    /// What is held for the account's requests that have not ended.
    pub held: i64,
    /// What the house issued; its balance is never positive.
    pub issuance: i64,
    /// What the house earned.
    pub revenue: i64,
}

/// Entries of which the sum does not fit a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sum of {0:?} and {1:?} does not fit the books")]
pub struct Unsummed(Entries, Entries);

impl Entries {
    /// What both enter together.
    ///
    /// # Errors
    /// [`Unsummed`] where a book cannot bear it.
    pub fn checked_add(self, other: Self) -> Result<Self, Unsummed> {
        let sum = || {
            Some(Self {
                available: self.available.checked_add(other.available)?,
                held: self.held.checked_add(other.held)?,
                issuance: self.issuance.checked_add(other.issuance)?,
                revenue: self.revenue.checked_add(other.revenue)?,
            })
        };
        sum().ok_or(Unsummed(self, other))
    }

    /// Of all books together, where that fits: zero, whatever moves.
    pub fn checked_sum(self) -> Option<i64> {
        self.available.checked_add(self.held)?.checked_add(self.issuance)?.checked_add(self.revenue)
    }

    /// Of all books together: zero, whatever moves.
    pub const fn sum(self) -> i64 {
        self.available + self.held + self.issuance + self.revenue
    }
}

/// What a request costs: what was charged once it has ended, and what is reserved for it before.
pub fn cost(reserved: Credits, charged: Option<Credits>) -> Credits {
    charged.unwrap_or(reserved)
}

/// The two books of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// What can be spent.
    pub available: Credits,
    /// What is set aside.
    pub held: Credits,
}

/// A movement to enter in the books, and the balance that it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What moves.
    pub movement: Movement,
    /// The two books of the account then.
    pub balance: Balance,
}

/// A movement that may not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is less than it takes.
    #[error("not enough credits: this costs {cost}, the account has {available}")]
    Insufficient {
        /// What it takes.
        cost: Credits,
        /// What there is.
        available: Credits,
    },
    /// More would be taken back than can be spent.
    #[error(
        "{credits} credits cannot be taken back: {available} are available; what is held for requests comes back or is spent when they end"
    )]
    Withdrawal {
        /// What should be taken back.
        credits: Credits,
        /// What can be spent.
        available: Credits,
    },
    /// More would be charged than was reserved.
    #[error("{charged} credits cannot be charged where {reserved} were reserved")]
    AboveReserve {
        /// What was set aside.
        reserved: Credits,
        /// What should have been charged.
        charged: Credits,
    },
    /// More would be settled than is held, or a sum does not fit: a fault in the books.
    #[error("the books do not bear {movement}: there are {} credits, and {} held", .balance.available, .balance.held)]
    Books {
        /// What should have moved.
        movement: Movement,
        /// What there is.
        balance: Balance,
    },
}

impl Movement {
    /// As it is stored.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Grant(_) | Self::Withdraw(_) => "grant",
            Self::Reserve(_) => "reserve",
            Self::Capture { .. } => "capture",
            Self::Release(_) => "release",
        }
    }

    /// Whether it ends what was reserved.
    pub const fn settles(&self) -> bool {
        matches!(self, Self::Capture { .. } | Self::Release(_))
    }

    /// What is entered where.
    pub fn entries(&self) -> Entries {
        let signed = |credits: Credits| i64::try_from(credits.get()).unwrap_or(i64::MAX);
        let none = Entries::default();
        match *self {
            Self::Grant(credits) => {
                Entries { issuance: -signed(credits), available: signed(credits), ..none }
            }
            Self::Withdraw(credits) => {
                Entries { issuance: signed(credits), available: -signed(credits), ..none }
            }
            Self::Reserve(credits) => Entries { available: -signed(credits), held: signed(credits), ..none },
            Self::Capture { reserved, charged } => Entries {
                held: -signed(reserved),
                revenue: signed(charged),
                available: signed(reserved) - signed(charged),
                ..none
            },
            Self::Release(credits) => Entries { held: -signed(credits), available: signed(credits), ..none },
        }
    }
}

impl Balance {
    /// The entry of `movement` in the books.
    ///
    /// # Errors
    /// [`Refused`] where the movement may not be made; then nothing may be entered.
    pub fn enter(self, movement: Movement) -> Result<Entry, Refused> {
        Ok(Entry { movement, balance: self.after(movement)? })
    }

    /// The balance after `movement`.
    ///
    /// # Errors
    /// [`Refused`] where the movement may not be made; then nothing may be entered.
    pub fn after(self, movement: Movement) -> Result<Self, Refused> {
        let books = Refused::Books { movement, balance: self };
        // A sum that fits i64 can be entered and stored.
        let add = |to: Credits, credits: Credits| {
            to.checked_add(credits).filter(|sum| i64::try_from(sum.get()).is_ok()).ok_or(books)
        };
        Ok(match movement {
            Movement::Grant(credits) => Self { available: add(self.available, credits)?, held: self.held },
            Movement::Withdraw(credits) => Self {
                available: self
                    .available
                    .checked_sub(credits)
                    .ok_or(Refused::Withdrawal { credits, available: self.available })?,
                held: self.held,
            },
            Movement::Reserve(cost) => Self {
                available: self
                    .available
                    .checked_sub(cost)
                    .ok_or(Refused::Insufficient { cost, available: self.available })?,
                held: add(self.held, cost)?,
            },
            Movement::Capture { reserved, charged } => {
                let rest =
                    reserved.checked_sub(charged).ok_or(Refused::AboveReserve { reserved, charged })?;
                Self {
                    available: add(self.available, rest)?,
                    held: self.held.checked_sub(reserved).ok_or(books)?,
                }
            }
            Movement::Release(credits) => Self {
                available: add(self.available, credits)?,
                held: self.held.checked_sub(credits).ok_or(books)?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn movement() -> impl Strategy<Value = Movement> {
        (0..5, 0u64..500, 0u64..500).prop_map(|(kind, a, b)| match kind {
            0 => Movement::Grant(Credits::new(a)),
            4 => Movement::Withdraw(Credits::new(a)),
            1 => Movement::Reserve(Credits::new(a)),
            2 => Movement::Capture { reserved: Credits::new(a), charged: Credits::new(b) },
            _ => Movement::Release(Credits::new(a)),
        })
    }

    proptest! {
        #[test]
        fn nothing_is_made_or_lost(movements in proptest::collection::vec(movement(), 0..80)) {
            let mut balance = Balance::default();
            let (mut available, mut held, mut issuance) = (0i64, 0i64, 0i64);
            for movement in movements {
                let Ok(after) = balance.after(movement) else { continue };
                let entries = movement.entries();
                prop_assert_eq!(entries.sum(), 0);
                issuance += entries.issuance;
                prop_assert!(issuance <= 0 && entries.revenue >= 0);
                available += entries.available;
                held += entries.held;
                balance = after;
                prop_assert_eq!(balance.available.get() as i64, available);
                prop_assert_eq!(balance.held.get() as i64, held);
            }
        }
    }

    #[test]
    fn what_may_not_move_does_not() {
        let balance = Balance { available: Credits::new(35), held: Credits::new(10) };
        assert_eq!(
            balance.after(Movement::Reserve(Credits::new(120))).unwrap_err().to_string(),
            "not enough credits: this costs 120, the account has 35",
        );
        let above = Movement::Capture { reserved: Credits::new(10), charged: Credits::new(11) };
        assert!(matches!(balance.after(above), Err(Refused::AboveReserve { .. })));
        assert!(matches!(balance.after(Movement::Release(Credits::new(11))), Err(Refused::Books { .. })));
        assert!(matches!(
            balance.after(Movement::Grant(Credits::new(u64::MAX - 40))),
            Err(Refused::Books { .. })
        ));
    }
}
