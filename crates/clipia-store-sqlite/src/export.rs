//! Writes the store of a stopped server to a file, for a store of another kind.
//!
//! The store is opened as by a server: what its last process had claimed goes back to the queue, and what it had set aside to its
//! place. Then it is closed, and every row of one snapshot is written to the file. The directory is marked before the file has its
//! name: whoever has the file has a directory on which no server starts.

use super::backup::{Part, publish};
use super::{FILE, OpenError, SqliteStore, inspection, moved, read_pool, schema};
use crate::clock::{Clock, timestamp, wall};
use crate::store::{Checked, StoreError, Upkeep, Violation, blocking};
use clipia_store::transfer::{Cell, Figures, FileWriter, Kind, Row, Table};
use rusqlite::Connection;
use rusqlite::types::{FromSql, ValueRef};
use std::fs::OpenOptions;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use uuid::Uuid;

/// What was exported.
#[derive(Clone, Debug)]
pub struct Exported {
    /// What the store holds, computed from the rows that were written.
    pub figures: Figures,
    /// What was found consistent before.
    pub checked: Checked,
}

/// A store that was not exported. There is no file, and a server can start on the directory as before.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store cannot be opened, or a server runs on it.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store breaks a rule: another store would refuse it.
    #[error("the store breaks a rule, and nothing was exported: {}: {}", .0.rule, .0.found)]
    Broken(Box<Violation>),
    /// There is a file of that name, which stays as it is.
    #[error("`{}` exists already: name a file that does not", .0.display())]
    Exists(PathBuf),
    /// A file cannot be written.
    #[error("cannot write `{}`: {source}", .path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes the store in `directory`, on which no server may run, to the new file `file`, for its owner alone: it has the secrets of
/// webhooks. Then no server starts on the directory, until its mark `clipia.moved` is removed. It can be exported again.
///
/// Media are no part of the file.
///
/// # Errors
/// [`ExportError`].
pub async fn export(directory: &Path, file: &Path, clock: Arc<dyn Clock>) -> Result<Exported, ExportError> {
    let unwritten = |source| ExportError::Write { path: file.to_owned(), source };
    if file.try_exists().map_err(unwritten)? {
        return Err(ExportError::Exists(file.to_owned()));
    }
    let path = directory.join(FILE);
    // A store is not made to export it.
    inspection::kind(&path).map_err(|why| OpenError::NoStore { path, why })?;
    let store = SqliteStore::open_moved(directory, clock)?;
    let findings = store.examine().await?;
    store.close().await;
    if let Some(violation) = findings.violation {
        return Err(ExportError::Broken(Box::new(violation)));
    }
    let (directory, file) = (directory.to_owned(), file.to_owned());
    // The store keeps its lock until all is written.
    let figures =
        blocking::run(move || write(&store, &directory, &file)).await.map_err(StoreError::from)??;
    Ok(Exported { figures, checked: findings.checked })
}

fn write(store: &SqliteStore, directory: &Path, file: &Path) -> Result<Figures, ExportError> {
    let unwritten = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => ExportError::Exists(file.to_owned()),
        _ => ExportError::Write { path: file.to_owned(), source },
    };
    let part = Part::create(file).map_err(unwritten)?;
    let to = OpenOptions::new().write(true).open(part.path()).map_err(unwritten)?;
    let mut writer =
        FileWriter::begin(BufWriter::new(to), schema::VERSION, timestamp(wall())).map_err(unwritten)?;
    let connection = read_pool::open(&store.path).map_err(StoreError::from)?;
    let snapshot = connection.unchecked_transaction().map_err(StoreError::from)?;
    for table in Table::ALL {
        each(&snapshot, *table, |row| writer.row(&row).map_err(unwritten))?;
    }
    let (_, figures) = writer.end().map_err(unwritten)?;
    moved::mark(directory, file)
        .map_err(|source| ExportError::Write { path: directory.join(moved::FILE), source })?;
    publish(&part, file).map_err(unwritten)?;
    Ok(figures)
}

/// Where the rows of a table are. Most tables have the columns of their rows.
fn source(table: Table) -> &'static str {
    match table {
        // The account of a place is that of its request. All that was set aside was put back when the store was opened.
        Table::QueueItem => {
            "(SELECT p.queue, p.lane, p.ticket, r.account, p.request FROM queue_place p LEFT JOIN request r ON r.id = p.request)"
        }
        // A key that was used again after its record had expired has two: the later one is in force.
        Table::Idempotency => {
            "(SELECT account, sandbox, key, fingerprint, request, expires_at, max(number) FROM idempotency
              GROUP BY account, sandbox, key)"
        }
        other => other.name(),
    }
}

/// Runs `look` on each row of a table.
fn each(
    c: &Connection,
    table: Table,
    mut look: impl FnMut(Row) -> Result<(), ExportError>,
) -> Result<(), ExportError> {
    let columns = table.columns();
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    let query = format!("SELECT {} FROM {}", names.join(", "), source(table));
    let mut statement = c.prepare(&query).map_err(StoreError::from)?;
    let mut rows = statement.query([]).map_err(StoreError::from)?;
    while let Some(row) = rows.next().map_err(StoreError::from)? {
        let cells = columns.iter().enumerate().map(|(index, column)| cell(row.get_ref(index)?, column.kind));
        let cells: Vec<Cell> = cells.collect::<rusqlite::Result<_>>().map_err(StoreError::from)?;
        look(table.row(cells).map_err(|unfit| StoreError::Unreadable(unfit.to_string()))?)?;
    }
    Ok(())
}

/// A value as a cell of a column.
fn cell(value: ValueRef<'_>, kind: Kind) -> rusqlite::Result<Cell> {
    if value == ValueRef::Null {
        return Ok(Cell::Null);
    }
    Ok(match kind {
        Kind::Integer => Cell::Integer(value.as_i64()?),
        Kind::Boolean => Cell::Boolean(value.as_i64()? != 0),
        // A program or a receiver may have sent the character NUL, for which other databases have no room.
        Kind::Text => Cell::Text(value.as_str()?.replace('\0', "\u{fffd}")),
        Kind::Bytes => Cell::Bytes(value.as_blob()?.to_vec()),
        Kind::Id => Cell::Id(Uuid::column_result(value)?),
    })
}
