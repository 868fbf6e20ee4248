//! When an account's webhook secrets sign after one was replaced.
//!
//! A delivery has one signature for each secret in force. Receivers that read the header into a map keep the last one
//! alone (`contract.md`, "Webhooks"): whichever secret comes last is the only one that such a receiver can have. So the old
//! secret comes last until the receivers have the new one, and the operator says when that is.

use crate::Moment;
use crate::commands::Now;
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

/// When a webhook secret signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigningTimes {
    /// When the secret was created, by the system's clock. Later secrets of an account have later times.
    pub created_at: Moment,
    /// From when on the secret comes last in the header while older ones still sign; nothing for an account's first secret.
    pub last_from: Option<Moment>,
    /// When the secret ends; nothing for the newest one.
    pub ends_at: Option<Moment>,
}

impl SigningTimes {
    /// The first secret of an account.
    pub const fn first(now: Now) -> Self {
        Self { created_at: now.wall, last_from: None, ends_at: None }
    }

    /// Whether the secret signs at `now`.
    pub fn signs(&self, now: Moment) -> bool {
        self.ends_at.is_none_or(|end| end > now)
    }
}

/// What a rotation changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// The new secret.
    pub new: SigningTimes,
    /// Secrets that get another end.
    pub changed: Vec<SigningTimes>,
    /// Secrets that are removed: they have ended, or there are more than [`SECRETS_MAX`].
    pub removed: Vec<SigningTimes>,
}

/// Replaces the newest of an account's `secrets`, which are given the newest first. Nothing where the account has none: there
/// is no such account.
pub fn rotate(secrets: &[SigningTimes], rotation: Rotation, now: Now) -> Option<Rotated> {
    let newest = secrets.first()?;
    // Two rotations in one microsecond, or a clock that was set back: the order stays that of the rotations.
    let created_at = now.wall.max(newest.created_at + Duration::from_micros(1));
    let new = SigningTimes { created_at, last_from: Some(rotation.new_last_from), ends_at: None };
    let mut rotated = Rotated { new, changed: Vec::new(), removed: Vec::new() };
    for (newer, secret) in (1..).zip(secrets) {
        let ends_at = secret.ends_at.or(Some(rotation.old_end_at));
        let after = SigningTimes { ends_at, ..*secret };
        if !after.signs(now.steady) || newer >= SECRETS_MAX {
            rotated.removed.push(*secret);
        } else if after != *secret {
            rotated.changed.push(after);
        }
    }
    Some(rotated)
}

/// Gives the rotation under way other times: the secrets of an account that change. A secret that has ended stays as it is.
/// Nothing where no old secret signs.
pub fn replan(secrets: &[SigningTimes], rotation: Rotation, now: Moment) -> Option<Vec<SigningTimes>> {
    let is_old = |secret: &&SigningTimes| secret.ends_at.is_some() && secret.signs(now);
    secrets.iter().find(is_old)?;
    let signing = secrets.iter().filter(|secret| secret.signs(now));
    let replanned = signing.map(|secret| match secret.ends_at {
        Some(_) => SigningTimes { ends_at: Some(rotation.old_end_at), ..*secret },
        None => SigningTimes { last_from: Some(rotation.new_last_from), ..*secret },
    });
    Some(replanned.collect())
}

/// The secrets of an account that sign at `now`, in the order of their signatures. They are given the newest first.
pub fn signing_order<S>(secrets: impl IntoIterator<Item = (SigningTimes, S)>, now: Moment) -> Vec<S> {
    let mut new_last_from = None;
    let mut signing = Vec::new();
    for (times, secret) in secrets.into_iter().filter(|(times, _)| times.signs(now)) {
        if signing.is_empty() {
            new_last_from = times.last_from;
        }
        signing.push(secret);
    }
    if new_last_from.is_some_and(|from| from <= now) && !signing.is_empty() {
        signing.rotate_left(1);
    }
    signing
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

    fn at(seconds: u64) -> Moment {
        NOW + Duration::from_secs(seconds)
    }

    fn secret(created: u64, last_from: Option<u64>, ends: Option<u64>) -> SigningTimes {
        SigningTimes { created_at: at(created), last_from: last_from.map(at), ends_at: ends.map(at) }
    }

    #[test]
    fn the_new_secret_comes_last_from_its_moment_on_and_the_old_ones_end() {
        let secrets = |last_from| {
            [
                (secret(3, last_from, None), "new"),
                (secret(2, Some(1), Some(9)), "old"),
                (secret(1, None, Some(7)), "older"),
            ]
        };
        for (last_from, now, order) in [
            (None, 6, "new old older"),
            (Some(6), 5, "new old older"),
            (Some(6), 6, "old older new"),
            (Some(6), 7, "old new"),
            (Some(10), 9, "new"),
            (Some(10), 10, "new"),
        ] {
            assert_eq!(signing_order(secrets(last_from), at(now)).join(" "), order, "{last_from:?} {now}");
        }
        assert_eq!(signing_order([(secret(0, None, Some(1)), "ended")], at(1)), [""; 0]);
    }

    #[test]
    fn a_rotation_ends_the_secret_that_was_the_newest() {
        let rotation = Rotation { new_last_from: at(20), old_end_at: at(30) };
        let rotated = |secrets: &[SigningTimes], wall| {
            rotate(secrets, rotation, Now { steady: at(10), wall: at(wall) })
        };
        assert_eq!(rotated(&[], 10), None);
        let (newest, old) = (secret(5, None, None), secret(4, None, Some(15)));
        let ended = secret(3, None, Some(10));
        let after = rotated(&[newest, old, ended], 10).unwrap();
        assert_eq!(after.new, secret(10, Some(20), None));
        assert_eq!((after.changed, after.removed), (vec![secret(5, None, Some(30))], vec![ended]));
        // A clock that was set back changes no order.
        let new = rotated(&[newest], 2).unwrap().new;
        assert_eq!(new.created_at, newest.created_at + Duration::from_micros(1));
        // No more than so many sign.
        let many: Vec<_> = (0..6).map(|age| secret(9 - age, None, (age > 0).then_some(40))).collect();
        let after = rotated(&many, 10).unwrap();
        assert_eq!(after.removed, many[SECRETS_MAX as usize - 1..]);
        // One that ends at once is removed at once.
        let alone = Rotation { new_last_from: at(10), old_end_at: at(10) };
        let after = rotate(&[newest], alone, Now { steady: at(10), wall: at(10) }).unwrap();
        assert_eq!((after.changed, after.removed), (vec![], vec![newest]));
    }

    #[test]
    fn a_rotation_under_way_gets_other_times_and_one_that_is_over_does_not() {
        let rotation = Rotation { new_last_from: at(20), old_end_at: at(30) };
        let (newest, old, ended) =
            (secret(5, Some(9), None), secret(4, None, Some(15)), secret(3, None, Some(10)));
        assert_eq!(
            replan(&[newest, old, ended], rotation, at(10)),
            Some(vec![secret(5, Some(20), None), secret(4, None, Some(30))])
        );
        assert_eq!(replan(&[newest, old, ended], rotation, at(15)), None);
        assert_eq!(replan(&[newest], rotation, at(10)), None);
    }
}
