//! What a sweep of media asks.

use super::rows::{from_json, key, phase};
use crate::store::{RequestOutput, StoreError};
use clipia_queue::RequestId;
use rusqlite::{Connection, OptionalExtension};

/// Of those requests that there are and whose outputs can be read.
pub(crate) fn of(c: &Connection, ids: Vec<RequestId>) -> Result<Vec<RequestOutput>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT phase, iif(expired_at IS NULL, output, NULL) FROM request JOIN request_content ON request = id WHERE id = ?1",
    )?;
    let mut outputs = Vec::with_capacity(ids.len());
    for id in ids {
        let row: Option<(String, Option<String>)> =
            statement.query_row([key(id)], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        if let Some((name, output)) = row
            && let Ok(output) = output.as_deref().map(from_json).transpose()
        {
            outputs.push(RequestOutput { id, phase: phase(&name)?, output });
        }
    }
    Ok(outputs)
}
