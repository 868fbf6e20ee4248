//! The values of the domain as columns.

use crate::store::StoreError;
use clipia_queue::ledger::Entries;
use clipia_queue::lifecycle::{Epoch, Lifecycle};
use clipia_queue::{Credits, Moment, RequestId, ledger};
pub(crate) use clipia_store::columns::{
    amount, attempt_end, attempt_name, count, credit_budget, credits, from_json, phase, spent_credits,
    to_json,
};
use rusqlite::Row;
use uuid::Uuid;

/// The columns `phase`, `epoch`, `rescues`.
pub(crate) fn lifecycle(row: &Row<'_>) -> Result<Lifecycle, StoreError> {
    Ok(Lifecycle {
        phase: phase(row.get_ref("phase")?.as_str().map_err(rusqlite::Error::from)?)?,
        epoch: Epoch(row.get("epoch")?),
        rescues: row.get("rescues")?,
    })
}

/// What a request costs, by the columns `cost`, `charged`.
pub(crate) fn cost(row: &Row<'_>) -> Result<Credits, StoreError> {
    let charged: Option<i64> = row.get("charged")?;
    Ok(ledger::cost(credits(row.get("cost")?)?, charged.map(credits).transpose()?))
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

/// A request's id for a column.
pub(crate) fn key(id: RequestId) -> Uuid {
    id.0
}

/// A moment of a column.
pub(crate) fn moment(micros: i64) -> Moment {
    Moment::from_micros(micros)
}
