//! Whether other nodes hold the locks that the next transaction of submits needs.
//!
//! While they do, a transaction locks the accounts first, and takes the submits that came meanwhile only then: more of them share it.
//! Without others that is a round trip for nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A transaction has waited for its locks if they took this part of its time. Without a wait they take a tenth or two.
const WAITED: (u32, u32) = (2, 5);

/// What is known of the waits for locks.
#[derive(Debug, Default)]
pub(crate) struct LockWaits(AtomicBool);

impl LockWaits {
    /// Whether the next transaction is likely to wait.
    pub(crate) fn are_likely(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The round trip of the locks took so long, in a transaction that took so long in all.
    pub(crate) fn saw(&self, locks: Duration, all: Duration) {
        let (part, of) = WAITED;
        self.0.store(locks * of > all * part, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_likely_after_one_and_until_there_is_none() {
        let waits = LockWaits::default();
        let milliseconds = Duration::from_millis;
        assert!(!waits.are_likely());
        waits.saw(milliseconds(2), milliseconds(10));
        assert!(!waits.are_likely());
        waits.saw(milliseconds(6), milliseconds(10));
        assert!(waits.are_likely());
        waits.saw(Duration::ZERO, milliseconds(10));
        assert!(!waits.are_likely());
    }
}
