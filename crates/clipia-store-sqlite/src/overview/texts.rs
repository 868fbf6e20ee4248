//! The texts of requests in the index.
//!
//! A text is never written by the command that changes it. Since the file was opened all requests are looked through once, the oldest
//! first, in small steps: what is missing is taken in, and what the store does not have any more is removed. So nothing has to be
//! remembered over a crash. Requests that come later are found behind the last one. Those that come late, with a lower id, and those
//! that fail are [noted](Noted) by their commit.
//!
//! The store is read while the file is locked. So a text that retention removes meanwhile was taken in before, or is not found.

use super::{Changed, Noted, Open, Overview, numbers};
use crate::rows::{from_json, key, phase};
use crate::store::StoreError;
use clipia_queue::RequestId;
use clipia_store::texts::{Subject, words};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use serde_json::{Map, Value};
use std::collections::HashMap;
use uuid::Uuid;

/// How many requests are looked at in a step.
const LOOKED_AT_MAX: usize = 4_000;

/// How many texts are taken in or out in a step.
const CHANGED_MAX: usize = 500;

/// How many bytes of inputs are read in a step.
const READ_MAX: usize = 4 * 1024 * 1024;

/// The columns that a text is made of.
const COLUMNS: &str = "id, sandbox, input_gone, phase, error_message";

/// How much of a step is left.
struct Left {
    changes: usize,
    bytes: usize,
}

impl Left {
    const fn nothing(&self) -> bool {
        self.changes == 0 || self.bytes == 0
    }
}

impl Overview {
    /// Does a step. `store` is a connection to the store, in a transaction that has read nothing yet. Returns whether there may be
    /// more to do.
    pub(crate) fn index(&self, store: &Connection, noted: &Noted) -> Result<bool, StoreError> {
        self.run(|open| {
            let changed = noted.take();
            let mut rest = Changed::default();
            match step(open, store, &changed, &mut rest) {
                Ok(more) => {
                    noted.put_back(rest);
                    Ok(more)
                }
                Err(error) => {
                    noted.put_back(changed);
                    Err(error)
                }
            }
        })
    }

    /// Removes the texts of these requests.
    pub(crate) fn forget(&self, ids: &[RequestId]) -> Result<(), StoreError> {
        self.run(|open| {
            let transaction = begin(&mut open.connection)?;
            for id in ids {
                remove(&transaction, *id)?;
            }
            Ok(transaction.commit()?)
        })
    }
}

fn begin(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    Transaction::new(connection, TransactionBehavior::Immediate)
}

fn step(
    open: &mut Open,
    store: &Connection,
    changed: &Changed,
    rest: &mut Changed,
) -> Result<bool, StoreError> {
    let mut through = if changed.lost { None } else { open.looked_through };
    let mut left = Left { changes: CHANGED_MAX, bytes: READ_MAX };
    let transaction = begin(&mut open.connection)?;
    // Those behind the last one are found there.
    let (now, later): (Vec<_>, Vec<_>) = changed
        .ids
        .iter()
        .filter(|id| Some(**id) <= through)
        .enumerate()
        .partition(|(n, _)| *n < CHANGED_MAX);
    rest.ids = later.into_iter().map(|(_, id)| *id).collect();
    for (_, id) in now {
        if left.nothing() {
            rest.ids.push(*id);
        } else {
            look_again(&transaction, store, *id, &mut left)?;
        }
    }
    let more = look_on(&transaction, store, &mut through, &mut left)? || !rest.ids.is_empty();
    transaction.commit()?;
    open.looked_through = through;
    Ok(more)
}

/// Looks at a request again.
fn look_again(c: &Connection, store: &Connection, id: RequestId, left: &mut Left) -> Result<(), StoreError> {
    let mut statement = store.prepare_cached(&format!("SELECT {COLUMNS} FROM request WHERE id = ?1"))?;
    let mut rows = statement.query([key(id)])?;
    let failed: Option<bool> = c
        .prepare_cached("SELECT failed FROM text WHERE request = ?1")?
        .query_row([key(id)], |row| row.get(0))
        .optional()?;
    match rows.next()? {
        Some(row) => look(c, store, row, failed, left),
        None => remove(c, id),
    }
}

/// Looks at the requests behind `through`. Returns whether there may be more.
fn look_on(
    c: &Connection,
    store: &Connection,
    through: &mut Option<RequestId>,
    left: &mut Left,
) -> Result<bool, StoreError> {
    let mut statement = store.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM request WHERE id > ?1 ORDER BY id LIMIT {LOOKED_AT_MAX}"
    ))?;
    let after = through.map_or(Uuid::nil(), key);
    let last: Option<Uuid> = store
        .prepare_cached(&format!(
            "SELECT id FROM request WHERE id > ?1 ORDER BY id LIMIT 1 OFFSET {LOOKED_AT_MAX} - 1"
        ))?
        .query_row([after], |row| row.get(0))
        .optional()?;
    let mut indexed: HashMap<Uuid, bool> = c
        .prepare_cached("SELECT request, failed FROM text WHERE request > ?1 AND request <= ?2")?
        .query_map([after, last.unwrap_or(Uuid::max())], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut rows = statement.query([after])?;
    while let Some(row) = rows.next()? {
        if left.nothing() {
            return Ok(true);
        }
        let id: Uuid = row.get("id")?;
        look(c, store, row, indexed.remove(&id), left)?;
        *through = Some(RequestId(id));
    }
    // The store does not have these any more.
    for id in indexed.into_keys() {
        remove(c, RequestId(id))?;
    }
    Ok(last.is_some())
}

/// Brings the text of a request up to date. `indexed` says whether it is in the index, and then whether with its error message.
fn look(
    c: &Connection,
    store: &Connection,
    row: &Row<'_>,
    indexed: Option<bool>,
    left: &mut Left,
) -> Result<(), StoreError> {
    let id = RequestId(row.get("id")?);
    let error: Option<String> = row.get("error_message")?;
    let subject = Subject {
        sandbox: row.get("sandbox")?,
        input_gone: row.get("input_gone")?,
        phase: phase(row.get_ref("phase")?.as_str().map_err(rusqlite::Error::from)?)?,
        error: error.as_deref(),
    };
    match indexed {
        None if !subject.has_text() => Ok(()),
        Some(_) if !subject.has_text() => remove(c, id),
        Some(failed) if failed == subject.error().is_some() => Ok(()),
        _ => take(c, store, id, subject, left),
    }
}

/// Takes the text of a request into the index, in place of the one that it may have there.
fn take(
    c: &Connection,
    store: &Connection,
    id: RequestId,
    subject: Subject<'_>,
    left: &mut Left,
) -> Result<(), StoreError> {
    let input: String = store
        .prepare_cached("SELECT input FROM request_content WHERE request = ?1")?
        .query_row([key(id)], |row| row.get(0))?;
    left.bytes = left.bytes.saturating_sub(input.len());
    let input: Map<String, Value> = from_json(&input)?;
    let words: Vec<String> = words(&input, subject.error()).into_iter().collect();
    let words = words.join(" ");
    remove(c, id)?;
    if words.is_empty() {
        return Ok(());
    }
    left.changes -= 1;
    let number = numbers::new(c, id)?;
    c.prepare_cached("INSERT INTO text (number, request, failed, words) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![number, key(id), subject.error().is_some(), words])?;
    c.prepare_cached("INSERT INTO word (rowid, words) VALUES (?1, ?2)")?.execute(params![number, words])?;
    Ok(())
}

fn remove(c: &Connection, id: RequestId) -> Result<(), StoreError> {
    let removed: Option<(i64, String)> = c
        .prepare_cached("DELETE FROM text WHERE request = ?1 RETURNING number, words")?
        .query_row([key(id)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((number, words)) = removed {
        c.prepare_cached("INSERT INTO word (word, rowid, words) VALUES ('delete', ?1, ?2)")?
            .execute(params![number, words])?;
    }
    Ok(())
}
