//! Records of idempotency keys. Those of an account are read and written while the account is locked.

use super::connection::Connection;
use super::values::values;
use clipia_queue::commands::submit::NewRecord;
use clipia_queue::idempotency::{Fingerprint, Record, is_kept};
use clipia_queue::{AccountId, Moment};
use clipia_store::StoreError;
use std::collections::HashMap;

/// The name of a record: an idempotency key of an account, or of its sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    pub(crate) account: AccountId,
    pub(crate) sandbox: bool,
    pub(crate) key: String,
}

/// Records that are removed at a time.
const REMOVED_AT_ONCE: u32 = 5_000;

/// A record as it is stored.
pub(crate) struct Stored {
    name: Name,
    record: Record,
    expires_at: Moment,
}

/// The records of these names.
pub(crate) async fn find(c: &Connection, names: &[Name]) -> Result<Vec<Stored>, StoreError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let rows = c
        .query(
            "SELECT i.account, i.sandbox, i.key, fingerprint, request, expires_at
             FROM unnest($1::text[], $2::bool[], $3::text[]) AS asked (account, sandbox, key)
                JOIN idempotency i USING (account, sandbox, key)",
            values![
                names.iter().map(|name| name.account.0.clone()).collect::<Vec<_>>(),
                names.iter().map(|name| name.sandbox).collect::<Vec<_>>(),
                names.iter().map(|name| name.key.clone()).collect::<Vec<_>>(),
            ],
        )
        .await?;
    let stored = rows.iter().map(|row| {
        let fingerprint: &[u8] = row.get("fingerprint")?;
        let fingerprint = fingerprint
            .try_into()
            .map_err(|_| StoreError::Unreadable("a fingerprint that is not of 32 bytes".to_owned()))?;
        Ok(Stored {
            name: Name { account: row.account()?, sandbox: row.get("sandbox")?, key: row.get("key")? },
            record: Record { fingerprint: Fingerprint(fingerprint), request_id: row.request("request")? },
            expires_at: row.moment("expires_at")?,
        })
    });
    stored.collect()
}

/// Those that are in force at `now`.
pub(crate) fn in_force(stored: Vec<Stored>, now: Moment) -> HashMap<Name, Record> {
    let kept = stored.into_iter().filter(|stored| is_kept(stored.expires_at, now));
    kept.map(|stored| (stored.name, stored.record)).collect()
}

/// Writes records, each of another name. One that is not in force any more is replaced.
pub(crate) fn record(c: &Connection, records: Vec<(Name, NewRecord)>) {
    let (names, records): (Vec<_>, Vec<_>) = records.into_iter().unzip();
    c.later(
        "INSERT INTO idempotency (account, sandbox, key, fingerprint, request, expires_at)
         SELECT * FROM unnest($1::text[], $2::bool[], $3::text[], $4::bytea[], $5::uuid[], $6::int8[])
         ON CONFLICT (account, sandbox, key) DO UPDATE
            SET fingerprint = excluded.fingerprint, request = excluded.request, expires_at = excluded.expires_at",
        values![
            names.iter().map(|name| name.account.0.clone()).collect::<Vec<_>>(),
            names.iter().map(|name| name.sandbox).collect::<Vec<_>>(),
            names.into_iter().map(|name| name.key).collect::<Vec<_>>(),
            records.iter().map(|new| new.record.fingerprint.0.to_vec()).collect::<Vec<_>>(),
            records.iter().map(|new| new.record.request_id.0).collect::<Vec<_>>(),
            records.iter().map(|new| new.expires_at.as_micros()).collect::<Vec<_>>(),
        ],
    );
}

/// Removes records that are not in force at `now`. Returns whether there may be more.
pub(crate) async fn remove_expired(c: &Connection, now: Moment) -> Result<bool, StoreError> {
    let removed = c
        .execute(
            "DELETE FROM idempotency WHERE (account, sandbox, key) IN (
                SELECT account, sandbox, key FROM idempotency WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2
                FOR UPDATE SKIP LOCKED)",
            values![now, REMOVED_AT_ONCE],
        )
        .await?;
    Ok(removed >= u64::from(REMOVED_AT_ONCE))
}
