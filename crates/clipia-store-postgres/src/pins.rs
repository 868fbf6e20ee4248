//! What pins the horizon of the database: rows that changed since are kept, and every look-up that comes by passes over them.

use super::connection::Connection;
use super::rows::Row;
use super::values::values;
use clipia_store::{Pin, StoreError};

/// How many transactions began since a snapshot that is worth a word: a busy queue begins as many in about a minute, and what is kept
/// for less is of no weight.
const TRANSACTIONS_MIN: i64 = 20_000;

/// How many are named.
const NAMED_MAX: usize = 10;

/// What looks at a snapshot that is older than so many transactions, the oldest first. A session of another user shows no more than its
/// number where this one may not look at it. What a session runs is not shown: it may have secrets in it.
pub(crate) async fn read(c: &Connection) -> Result<Vec<Pin>, StoreError> {
    // A session pins by the snapshot that it looks at, and by a transaction of its own that has changed something. Those on other
    // databases pin nothing here, except a standby that reports its readers.
    let rows = c
        .query(
            "SELECT * FROM (
                SELECT 'session ' || pid || coalesce(' of ' || usename, '') || coalesce(' (' || nullif(application_name, '') || ')', '')
                        || coalesce(', which is ' || state, '') || ': end it with `SELECT pg_terminate_backend(' || pid || ')`' AS by,
                    greatest(age(backend_xmin), age(backend_xid))::bigint AS transactions,
                    (extract(epoch FROM xact_start) * 1000000)::bigint AS since
                FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND (datname = current_database() OR datname IS NULL)
                UNION ALL
                SELECT 'replication slot `' || slot_name || '`, which is ' || CASE WHEN active THEN 'in use' ELSE 'unused' END
                        || ': where nobody needs it any more, remove it with `SELECT pg_drop_replication_slot(' || quote_literal(slot_name) || ')`',
                    greatest(age(xmin), age(catalog_xmin))::bigint, NULL
                FROM pg_replication_slots WHERE database = current_database() OR database IS NULL
                UNION ALL
                SELECT 'prepared transaction ' || quote_literal(gid) || ' of ' || owner || ': end it with `ROLLBACK PREPARED ' || quote_literal(gid) || '`',
                    age(transaction)::bigint, (extract(epoch FROM prepared) * 1000000)::bigint
                FROM pg_prepared_xacts WHERE database = current_database()
             ) pin WHERE transactions >= $1 ORDER BY transactions DESC, by LIMIT $2",
            values![TRANSACTIONS_MIN, NAMED_MAX],
        )
        .await?;
    rows.iter().map(pin).collect()
}

fn pin(row: &Row) -> Result<Pin, StoreError> {
    Ok(Pin {
        by: row.get("by")?,
        transactions: row.count("transactions")?,
        since: row.optional_time("since")?,
    })
}
