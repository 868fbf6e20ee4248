//! Why a store is not opened.

use clipia_store::StoreError;
use deadpool_postgres::PoolError;

/// A store that could not be opened, or a schema that could not be brought up to date.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// TLS cannot be used.
    #[error("cannot connect to the database by TLS: {0}")]
    Tls(String),
    /// The server is another database.
    #[error(
        "`{0}` is not PostgreSQL, though it speaks its protocol: the queue needs locks, notifications and skipped rows that it does not have. Use PostgreSQL 15 or newer, or SQLite"
    )]
    NoPostgres(String),
    /// The server is too old.
    #[error("`{0}` is too old: use PostgreSQL 15 or newer")]
    TooOld(String),
    /// There is no store in the database.
    #[error("there is no store in this database: run `clipia migrate` once")]
    NoStore,
    /// The store is of an older version.
    #[error("the store has version {found}, and this program needs {known}: run `clipia migrate` once")]
    Older {
        /// Its version.
        found: i64,
        /// The version of this program.
        known: i64,
    },
    /// The store is of a newer version.
    #[error("the store has version {found}, and this program knows {known} at most: use a newer `clipia`")]
    Newer {
        /// Its version.
        found: i64,
        /// The version of this program.
        known: i64,
    },
    /// The database cannot be connected to, or refuses.
    #[error("cannot use the database: {}", told(.0))]
    Database(#[from] tokio_postgres::Error),
    /// No session came up in time, or the store cannot be read.
    #[error("cannot open the store: {0}")]
    Store(#[from] StoreError),
}

impl OpenError {
    pub(crate) fn of_pool(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => Self::Database(error),
            other => Self::Store(super::faults::of_pool(other)),
        }
    }
}

/// What an error of the store says, with what the server or the system says.
pub(crate) fn described(error: &StoreError) -> String {
    match error {
        StoreError::Backend { fault, source } => match source.downcast_ref() {
            Some(source) => format!("{fault}: {}", told(source)),
            None => error.to_string(),
        },
        _ => error.to_string(),
    }
}

/// What the server or the system says: the driver's own text only says which kind of error it is.
fn told(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), std::error::Error::source(error)) {
        (Some(said), _) => said.message().to_owned(),
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}
