//! What attempts logged: one row a block. The rules are those of [`clipia_queue::logs`].
//!
//! A request without lines costs nothing here: its row says so, and its lease has the figures of its log.

use super::connection::Connection;
use super::months::Tables;
use super::values::values;
use super::writing::Writing;
use clipia_queue::RequestId;
use clipia_queue::commands::Now;
use clipia_queue::lifecycle::Epoch;
use clipia_queue::logs::{BLOCK_LINES_MAX, LogFigures, LogLines, LogPosition, Shown, append as appended};
use clipia_store::{BETWEEN_LINES, LogBlock, LogPage, StoreError};

/// How many rows are read at a time.
const ROWS_AT_ONCE: usize = 64;

/// Keeps what attempt `epoch` reports, which is in force. The request is locked.
pub(crate) async fn append(
    w: &Writing,
    id: RequestId,
    epoch: Epoch,
    report: LogLines,
    now: Now,
) -> Result<(), StoreError> {
    if report == LogLines::default() {
        return Ok(());
    }
    let (kept, of) = (figures(w, id).await?, w.memory.months.of(&[id.0]));
    let appended = appended(epoch, kept, report);
    if appended.figures == kept {
        return Ok(());
    }
    if let Some(through) = appended.forgotten {
        w.later(
            format!("DELETE FROM request_log{of} WHERE request = $1 AND epoch <= $2"),
            values![id, through.0],
        );
    }
    let (offsets, lines): (Vec<i64>, Vec<String>) =
        appended.blocks.iter().map(|block| (column(block.offset), block.lines.join("\n"))).unzip();
    w.later(
        format!(
            "INSERT INTO request_log{of} (request, epoch, start, at, lines)
             SELECT $1, $2, start, $3, lines FROM unnest($4::int8[], $5::text[]) AS block (start, lines)"
        ),
        values![id, epoch.0, now.wall, offsets, lines],
    );
    let mut figures = appended.figures;
    while figures.is_over() {
        figures = drop_oldest(w, &of, id, epoch, figures).await?;
    }
    w.later(
        "UPDATE lease SET log_logged = $2, log_lines = $3, log_bytes = $4 WHERE request = $1",
        values![id, column(figures.logged), column(figures.lines), column(figures.bytes)],
    );
    if kept.lines == 0 && figures.lines > 0 {
        w.later(format!("UPDATE request{of} SET logged = $2 WHERE id = $1"), values![id, epoch.0]);
    }
    Ok(())
}

fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The figures of the log of the attempt that has the lease.
async fn figures(c: &Connection, id: RequestId) -> Result<LogFigures, StoreError> {
    let figures = c
        .optional("SELECT log_logged, log_lines, log_bytes FROM lease WHERE request = $1", values![id])
        .await?
        .ok_or_else(|| StoreError::Unreadable(format!("request {id} runs without a lease")))?;
    Ok(LogFigures {
        logged: figures.count("log_logged")?,
        lines: figures.count("log_lines")?,
        bytes: figures.count("log_bytes")?,
    })
}

/// Drops the oldest block of an attempt. Returns the figures without it.
async fn drop_oldest(
    c: &Connection,
    of: &Tables,
    id: RequestId,
    epoch: Epoch,
    figures: LogFigures,
) -> Result<LogFigures, StoreError> {
    let dropped = c
        .optional(
            &format!(
                "DELETE FROM request_log{of} WHERE request = $1 AND epoch = $2 AND start =
                    (SELECT min(start) FROM request_log{of} WHERE request = $1 AND epoch = $2)
                 RETURNING lines"
            ),
            values![id, epoch.0],
        )
        .await?
        .ok_or_else(|| {
            StoreError::Unreadable(format!("the log of request {id} has fewer lines than are counted"))
        })?;
    let lines: &str = dropped.get("lines")?;
    Ok(figures.without(lines.split(BETWEEN_LINES).count() as u64, lines.len() as u64 + 1))
}

/// The lines that the status of a request shows whose latest attempt `epoch` has some.
pub(crate) async fn shown(
    c: &Connection,
    of: &Tables,
    id: RequestId,
    epoch: Epoch,
) -> Result<Vec<String>, StoreError> {
    let (mut shown, mut before) = (Shown::default(), i64::MAX);
    // A block rarely has fewer lines than are shown.
    for limit in [2, ROWS_AT_ONCE] {
        let rows = c
            .query(
                &format!(
                    "SELECT start, lines FROM request_log{of} WHERE request = $1 AND epoch = $2 AND start < $3
                     ORDER BY start DESC LIMIT $4"
                ),
                values![id, epoch.0, before, limit],
            )
            .await?;
        for row in &rows {
            before = row.get("start")?;
            if !shown.take(row.get::<&str>("lines")?.split(BETWEEN_LINES)) {
                return Ok(shown.into_lines());
            }
        }
        if rows.len() < limit {
            break;
        }
    }
    Ok(shown.into_lines())
}

pub(crate) async fn page(
    c: &Connection,
    id: RequestId,
    attempt: Option<Epoch>,
    after: LogPosition,
    limit: usize,
) -> Result<Option<LogPage>, StoreError> {
    // Nothing is added once a request has ended: its phase is read first.
    let Some(found) = c.optional("SELECT phase FROM request WHERE id = $1", values![id]).await? else {
        return Ok(None);
    };
    let mut page = LogPage { phase: found.phase("phase")?, lines: Vec::new(), position: after, more: false };
    let begin = attempt.map_or(after, |epoch| after.max(LogPosition { epoch, number: 0 }));
    // The line after `begin` may be within a block.
    let mut block = (begin.epoch.0, column(begin.number).saturating_sub(BLOCK_LINES_MAX as i64));
    loop {
        let rows = c
            .query(
                "SELECT epoch, start, at, lines FROM request_log WHERE request = $1 AND (epoch, start) > ($2, $3)
                    AND ($4::bigint IS NULL OR epoch = $4)
                 ORDER BY epoch, start LIMIT $5",
                values![id, block.0, block.1, attempt.map(|attempt| attempt.0), ROWS_AT_ONCE],
            )
            .await?;
        for row in &rows {
            block = (row.get("epoch")?, row.get("start")?);
            let (epoch, start) = (Epoch(row.get("epoch")?), row.count("start")?);
            let block = LogBlock { epoch, start, at: row.time("at")?, lines: row.get("lines")? };
            if !page.take(block, begin, limit) {
                page.more = true;
                return Ok(Some(page));
            }
        }
        if rows.len() < ROWS_AT_ONCE {
            return Ok(Some(page));
        }
    }
}

/// Lets the log of a request go.
pub(crate) fn let_go(w: &Writing, id: RequestId) {
    let of = w.memory.months.of(&[id.0]);
    w.later(format!("DELETE FROM request_log{of} WHERE request = $1"), values![id]);
}
