//! Whether the store can be written to.

use crate::store::StoreError;
use rusqlite::Connection;

/// Writes the schema version that the store has: a page goes to the log and to the disk, and nothing changes.
pub(crate) fn probe(c: &Connection) -> Result<(), StoreError> {
    let version: u32 = c.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    Ok(c.pragma_update(None, "user_version", version)?)
}
