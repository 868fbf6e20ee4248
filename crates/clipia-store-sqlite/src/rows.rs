//! The values of the domain as columns.

use crate::store::{AttemptEnd, StoreError};
use clipia_queue::ledger::Entries;
use clipia_queue::lifecycle::{Epoch, Lifecycle, Phase};
use clipia_queue::{Credits, Moment, RequestId, ledger};
use rusqlite::Row;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

/// The phase of that name.
pub(crate) fn phase(name: &str) -> Result<Phase, StoreError> {
    Phase::named(name).ok_or_else(|| StoreError::Unreadable(format!("phase `{name}`")))
}

/// The name of an attempt's end in the store.
pub(crate) fn attempt_name(how: AttemptEnd) -> &'static str {
    match how {
        AttemptEnd::Completed => "completed",
        AttemptEnd::Failed => "failed",
        AttemptEnd::Released => "released",
        AttemptEnd::Lost => "lost",
        AttemptEnd::Canceled => "canceled",
    }
}

/// The attempt's end of that name.
pub(crate) fn attempt_end(name: &str) -> Result<AttemptEnd, StoreError> {
    Ok(match name {
        "completed" => AttemptEnd::Completed,
        "failed" => AttemptEnd::Failed,
        "released" => AttemptEnd::Released,
        "lost" => AttemptEnd::Lost,
        "canceled" => AttemptEnd::Canceled,
        _ => return Err(StoreError::Unreadable(format!("ending `{name}`"))),
    })
}

/// The columns `phase`, `epoch`, `rescues`.
pub(crate) fn lifecycle(row: &Row<'_>) -> Result<Lifecycle, StoreError> {
    Ok(Lifecycle {
        phase: phase(row.get_ref("phase")?.as_str().map_err(rusqlite::Error::from)?)?,
        epoch: Epoch(row.get("epoch")?),
        rescues: row.get("rescues")?,
    })
}

/// Credits of a column.
pub(crate) fn credits(amount: i64) -> Result<Credits, StoreError> {
    u64::try_from(amount).map(Credits::new).map_err(|_| StoreError::Unreadable(format!("{amount} credits")))
}

/// What a request costs, by the columns `cost`, `charged`.
pub(crate) fn cost(row: &Row<'_>) -> Result<Credits, StoreError> {
    let charged: Option<i64> = row.get("charged")?;
    Ok(ledger::cost(credits(row.get("cost")?)?, charged.map(credits).transpose()?))
}

/// Credits for a column.
pub(crate) fn amount(credits: Credits) -> Result<i64, StoreError> {
    i64::try_from(credits.get()).map_err(|_| StoreError::Unreadable(format!("{credits} credits")))
}

/// The columns `available`, `held`, `issuance`, `revenue`.
pub(crate) fn entries(row: &Row<'_>) -> rusqlite::Result<Entries> {
    Ok(Entries {
        available: row.get("available")?,
        held: row.get("held")?,
        issuance: row.get("issuance")?,
        revenue: row.get("revenue")?,
    })
}

/// A count of a column.
pub(crate) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A request's id for a column.
pub(crate) fn key(id: RequestId) -> Uuid {
    id.0
}

/// A moment of a column.
pub(crate) fn moment(micros: i64) -> Moment {
    Moment::from_micros(micros)
}

/// A value as JSON for a column.
pub(crate) fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Unreadable(error.to_string()))
}

/// A value from the JSON of a column.
pub(crate) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Unreadable(error.to_string()))
}
