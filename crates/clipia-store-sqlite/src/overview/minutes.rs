//! What queues did in each minute, as it is recorded.

use super::Overview;
use crate::rows::count;
use crate::store::{MINUTES_KEPT, QueueMinute, StoreError};
use clipia_queue::Moment;
use clipia_store::clock::timestamp;
use clipia_store::{MinuteCounts, first_minute};
use jiff::Timestamp;
use rusqlite::{Connection, Row, Transaction, TransactionBehavior, params};

impl Overview {
    /// What was recorded, and what is counted beside it.
    pub(crate) fn minutes(
        &self,
        counts: &MinuteCounts,
        since: Timestamp,
    ) -> Result<Vec<QueueMinute>, StoreError> {
        self.run(|open| {
            let recorded: Vec<QueueMinute> = open
                .connection
                .prepare_cached("SELECT * FROM queue_minute WHERE minute >= ?1 ORDER BY minute, queue")?
                .query_map([first_minute(since)], minute)?
                .collect::<Result<_, _>>()?;
            Ok(counts.with_recorded(recorded, since))
        })
    }

    /// Records what is counted, and removes what is older than it is kept.
    pub(crate) fn record_minutes(&self, counts: &MinuteCounts, now: Moment) -> Result<(), StoreError> {
        self.run(|open| {
            let minutes = counts.take();
            record(&mut open.connection, &minutes, now).map_err(|error| {
                counts.put_back(minutes);
                error.into()
            })
        })
    }
}

fn record(connection: &mut Connection, minutes: &[QueueMinute], now: Moment) -> rusqlite::Result<()> {
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    for of in minutes {
        transaction
            .prepare_cached(
                "INSERT INTO queue_minute (minute, queue, submitted, completed, failed, canceled, credits, run_micros)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT DO UPDATE SET submitted = submitted + ?3, completed = completed + ?4, failed = failed + ?5,
                    canceled = canceled + ?6, credits = credits + ?7, run_micros = run_micros + ?8",
            )?
            .execute(params![
                of.minute.as_microsecond(),
                of.queue,
                number(of.submitted),
                number(of.completed),
                number(of.failed),
                number(of.canceled),
                number(of.credits),
                number(of.run_micros),
            ])?;
    }
    transaction
        .prepare_cached("DELETE FROM queue_minute WHERE minute < ?1")?
        .execute([first_minute(timestamp(now - MINUTES_KEPT))])?;
    transaction.commit()
}

fn minute(row: &Row<'_>) -> rusqlite::Result<QueueMinute> {
    let number = |column: &str| row.get(column).map(count);
    Ok(QueueMinute {
        queue: row.get("queue")?,
        minute: Timestamp::from_microsecond(row.get("minute")?).unwrap_or_default(),
        submitted: number("submitted")?,
        completed: number("completed")?,
        failed: number("failed")?,
        canceled: number("canceled")?,
        credits: number("credits")?,
        run_micros: number("run_micros")?,
    })
}
