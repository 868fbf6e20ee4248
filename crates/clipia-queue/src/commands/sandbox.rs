//! How many requests of the sandbox are kept, which costs its callers nothing.

use super::Contradiction;
use crate::AccountId;
use crate::limits::SANDBOX_KEPT;

/// The room for one more request of an account in the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There is room. So many are kept then.
    Free(u32),
    /// There is none. The account's oldest request of the sandbox is forgotten with its delivery and its attempts: a submit
    /// that is free must not fill the disk.
    ForgetOldest,
}

/// How many requests of the sandbox are kept of `account` once one of `kept` is let go.
///
/// # Errors
/// [`Contradiction`] where none is counted.
pub fn without_one(account: &AccountId, kept: u32) -> Result<u32, Contradiction> {
    kept.checked_sub(1).ok_or_else(|| Contradiction::NothingKept(account.clone()))
}

/// The room for one more where `kept` are kept.
pub const fn room(kept: u32) -> Room {
    if kept < SANDBOX_KEPT { Room::Free(kept + 1) } else { Room::ForgetOldest }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_kept_and_the_oldest_makes_room() {
        for (kept, expected) in [
            (0, Room::Free(1)),
            (SANDBOX_KEPT - 1, Room::Free(SANDBOX_KEPT)),
            (SANDBOX_KEPT, Room::ForgetOldest),
        ] {
            assert_eq!(room(kept), expected, "{kept}");
        }
        let account = AccountId("a".to_owned());
        assert_eq!(without_one(&account, 2), Ok(1));
        assert_eq!(without_one(&account, 0), Err(Contradiction::NothingKept(account)));
    }
}
