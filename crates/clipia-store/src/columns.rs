//! Values of the domain in the columns of a database, the same in every store.

use crate::{AttemptEnd, StoreError};
use clipia_queue::Credits;
use clipia_queue::lifecycle::Phase;
use clipia_queue::limits::{CreditBudget, Per, Period, SpentCredits};
use clipia_queue::position::Lane;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The phase of that name.
///
/// # Errors
/// [`StoreError::Unreadable`] where none has it.
pub fn phase(name: &str) -> Result<Phase, StoreError> {
    Phase::named(name).ok_or_else(|| StoreError::Unreadable(format!("phase `{name}`")))
}

/// The name of an attempt's end.
pub const fn attempt_name(how: AttemptEnd) -> &'static str {
    match how {
        AttemptEnd::Completed => "completed",
        AttemptEnd::Failed => "failed",
        AttemptEnd::Released => "released",
        AttemptEnd::Lost => "lost",
        AttemptEnd::Canceled => "canceled",
    }
}

/// The attempt's end of that name.
///
/// # Errors
/// [`StoreError::Unreadable`] where none has it.
pub fn attempt_end(name: &str) -> Result<AttemptEnd, StoreError> {
    Ok(match name {
        "completed" => AttemptEnd::Completed,
        "failed" => AttemptEnd::Failed,
        "released" => AttemptEnd::Released,
        "lost" => AttemptEnd::Lost,
        "canceled" => AttemptEnd::Canceled,
        _ => return Err(StoreError::Unreadable(format!("ending `{name}`"))),
    })
}

/// The number of a lane.
pub const fn lane_number(lane: Lane) -> i64 {
    match lane {
        Lane::Requeued => 0,
        Lane::New => 1,
    }
}

/// The lane of that number.
pub const fn lane(number: i64) -> Lane {
    match number {
        0 => Lane::Requeued,
        _ => Lane::New,
    }
}

/// Credits of a number.
///
/// # Errors
/// [`StoreError::Unreadable`] where it is negative.
pub fn credits(amount: i64) -> Result<Credits, StoreError> {
    u64::try_from(amount).map(Credits::new).map_err(|_| StoreError::Unreadable(format!("{amount} credits")))
}

/// The number of credits.
///
/// # Errors
/// [`StoreError::Unreadable`] where a column cannot have it.
pub fn amount(credits: Credits) -> Result<i64, StoreError> {
    i64::try_from(credits.get()).map_err(|_| StoreError::Unreadable(format!("{credits} credits")))
}

/// The credit budget of a key, by the columns `credits_max`, `credits_per`.
///
/// # Errors
/// [`StoreError::Unreadable`] where it is none.
pub fn credit_budget(most: Option<i64>, per: Option<&str>) -> Result<Option<CreditBudget>, StoreError> {
    let Some((most, per)) = most.zip(per) else { return Ok(None) };
    let named = Per::named(per).ok_or_else(|| StoreError::Unreadable(format!("credits a `{per}`")))?;
    Ok(Some(CreditBudget { credits: credits(most)?, per: named }))
}

/// What a key has spent of its credit budget, by the columns `spent`, `spent_since`, `spent_until`.
///
/// # Errors
/// [`StoreError::Unreadable`] where it is negative.
pub fn spent_credits(spent: i64, since: i64, until: i64) -> Result<SpentCredits, StoreError> {
    Ok(SpentCredits { period: Period { since, until }, credits: credits(spent)? })
}

/// A count of a number, which is never negative.
pub fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A value as JSON.
///
/// # Errors
/// [`StoreError::Unreadable`] where it has no JSON.
pub fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Unreadable(error.to_string()))
}

/// A value from its JSON.
///
/// # Errors
/// [`StoreError::Unreadable`] where it is of another form.
pub fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Unreadable(error.to_string()))
}
