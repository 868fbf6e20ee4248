//! What attempts logged: one row a block. The rules are those of [`clipia_queue::logs`].
//!
//! A request without lines costs nothing here: its row says so, and its lease has the figures of its log.

use super::rows::{count, key, moment, phase};
use super::writing::Writing;
use crate::clock::timestamp;
use crate::store::{BETWEEN_LINES, LogBlock, LogPage, StoreError};
use clipia_queue::RequestId;
use clipia_queue::commands::Now;
use clipia_queue::lifecycle::Epoch;
use clipia_queue::logs::{BLOCK_LINES_MAX, LogFigures, LogLines, LogPosition, Shown, append as appended};
use rusqlite::{Connection, OptionalExtension, params};

/// Keeps what attempt `epoch` reports, which is in force.
pub(crate) fn append(
    w: &Writing<'_>,
    id: RequestId,
    epoch: Epoch,
    report: LogLines,
    now: Now,
) -> Result<(), StoreError> {
    if report == LogLines::default() {
        return Ok(());
    }
    let kept = figures(w, id)?;
    let appended = appended(epoch, kept, report);
    if appended.figures == kept {
        return Ok(());
    }
    if let Some(through) = appended.forgotten {
        w.prepare_cached("DELETE FROM request_log WHERE request = ?1 AND epoch <= ?2")?
            .execute(params![key(id), through.0])?;
    }
    let mut insert = w.prepare_cached(
        "INSERT INTO request_log (request, epoch, start, at, lines) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for block in &appended.blocks {
        let lines = block.lines.join("\n");
        insert.execute(params![key(id), epoch.0, column(block.offset), now.wall.as_micros(), lines])?;
    }
    let mut figures = appended.figures;
    while figures.is_over() {
        figures = drop_oldest(w, id, epoch, figures)?;
    }
    w.prepare_cached("UPDATE lease SET log_logged = ?2, log_lines = ?3, log_bytes = ?4 WHERE request = ?1")?
        .execute(params![key(id), column(figures.logged), column(figures.lines), column(figures.bytes)])?;
    if kept.lines == 0 && figures.lines > 0 {
        w.prepare_cached("UPDATE request SET logged = ?2 WHERE id = ?1")?
            .execute(params![key(id), epoch.0])?;
        w.status_changed(id);
    }
    Ok(())
}

fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The figures of the log of the attempt that has the lease.
fn figures(c: &Connection, id: RequestId) -> Result<LogFigures, StoreError> {
    let figures = c
        .prepare_cached("SELECT log_logged, log_lines, log_bytes FROM lease WHERE request = ?1")?
        .query_row([key(id)], |row| {
            Ok(LogFigures {
                logged: count(row.get("log_logged")?),
                lines: count(row.get("log_lines")?),
                bytes: count(row.get("log_bytes")?),
            })
        })
        .optional()?;
    figures.ok_or_else(|| StoreError::Unreadable(format!("request {id} runs without a lease")))
}

/// Drops the oldest block of an attempt. Returns the figures without it.
fn drop_oldest(
    c: &Connection,
    id: RequestId,
    epoch: Epoch,
    figures: LogFigures,
) -> Result<LogFigures, StoreError> {
    let lines: Option<String> = c
        .prepare_cached(
            "DELETE FROM request_log WHERE request = ?1 AND epoch = ?2 AND start =
                (SELECT min(start) FROM request_log WHERE request = ?1 AND epoch = ?2)
             RETURNING lines",
        )?
        .query_row(params![key(id), epoch.0], |row| row.get(0))
        .optional()?;
    let lines = lines.ok_or_else(|| {
        StoreError::Unreadable(format!("the log of request {id} has fewer lines than are counted"))
    })?;
    Ok(figures.without(lines.split(BETWEEN_LINES).count() as u64, lines.len() as u64 + 1))
}

/// The lines that the status of a request shows whose latest attempt `epoch` has some.
pub(crate) fn shown(c: &Connection, id: RequestId, epoch: Epoch) -> Result<Vec<String>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT lines FROM request_log WHERE request = ?1 AND epoch = ?2 ORDER BY start DESC",
    )?;
    let mut rows = statement.query(params![key(id), epoch.0])?;
    let mut shown = Shown::default();
    while let Some(row) = rows.next()? {
        let lines = row.get_ref("lines")?.as_str().map_err(rusqlite::Error::from)?;
        if !shown.take(lines.split(BETWEEN_LINES)) {
            break;
        }
    }
    Ok(shown.into_lines())
}

pub(crate) fn page(
    c: &Connection,
    id: RequestId,
    attempt: Option<Epoch>,
    after: LogPosition,
    limit: usize,
) -> Result<Option<LogPage>, StoreError> {
    let found: Option<String> = c
        .prepare_cached("SELECT phase FROM request WHERE id = ?1")?
        .query_row([key(id)], |row| row.get(0))
        .optional()?;
    let Some(found) = found else {
        return Ok(None);
    };
    let mut page = LogPage { phase: phase(&found)?, lines: Vec::new(), position: after, more: false };
    let begin = attempt.map_or(after, |epoch| after.max(LogPosition { epoch, number: 0 }));
    // The line after `begin` may be within a block.
    let block = column(begin.number).saturating_sub(BLOCK_LINES_MAX as i64);
    let mut statement = c.prepare_cached(
        "SELECT epoch, start, at, lines FROM request_log WHERE request = ?1 AND (epoch, start) > (?2, ?3)
         ORDER BY epoch, start",
    )?;
    let mut rows = statement.query(params![key(id), begin.epoch.0, block])?;
    while let Some(row) = rows.next()? {
        let epoch = Epoch(row.get("epoch")?);
        if attempt.is_some_and(|attempt| attempt != epoch) {
            break;
        }
        let (start, at) = (count(row.get("start")?), timestamp(moment(row.get("at")?)));
        let lines = row.get_ref("lines")?.as_str().map_err(rusqlite::Error::from)?;
        if !page.take(LogBlock { epoch, start, at, lines }, begin, limit) {
            page.more = true;
            break;
        }
    }
    Ok(Some(page))
}

/// Lets the log of a request go.
pub(crate) fn let_go(c: &Connection, id: RequestId) -> Result<(), StoreError> {
    c.prepare_cached("DELETE FROM request_log WHERE request = ?1")?.execute([key(id)])?;
    Ok(())
}
