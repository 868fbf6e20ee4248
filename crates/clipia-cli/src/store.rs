//! The store of a server: in its data directory, or in a database that several servers share.

use crate::exit::Usage;
use anyhow::{Context, ensure};
use clipia_server::clock::SystemClock;
use clipia_server::store::{Store, data_lock, private};
use clipia_server::{Config, DatabaseUrl, MediaLocation};
use clipia_store_postgres::{Address, PostgresStore};
use clipia_store_sqlite::SqliteStore;
use std::fs::File;
use std::sync::Arc;

/// An open store.
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn Store>,
    /// The lock of the data directory, where the store itself does not have it.
    _lock: Option<File>,
}

/// Opens the store that the configuration names.
pub(crate) async fn open(config: &Config) -> anyhow::Result<Opened> {
    if config.database_url.is_set() {
        return open_shared(config).await;
    }
    ensure!(
        config.roles.are_all(),
        Usage::new(
            "`roles` divides the work among servers that share a database, and `database_url` names none"
                .to_owned()
        )
    );
    ensure!(
        !config.database_listen_url.is_set(),
        Usage::new("`database_listen_url` is for a database, and `database_url` names none".to_owned())
    );
    let store = Arc::new(SqliteStore::open(&config.data, Arc::new(SystemClock))?);
    Ok(Opened { store, _lock: None })
}

async fn open_shared(config: &Config) -> anyhow::Result<Opened> {
    private::directory(&config.data)
        .with_context(|| format!("cannot use the data directory `{}`", config.data.display()))?;
    let lock = data_lock::take(&config.data)?;
    if SqliteStore::is_in(&config.data) {
        tracing::warn!(
            data = %config.data.display(),
            "the data directory has a store of its own, which this server does not use: the database has another"
        );
    }
    if config.media == MediaLocation::default() {
        tracing::warn!(
            "files are kept in this server's data directory, where the other servers of the database do not find them: set `media` to a \
             place that all share"
        );
    }
    let address = address(&config.database_url, &config.database_listen_url)?;
    let store = PostgresStore::open(&address).await?;
    Ok(Opened { store: Arc::new(store), _lock: Some(lock) })
}

/// The address of a database.
pub(crate) fn address(url: &DatabaseUrl, listen_url: &DatabaseUrl) -> anyhow::Result<Address> {
    let address = Address::new(url.revealed())?;
    Ok(if listen_url.is_set() { address.listening_at(listen_url.revealed())? } else { address })
}
