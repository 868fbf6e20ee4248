//! The outbox of deliveries.

use super::rows::moment;
use crate::store::{AfterAttempt, DeliveryAttempt, DueDelivery, StoreError};
use clipia_queue::Moment;
use rusqlite::{Connection, params};
use std::time::Duration;

pub(crate) fn claim(
    c: &Connection,
    most: usize,
    lease: Duration,
    now: Moment,
) -> Result<Vec<DueDelivery>, StoreError> {
    // The next due time is the lease: a sender that dies is overtaken by another attempt.
    let mut statement = c.prepare_cached(
        "UPDATE delivery SET due_at = ?2
         WHERE id IN (SELECT id FROM delivery WHERE state = 'pending' AND due_at <= ?1 ORDER BY due_at LIMIT ?3)
         RETURNING id, account, url, body, attempts",
    )?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![now.as_micros(), (now + lease).as_micros(), most])?;
    let mut due = Vec::new();
    while let Some(row) = rows.next()? {
        due.push(DueDelivery {
            id: row.get("id")?,
            url: row.get("url")?,
            body: row.get("body")?,
            attempts: row.get("attempts")?,
            secrets: secrets(c, &row.get::<_, String>("account")?)?,
        });
    }
    Ok(due)
}

fn secrets(c: &Connection, account: &str) -> Result<Vec<String>, StoreError> {
    let mut statement =
        c.prepare_cached("SELECT secret FROM webhook_secret WHERE account = ?1 ORDER BY created_at DESC")?;
    let secrets = statement.query_map([account], |row| row.get(0))?;
    Ok(secrets.collect::<Result<_, _>>()?)
}

pub(crate) fn next(c: &Connection) -> Result<Option<Moment>, StoreError> {
    let due: Option<i64> = c
        .prepare_cached("SELECT min(due_at) FROM delivery WHERE state = 'pending'")?
        .query_row([], |row| row.get(0))?;
    Ok(due.map(moment))
}

pub(crate) fn record(c: &Connection, attempt: &DeliveryAttempt, now: Moment) -> Result<(), StoreError> {
    // A sender that was overtaken reports an attempt that is recorded already: the first report stands.
    let recorded = c
        .prepare_cached(
            "INSERT INTO delivery_attempt (delivery, number, at, status, duration_ms, error)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            attempt.delivery,
            attempt.number,
            now.as_micros(),
            attempt.status,
            i64::try_from(attempt.duration.as_millis()).unwrap_or(i64::MAX),
            attempt.error,
        ])?;
    if recorded == 0 && attempt.next != AfterAttempt::Delivered {
        return Ok(());
    }
    let (state, due) = match attempt.next {
        AfterAttempt::Delivered => ("delivered", now),
        AfterAttempt::Retry(at) => ("pending", at),
        AfterAttempt::GiveUp => ("abandoned", now),
    };
    c.prepare_cached(
        "UPDATE delivery SET state = ?2, due_at = ?3, attempts = max(attempts, ?4) WHERE id = ?1 AND state = 'pending'",
    )?
    .execute(params![attempt.delivery, state, due.as_micros(), attempt.number])?;
    Ok(())
}
