//! The schema: makes it, brings an older one up to date, and refuses one of another version.

use super::{Address, OpenError};
use deadpool_postgres::Object;
use tokio_postgres::error::SqlState;

/// Each step brings a database one version further. A step that was released is never changed: add one.
const STEPS: [&str; 5] = [
    include_str!("schema.sql"),
    include_str!("months.sql"),
    include_str!("database_run.sql"),
    include_str!("overview.sql"),
    include_str!("credit_budgets.sql"),
];

/// The version that the last step leads to.
const VERSION: i64 = STEPS.len() as i64;

/// The oldest release of PostgreSQL that is supported, as the server says it.
const SERVER_MIN: i64 = 150_000;

/// The result of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The version before; 0 where there was no store.
    pub from: i64,
    /// The version now.
    pub to: i64,
}

/// Makes a store in the database, or brings an older one up to this version. Whoever does so at the same time waits, and then finds
/// nothing to do. There is no way back. A server never does this by itself: several of them share the store.
///
/// # Errors
/// [`OpenError`] where the database cannot be used, or has a store of a newer version. Nothing was changed then.
pub async fn migrate(address: &Address) -> Result<Migrated, OpenError> {
    let pool = address.pool()?;
    let mut client = pool.get().await.map_err(OpenError::of_pool)?;
    admit_server(&client).await?;
    let transaction = client.transaction().await?;
    transaction
        .batch_execute("SELECT pg_advisory_xact_lock(hashtextextended('clipia migrate', 7165))")
        .await?;
    transaction
        .batch_execute(
            "CREATE TABLE IF NOT EXISTS clipia_schema (single BOOLEAN PRIMARY KEY CHECK (single), version BIGINT NOT NULL);
             INSERT INTO clipia_schema VALUES (TRUE, 0) ON CONFLICT DO NOTHING",
        )
        .await?;
    let from: i64 = transaction.query_typed_one("SELECT version FROM clipia_schema", &[]).await?.get(0);
    if from > VERSION {
        return Err(OpenError::Newer { found: from, known: VERSION });
    }
    for (step, version) in STEPS.into_iter().zip(1..) {
        if version > from {
            transaction.batch_execute(step).await?;
        }
    }
    transaction.batch_execute(&format!("UPDATE clipia_schema SET version = {VERSION}")).await?;
    // Servers make the months to come. The first of them finds this one.
    transaction
        .batch_execute("SELECT make_month(make_month(first_id(clock_timestamp() AT TIME ZONE 'UTC')))")
        .await?;
    transaction.commit().await?;
    Ok(Migrated { from, to: VERSION })
}

/// Looks whether a store can be opened in the database.
pub(crate) async fn admit(client: &Object) -> Result<(), OpenError> {
    admit_server(client).await?;
    let found = match client.query_typed_opt("SELECT version FROM clipia_schema", &[]).await {
        Ok(row) => row.map_or(0, |row| row.get(0)),
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => 0,
        Err(error) => return Err(error.into()),
    };
    match found {
        VERSION => Ok(()),
        0 => Err(OpenError::NoStore),
        older if older < VERSION => Err(OpenError::Older { found: older, known: VERSION }),
        newer => Err(OpenError::Newer { found: newer, known: VERSION }),
    }
}

/// Looks whether the server is PostgreSQL, and new enough. Others that speak its protocol lack what the store is built on: locks of a
/// transaction that have a name, rows that are skipped where they are locked, sessions that are notified.
async fn admit_server(client: &Object) -> Result<(), OpenError> {
    let row = client
        .query_typed_one(
            "SELECT version(), current_setting('server_version_num', TRUE), current_setting('synchronous_commit', TRUE),
                    current_setting('fsync', TRUE)",
            &[],
        )
        .await?;
    let text = |column: usize| row.try_get::<_, Option<String>>(column).ok().flatten().unwrap_or_default();
    let (name, number) = (text(0), text(1).parse::<i64>().unwrap_or(0));
    judge(&name, number)?;
    for (setting, value) in [("synchronous_commit", text(2)), ("fsync", text(3))] {
        if value == "off" {
            tracing::warn!(setting, "the database may lose what it has confirmed: `{setting}` is off");
        }
    }
    Ok(())
}

/// Whether a server of this name and number is supported.
fn judge(name: &str, number: i64) -> Result<(), OpenError> {
    // These call themselves PostgreSQL in some places.
    let other =
        ["CockroachDB", "Yugabyte", "-YB-", "Redshift", "Materialize", "RisingWave", "QuestDB", "CrateDB"];
    if !name.starts_with("PostgreSQL ") || other.iter().any(|other| name.contains(other)) {
        return Err(OpenError::NoPostgres(name.chars().take(100).collect()));
    }
    if number < SERVER_MIN {
        return Err(OpenError::TooOld(name.chars().take(100).collect()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_postgresql_that_is_new_enough_is_taken() {
        for (name, number, refused) in [
            ("PostgreSQL 15.18 (Debian 15.18-0+deb12u1) on x86_64-pc-linux-gnu", 150_018, None),
            ("PostgreSQL 18.1 on aarch64-apple-darwin", 180_001, None),
            ("PostgreSQL 14.20 on x86_64-pc-linux-gnu", 140_020, Some("PostgreSQL 15 or newer")),
            ("CockroachDB CCL v26.3.0 (x86_64-pc-linux-gnu)", 180_000, Some("is not PostgreSQL")),
            ("PostgreSQL 15.2-YB-2025.2.3.0-b0 on x86_64-pc-linux-gnu", 150_002, Some("is not PostgreSQL")),
        ] {
            match (judge(name, number), refused) {
                (Ok(()), None) => {}
                (Err(error), Some(reason)) => assert!(error.to_string().contains(reason), "{error}"),
                other => panic!("{name}: {other:?}"),
            }
        }
    }
}
