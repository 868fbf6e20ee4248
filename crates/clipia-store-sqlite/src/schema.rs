//! The schema of a store: creates it, brings an older one up to date, and refuses one of another build.

use super::NoStore;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::collections::BTreeMap;

/// Each step brings a store one version further. A step that was released is never changed: add one.
const STEPS: [&str; 2] = [include_str!("schema.sql"), include_str!("credit_budgets.sql")];

/// The version that the last step leads to.
pub(crate) const VERSION: u32 = STEPS.len() as u32;

/// Makes the schema in an empty database.
pub(crate) fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    steps(connection, 0)
}

/// Runs the steps that the store lacks. Returns why the file cannot be used, if it is no store of this program.
pub(crate) fn update(connection: &mut Connection) -> rusqlite::Result<Option<NoStore>> {
    let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > VERSION {
        return Ok(Some(NoStore::Newer { found, known: VERSION }));
    }
    // A store is made whole, so that version 0 is no store.
    if found == 0 || !objects(connection)?.contains_key("request") {
        return Ok(Some(NoStore::Foreign));
    }
    if found < VERSION {
        steps(connection, found)?;
    }
    difference(connection).map(|different| different.map(NoStore::AnotherBuild))
}

/// Runs the steps after `found`, all in one transaction.
fn steps(connection: &mut Connection, found: u32) -> rusqlite::Result<()> {
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    for (step, version) in STEPS.into_iter().zip(1..) {
        if version > found {
            transaction.execute_batch(step)?;
        }
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

/// The first table or index of this program that is missing or has another form.
fn difference(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let mut made = Connection::open_in_memory()?;
    create(&mut made)?;
    let found = objects(connection)?;
    Ok(objects(&made)?.into_iter().find(|(name, form)| found.get(name) != Some(form)).map(|(name, _)| name))
}

/// Each table and index with its definition, without comments and with one space between words.
fn objects(connection: &Connection) -> rusqlite::Result<BTreeMap<String, String>> {
    let mut statement = connection.prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")?;
    let objects = statement.query_map([], |row| {
        let sql: String = row.get(1)?;
        let words =
            sql.lines().flat_map(|line| line.split("--").next().unwrap_or_default().split_whitespace());
        Ok((row.get(0)?, words.collect::<Vec<_>>().join(" ")))
    })?;
    objects.collect()
}
