//! When an account's webhook secrets sign after one was replaced.
//!
//! A delivery has one signature for each secret in force. Receivers that read the header into a map keep the last one
//! alone (`contract.md`, "Webhooks"): whichever secret comes last is the only one that such a receiver can have. So the old
//! secret comes last until the receivers have the new one, and the operator says when that is.

use crate::Moment;
use std::time::Duration;

/// How long the old secret signs where nothing else is said: for the owner to give the receivers the new one.
pub const GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest time that an old secret may sign: whoever has stolen it can sign as long.
pub const GRACE_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Secrets of one account that sign at the same time. A rotation beyond ends the oldest: every one is a signature more
/// in the header.
pub const SECRETS_MAX: u32 = 4;

/// When a new secret comes last and when the old ones end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// From when on the new secret comes last.
    pub new_last_from: Moment,
    /// From when on the new secret signs alone.
    pub old_end_at: Moment,
}

/// A rotation that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The old secret would sign for too long.
    #[error("the old secret may sign for {} days at most", GRACE_MAX.as_secs() / 24 / 60 / 60)]
    TooLong,
    /// The new secret would come last when it is alone already.
    #[error("the new secret must come last before the old one ends: from then on it is alone")]
    LastAfterEnd,
}

impl Rotation {
    /// The rotation in which the new secret comes last `new_last` after `now`, and the old ones end `old_ends` after it:
    /// [`GRACE`] where nothing is said. The new secret comes last when the old ones end where nothing is said.
    ///
    /// # Errors
    /// [`Refused`] says what cannot be.
    pub fn plan(
        new_last: Option<Duration>,
        old_ends: Option<Duration>,
        now: Moment,
    ) -> Result<Self, Refused> {
        let old_ends = old_ends.unwrap_or(GRACE.max(new_last.unwrap_or_default()));
        let new_last = new_last.unwrap_or(old_ends);
        if old_ends > GRACE_MAX {
            return Err(Refused::TooLong);
        }
        if new_last > old_ends {
            return Err(Refused::LastAfterEnd);
        }
        Ok(Self { new_last_from: now + new_last, old_end_at: now + old_ends })
    }
}

/// The secrets in the order in which they sign at `now`. `secrets` are those in force, the newest first;
/// `new_last_from` is the newest one's.
pub fn signing_order<S>(mut secrets: Vec<S>, new_last_from: Option<Moment>, now: Moment) -> Vec<S> {
    if new_last_from.is_some_and(|from| from <= now) && !secrets.is_empty() {
        secrets.rotate_left(1);
    }
    secrets
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_micros(1_000_000);

    #[test]
    fn the_operator_chooses_within_bounds() {
        let hours = |hours: u64| Some(Duration::from_secs(hours * 3_600));
        for (new_last, old_ends, expected) in [
            (None, None, Ok((24, 24))),
            (hours(2), None, Ok((2, 24))),
            (hours(48), None, Ok((48, 48))),
            (None, hours(1), Ok((1, 1))),
            (hours(0), hours(0), Ok((0, 0))),
            (hours(0), hours(30 * 24), Ok((0, 30 * 24))),
            (hours(3), hours(2), Err(Refused::LastAfterEnd)),
            (None, hours(30 * 24 + 1), Err(Refused::TooLong)),
            (hours(30 * 24 + 1), None, Err(Refused::TooLong)),
        ] {
            let planned = Rotation::plan(new_last, old_ends, NOW);
            let expected = expected.map(|(new_last, old_ends)| Rotation {
                new_last_from: NOW + Duration::from_secs(new_last * 3_600),
                old_end_at: NOW + Duration::from_secs(old_ends * 3_600),
            });
            assert_eq!(planned, expected, "{new_last:?} {old_ends:?}");
        }
    }

    #[test]
    fn the_new_secret_comes_last_from_its_moment_on() {
        let order = |from, now| signing_order(vec!["new", "old", "older"], from, now).join(" ");
        assert_eq!(order(None, NOW), "new old older");
        let later = NOW + Duration::from_secs(1);
        assert_eq!(order(Some(later), NOW), "new old older");
        assert_eq!(order(Some(later), later), "old older new");
        assert_eq!(signing_order(Vec::<&str>::new(), Some(NOW), later), [""; 0]);
    }
}
