//! Puts a backup in the place of a store.
//!
//! The new store is written whole under another name, flushed to the disk, and renamed: whenever the process is killed, the old
//! store or the new one is there. The old one is kept under another name.

use super::inspection::{self, Kind, beside, log_bytes, log_of};
use super::rows::{count, moment, phase};
use super::{FILE, FILES, NoStore, OpenError, backup};
use crate::clock::{timestamp, wall};
use crate::{data_lock, private};
use clipia_queue::commands::outbox;
use clipia_queue::deliveries::DeliveryState;
use jiff::Timestamp;
use rusqlite::Connection;
use serde::Serialize;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// A store that was restored.
#[derive(Clone, Debug, Serialize)]
pub struct Restored {
    /// The store.
    pub store: PathBuf,
    /// When the backup was made, if the file has that.
    pub backup_at: Option<Timestamp>,
    /// When its newest request was submitted.
    pub newest_request_at: Option<Timestamp>,
    /// Accounts in it.
    pub accounts: u64,
    /// Requests in it.
    pub requests: u64,
    /// Requests that had not ended, and go on at the next start.
    pub requests_unfinished: u64,
    /// Deliveries that will wait until an operator resumes or abandons them.
    pub deliveries_held: u64,
    /// Where the old store is kept.
    pub replaced: Option<PathBuf>,
}

/// A backup that was not put in place. The store is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The directory is in use, or the file is no store.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The file to restore is the store of the directory.
    #[error("`{}` is the store itself: name a backup", .0.display())]
    Itself(PathBuf),
    /// A file cannot be written.
    #[error("cannot write `{}`: {source}", .path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn at(path: &Path) -> impl Fn(io::Error) -> RestoreError + '_ {
    |source| RestoreError::Write { path: path.to_owned(), source }
}

fn no_store(path: &Path) -> impl Fn(NoStore) -> RestoreError + '_ {
    |why| OpenError::NoStore { path: path.to_owned(), why }.into()
}

/// Puts the backup `file` in the place of the store in `directory`, which is made if there is none. No server may run on
/// it. From its first start on the pending deliveries of the restored store are held until an operator resumes or abandons them.
///
/// # Errors
/// [`RestoreError`]; the store is as it was then.
pub fn restore(file: &Path, directory: &Path) -> Result<Restored, RestoreError> {
    // Checked first, since this path is what people get wrong most.
    let kind = inspection::kind(file).map_err(no_store(file))?;
    if log_bytes(file) > 0 {
        return Err(no_store(file)(NoStore::OpenLog));
    }
    private::data_directory(directory, &FILES).map_err(at(directory))?;
    let _lock = data_lock::take(directory).map_err(OpenError::from)?;
    let store = directory.join(FILE);
    if inspection::is_same(file, &store) {
        return Err(RestoreError::Itself(file.to_owned()));
    }
    let part = Part::copy(file, beside(&store, ".part"))?;
    let restored = prepare(&part.0, file, kind)?;
    File::open(&part.0).and_then(|part| part.sync_all()).map_err(at(&part.0))?;
    let replaced = keep(&store)?;
    fs::rename(&part.0, &store).map_err(at(&store))?;
    // The new store is in no WAL mode, so that a server refuses to start while the log of the old one is still there.
    for left in ["-wal", "-shm"] {
        remove(&beside(&store, left))?;
    }
    backup::sync_directory_of(&store).map_err(at(directory))?;
    Ok(Restored { store, replaced, ..restored })
}

/// Examines the copy, and marks it as one. Returns what is in it. `file` is the path in messages.
fn prepare(part: &Path, file: &Path, kind: Kind) -> Result<Restored, RestoreError> {
    let fault = |error: rusqlite::Error| OpenError::of(error, file);
    let mut connection = Connection::open(part).map_err(fault)?;
    inspection::admit(&mut connection, file)?;
    let broken: Option<String> = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map(|found: String| (found != "ok").then_some(found))
        .map_err(fault)?;
    if let Some(found) = broken {
        return Err(no_store(file)(NoStore::Damaged(found)));
    }
    let prepared = (|| {
        connection.pragma_update(None, "journal_mode", "DELETE")?;
        if kind == Kind::Live {
            // The file of a server that was stopped, copied: it is not known when.
            connection.execute("UPDATE store SET backup_at = NULL", [])?;
        }
        let requests_unfinished =
            rows_of(&connection, "SELECT phase, count(*) FROM request GROUP BY phase", |name| {
                phase(name).is_ok_and(|phase| !phase.is_terminal())
            })?;
        let deliveries_held =
            rows_of(&connection, "SELECT state, count(*) FROM delivery GROUP BY state", |name| {
                DeliveryState::named(name).is_some_and(|state| outbox::held(state) == DeliveryState::Held)
            })?;
        connection.query_row(
            "SELECT (SELECT backup_at FROM store) AS backup_at,
                    (SELECT max(created_at) FROM request) AS newest,
                    (SELECT count(*) FROM account) AS accounts,
                    (SELECT count(*) FROM request) AS requests",
            [],
            |row| {
                let time = |column: &str| -> rusqlite::Result<Option<Timestamp>> {
                    Ok(row.get::<_, Option<i64>>(column)?.map(moment).map(timestamp))
                };
                Ok(Restored {
                    store: PathBuf::new(),
                    backup_at: time("backup_at")?,
                    newest_request_at: time("newest")?,
                    accounts: count(row.get("accounts")?),
                    requests: count(row.get("requests")?),
                    requests_unfinished,
                    deliveries_held,
                    replaced: None,
                })
            },
        )
    })();
    let restored = prepared.map_err(fault)?;
    connection.close().map_err(|(_, error)| fault(error))?;
    Ok(restored)
}

/// How many rows `query` counts under the names that are `wanted`.
fn rows_of(connection: &Connection, query: &str, wanted: impl Fn(&str) -> bool) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare(query)?;
    let mut rows = statement.query([])?;
    let mut counted = 0;
    while let Some(row) = rows.next()? {
        if wanted(row.get_ref(0)?.as_str()?) {
            counted += count(row.get(1)?);
        }
    }
    Ok(counted)
}

/// Gives the old store a second name, under which it is kept. It still has the first one.
fn keep(store: &Path) -> Result<Option<PathBuf>, RestoreError> {
    let is_there = store.try_exists().map_err(at(store))?;
    if !is_there && log_bytes(store) == 0 {
        return Ok(None);
    }
    // The store's own log is moved into it. Any other log is kept beside it, and so is that of a damaged store.
    if log_bytes(store) > 0 && inspection::kind(store).is_ok_and(|kind| kind == Kind::Live) {
        let moved = Connection::open(store)
            .and_then(|connection| connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())));
        if let Err(error) = moved {
            tracing::warn!(%error, "the log of the old store is kept beside it");
        }
    }
    let kept = beside(store, &format!(".replaced-{}", timestamp(wall()).strftime("%Y%m%dT%H%M%S%.3fZ")));
    if log_bytes(store) > 0 {
        let log = log_of(&kept);
        fs::hard_link(log_of(store), &log).map_err(at(&log))?;
    }
    if is_there {
        fs::hard_link(store, &kept).map_err(at(&kept))?;
    }
    Ok(Some(kept))
}

/// A copy for its owner alone, which is removed unless it was renamed.
struct Part(PathBuf);

impl Part {
    fn copy(file: &Path, to: PathBuf) -> Result<Self, RestoreError> {
        // Of an attempt that was killed.
        remove_all(&to)?;
        let unreadable = |error| no_store(file)(NoStore::Unreadable(error));
        let mut from = File::open(file).map_err(unreadable)?;
        let mut into = private::create_new(&to).map_err(at(&to))?;
        let part = Self(to);
        io::copy(&mut from, &mut into).map_err(at(&part.0))?;
        Ok(part)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = remove_all(&self.0);
    }
}

/// Removes a database and what SQLite keeps beside it.
fn remove_all(path: &Path) -> Result<(), RestoreError> {
    ["", "-journal", "-wal", "-shm"].iter().try_for_each(|suffix| remove(&beside(path, suffix)))
}

fn remove(path: &Path) -> Result<(), RestoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(at(path)(error)),
        _ => Ok(()),
    }
}
