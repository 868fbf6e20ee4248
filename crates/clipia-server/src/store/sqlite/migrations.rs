//! Bringing a store to this version's schema.

use rusqlite::{Connection, Transaction, TransactionBehavior};

/// Each brings a store one version further. What stands here was released: add, never change.
const STEPS: [&str; 1] = [include_str!("schema.sql")];

/// A store that cannot be used by this version.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// A newer version wrote it.
    #[error("the store has schema version {found}, this program knows {known}: use a newer `clipia`")]
    Newer {
        /// The store's version.
        found: u32,
        /// The newest that this program knows.
        known: u32,
    },
    /// The database failed.
    #[error("the store could not be brought up to date: {0}")]
    Database(#[from] rusqlite::Error),
}

/// Runs the steps that the store lacks, all in one transaction.
pub(crate) fn run(connection: &mut Connection) -> Result<(), MigrationError> {
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    let found: u32 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let mut version = 0;
    for step in STEPS {
        version += 1;
        if version > found {
            transaction.execute_batch(step)?;
        }
    }
    if found > version {
        return Err(MigrationError::Newer { found, known: version });
    }
    transaction.pragma_update(None, "user_version", version)?;
    transaction.commit()?;
    Ok(())
}
