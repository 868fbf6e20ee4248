//! Gathers the facts of an examination, each kind by one query. The rules are those of `clipia-queue`, and those of a database
//! that SQLite itself looks at.

use super::position::lane_of;
use super::rows::{attempt_end, count, entries, from_json, moment, phase};
use crate::store::{Checked, StoreError, Violation};
use clipia_queue::examination::{
    Account, AccountInQueue, Attempts, Breach, Budget, Examination, Group, IdempotencyRecord, InputUploads,
    Key, Log, Movement, Place, Placed, Request, RequestMovement, Rule, WorkerAttempts,
};
use clipia_queue::lifecycle::{Epoch, Phase};
use clipia_queue::limits::Period;
use clipia_queue::position::{Ticket, Turn};
use clipia_queue::{Moment, RequestId, media_address, uploads};
use rusqlite::{Connection, OptionalExtension, Row};

/// What SQLite itself looks at: a sentence, and the query for the first exception.
const OWN_RULES: [(&str, &str); 2] = [
    ("the database is intact", "SELECT quick_check FROM pragma_quick_check WHERE quick_check <> 'ok'"),
    (
        "every row refers to rows that are there",
        "SELECT printf('a row of `%s` refers to a missing row of `%s`', \"table\", parent) FROM pragma_foreign_key_check",
    ),
];

/// The rule that memory and database must keep between them, which only the writer can look at.
pub(crate) const INDEX_RULE: &str =
    "a queue in memory is as long as the one that is stored, with the same turns";

/// Looks at everything that is stored; `c` sees one snapshot.
pub(crate) fn examine(c: &Connection, now: Moment) -> Result<(Checked, Option<Violation>), StoreError> {
    let mut checked = figures(c)?;
    for (rule, exception) in OWN_RULES {
        if let Some(found) = c.prepare(exception)?.query_row([], |row| row.get(0)).optional()? {
            let violation = Violation { rule: rule.to_owned(), account: None, request: None, found };
            return Ok((checked, Some(violation)));
        }
        checked.rules += 1;
    }
    let mut examination = Examination::default();
    movements(c, &mut examination)?;
    groups(c, &mut examination)?;
    accounts(c, &mut examination)?;
    keys(c, &mut examination)?;
    requests(c, &mut examination)?;
    places(c, &mut examination)?;
    logs(c, &mut examination)?;
    accounts_in_queues(c, &mut examination)?;
    idempotency_records(c, &mut examination, now)?;
    workers(c, &mut examination)?;
    input_uploads(c, &mut examination)?;
    let Some(Breach { rule, account, request, found }) = examination.breach() else {
        checked.rules += Rule::ALL.len() as u64;
        return Ok((checked, None));
    };
    checked.rules += Rule::ALL.iter().take_while(|before| **before < rule).count() as u64;
    Ok((checked, Some(Violation { rule: rule.sentence().to_owned(), account, request, found })))
}

fn figures(c: &Connection) -> rusqlite::Result<Checked> {
    c.query_row(
        "SELECT (SELECT count(*) FROM account), (SELECT count(*) FROM request), (SELECT count(*) FROM movement),
                (SELECT count(*) FROM delivery), (SELECT count(*) FROM delivery WHERE state = 'held')",
        [],
        |row| {
            Ok(Checked {
                rules: 0,
                accounts: count(row.get(0)?),
                requests: count(row.get(1)?),
                movements: count(row.get(2)?),
                deliveries: count(row.get(3)?),
                deliveries_held: count(row.get(4)?),
            })
        },
    )
}

/// Runs `look` on each row of `query`.
fn each(
    c: &Connection,
    query: &str,
    mut look: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = c.prepare(query)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        look(row)?;
    }
    Ok(())
}

fn text<'r>(row: &'r Row<'_>, column: &str) -> Result<&'r str, StoreError> {
    Ok(row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?)
}

fn optional_text<'r>(row: &'r Row<'_>, column: &str) -> Result<Option<&'r str>, StoreError> {
    Ok(row.get_ref(column)?.as_str_or_null().map_err(rusqlite::Error::from)?)
}

fn phase_of(row: &Row<'_>, column: &str) -> Result<Phase, StoreError> {
    phase(text(row, column)?)
}

fn movements(c: &Connection, examination: &mut Examination) -> Result<(), StoreError> {
    let query = "SELECT account, request, kind, available, held, issuance, revenue FROM movement";
    each(c, query, |row| {
        examination.movement(&Movement {
            account: text(row, "account")?,
            request: row.get::<_, Option<_>>("request")?.map(RequestId),
            kind: text(row, "kind")?,
            entries: entries(row)?,
        });
        Ok(())
    })
}

fn groups(c: &Connection, examination: &mut Examination) -> Result<(), StoreError> {
    let query = "SELECT account, api_key, sandbox, phase, count(*) AS requests, sum(cost) AS cost
                 FROM request GROUP BY account, api_key, sandbox, phase";
    each(c, query, |row| {
        examination.requests(&Group {
            account: text(row, "account")?,
            key: text(row, "api_key")?,
            sandbox: row.get("sandbox")?,
            phase: phase_of(row, "phase")?,
            requests: row.get("requests")?,
            cost: row.get("cost")?,
        });
        Ok(())
    })
}

fn accounts(c: &Connection, examination: &mut Examination) -> Result<(), StoreError> {
    let query = "SELECT a.id, a.available AS now_available, a.held AS now_held, a.sandbox_kept,
            ifnull((SELECT sum(credits) FROM usage_day u WHERE u.account = a.id), 0) AS used,
            ifnull(m.available, 0) AS available, ifnull(m.held, 0) AS held, ifnull(m.issuance, 0) AS issuance,
            ifnull(m.revenue, 0) AS revenue
         FROM account a LEFT JOIN (
            SELECT account, sum(available) AS available, sum(held) AS held, sum(issuance) AS issuance,
                   sum(revenue) AS revenue FROM movement GROUP BY account
         ) m ON m.account = a.id";
    each(c, query, |row| {
        examination.account(&Account {
            id: text(row, "id")?,
            available: row.get("now_available")?,
            held: row.get("now_held")?,
            entered: entries(row)?,
            used: row.get("used")?,
            sandbox_kept: row.get("sandbox_kept")?,
        });
        Ok(())
    })
}

fn keys(c: &Connection, examination: &mut Examination) -> Result<(), StoreError> {
    // CROSS: all requests once, rather than once for each key.
    let query = format!(
        "SELECT k.id, k.account, k.in_flight, k.credits_max, k.spent, ifnull(s.stored, 0) AS stored
         FROM api_key k LEFT JOIN (
            SELECT r.api_key, sum(ifnull(r.charged, r.cost)) AS stored FROM request r CROSS JOIN api_key k ON k.id = r.api_key
            WHERE k.credits_max IS NOT NULL AND r.sandbox = 0
                AND r.created_at >= k.spent_since * {DAY} AND r.created_at < k.spent_until * {DAY}
            GROUP BY r.api_key
         ) s ON s.api_key = k.id",
        DAY = Period::DAY.as_micros()
    );
    each(c, &query, |row| {
        let (spent, stored) = (row.get("spent")?, row.get("stored")?);
        let most: Option<i64> = row.get("credits_max")?;
        examination.key(&Key {
            id: text(row, "id")?,
            account: text(row, "account")?,
            in_flight: row.get("in_flight")?,
            budget: most.map(|credits| Budget { credits, spent, stored }),
        });
        Ok(())
    })
}

fn requests(c: &Connection, examination: &mut Examination) -> Result<(), StoreError> {
    // A place is looked for by its queue, lane and ticket: no index has its request.
    let place = |lane: u8| {
        format!(
            "(r.phase = 'queued' AND EXISTS (SELECT 1 FROM queue_place p
                WHERE p.queue = r.queue AND p.lane = {lane} AND p.ticket = r.ticket AND p.request = r.id))"
        )
    };
    let query = format!(
        "SELECT r.id, r.account, r.sandbox, r.phase, r.epoch, r.rescues, r.queue, r.ticket, r.cost, r.charged,
            reserve.account AS reserve_account, reserve.kind AS reserve_kind, reserve.held AS reserve_held,
            reserve.revenue AS reserve_revenue, settlement.account AS settlement_account,
            settlement.kind AS settlement_kind, settlement.held AS settlement_held,
            settlement.revenue AS settlement_revenue,
            {} AS place_0, {} AS place_1,
            EXISTS (SELECT 1 FROM lease l WHERE l.request = r.id) AS lease,
            r.attempts_gone,
            (SELECT count(*) FROM attempt t WHERE t.request = r.id AND t.epoch <= r.epoch) AS ended,
            (SELECT count(*) FROM attempt t WHERE t.request = r.id AND t.ending = 'lost') AS lost,
            (SELECT ending FROM attempt t WHERE t.request = r.id AND t.epoch = r.epoch) AS latest,
            r.completed_at IS NOT NULL AS completed, r.error_code IS NOT NULL AS error,
            r.webhook_url IS NOT NULL AS webhook,
            EXISTS (SELECT 1 FROM request_content o WHERE o.request = r.id AND o.output IS NOT NULL) AS output,
            EXISTS (SELECT 1 FROM delivery d WHERE d.request = r.id) AS delivery
         FROM request r
         LEFT JOIN movement reserve ON reserve.id = r.id AND reserve.settles = 0
         LEFT JOIN movement settlement ON settlement.id = r.id AND settlement.settles = 1",
        place(0),
        place(1)
    );
    each(c, &query, |row| {
        let movement = |account: &str, kind: &str, held: &str, revenue: &str| {
            let Some(account) = optional_text(row, account)? else { return Ok(None) };
            let (held, revenue) = (row.get(held)?, row.get(revenue)?);
            Ok::<_, StoreError>(Some(RequestMovement { account, kind: text(row, kind)?, held, revenue }))
        };
        let attempts = match row.get("attempts_gone")? {
            true => None,
            false => Some(Attempts {
                ended: row.get("ended")?,
                lost: row.get("lost")?,
                latest: optional_text(row, "latest")?.map(attempt_end).transpose()?,
            }),
        };
        examination.request(&Request {
            id: RequestId(row.get("id")?),
            account: text(row, "account")?,
            sandbox: row.get("sandbox")?,
            phase: phase_of(row, "phase")?,
            epoch: Epoch(row.get("epoch")?),
            rescues: row.get("rescues")?,
            queue: text(row, "queue")?,
            ticket: Ticket(row.get("ticket")?),
            cost: row.get("cost")?,
            charged: row.get("charged")?,
            reserve: movement("reserve_account", "reserve_kind", "reserve_held", "reserve_revenue")?,
            settlement: movement(
                "settlement_account",
                "settlement_kind",
                "settlement_held",
                "settlement_revenue",
            )?,
            places: [row.get("place_0")?, row.get("place_1")?],
            lease: row.get("lease")?,
            attempts,
            completed_at: row.get("completed")?,
            output: row.get("output")?,
            error: row.get("error")?,
            webhook: row.get("webhook")?,
            delivery: row.get("delivery")?,
        });
        Ok(())
    })
}

fn logs(c: &Connection, examination: &mut Examination) -> Result<(), StoreError> {
    // A line feed is between two lines of a row, and a byte is counted for the end of the last one, too.
    let query = "SELECT l.request, l.epoch, r.account, r.epoch AS latest, r.logged, r.attempts_gone,
            sum(length(l.lines) - length(replace(l.lines, char(10), '')) + 1) AS lines,
            sum(length(CAST(l.lines AS BLOB)) + 1) AS bytes
         FROM request_log l JOIN request r ON r.id = l.request GROUP BY l.request, l.epoch";
    each(c, query, |row| {
        examination.log(&Log {
            id: RequestId(row.get("request")?),
            account: text(row, "account")?,
            epoch: Epoch(row.get("epoch")?),
            latest: Epoch(row.get("latest")?),
            logged: Epoch(row.get("logged")?),
            attempts_gone: row.get("attempts_gone")?,
            lines: count(row.get("lines")?),
            bytes: count(row.get("bytes")?),
        });
        Ok(())
    })
}

fn places(c: &Connection, examination: &mut Examination) -> Result<(), StoreError> {
    let query = "SELECT p.queue, p.lane, p.ticket, p.request, q.tail, r.account, r.phase, r.epoch,
                        r.queue AS request_queue, r.ticket AS request_ticket
         FROM queue_place p LEFT JOIN request r ON r.id = p.request LEFT JOIN queue q ON q.name = p.queue";
    each(c, query, |row| {
        let request = match optional_text(row, "account")? {
            None => None,
            Some(account) => Some(Placed {
                account,
                phase: phase_of(row, "phase")?,
                epoch: Epoch(row.get("epoch")?),
                queue: text(row, "request_queue")?,
                ticket: Ticket(row.get("request_ticket")?),
            }),
        };
        examination.place(&Place {
            queue: text(row, "queue")?,
            tail: row.get::<_, Option<i64>>("tail")?.map(Ticket),
            lane: lane_of(row)?,
            ticket: Ticket(row.get("ticket")?),
            id: RequestId(row.get("request")?),
            request,
        });
        Ok(())
    })
}

fn accounts_in_queues(c: &Connection, examination: &mut Examination) -> Result<(), StoreError> {
    let query = "SELECT queue, account, max(turn) AS turn, max(waits) AS waits FROM (
            SELECT p.queue, r.account, NULL AS turn, 1 AS waits
                FROM queue_place p JOIN request r ON r.id = p.request WHERE p.lane = 1
            UNION ALL SELECT queue, account, turn, 0 AS waits FROM queue_turn)
         GROUP BY queue, account";
    each(c, query, |row| {
        examination.account_in_queue(&AccountInQueue {
            queue: text(row, "queue")?,
            account: text(row, "account")?,
            turn: row.get::<_, Option<i64>>("turn")?.map(Turn),
            waits: row.get("waits")?,
        });
        Ok(())
    })
}

fn idempotency_records(c: &Connection, examination: &mut Examination, now: Moment) -> Result<(), StoreError> {
    let query = "SELECT i.account, i.sandbox, i.expires_at, i.request, r.account AS request_account,
                        r.sandbox AS request_sandbox
         FROM idempotency i LEFT JOIN request r ON r.id = i.request";
    each(c, query, |row| {
        let request = optional_text(row, "request_account")?;
        let sandbox: Option<bool> = row.get("request_sandbox")?;
        let record = IdempotencyRecord {
            account: text(row, "account")?,
            sandbox: row.get("sandbox")?,
            expires_at: moment(row.get("expires_at")?),
            id: RequestId(row.get("request")?),
            request: request.zip(sandbox),
        };
        examination.idempotency_record(&record, now);
        Ok(())
    })
}

fn workers(c: &Connection, examination: &mut Examination) -> Result<(), StoreError> {
    let query = "SELECT held.worker, w.name IS NOT NULL AS known, w.revoked_at IS NULL AS in_force,
            sum(is_lease) AS leases, sum(NOT is_lease) AS attempts, min(request) AS request
         FROM (SELECT worker, request, 1 AS is_lease FROM lease WHERE worker IS NOT NULL
               UNION ALL SELECT worker, request, 0 FROM attempt WHERE worker IS NOT NULL) held
         LEFT JOIN worker w ON w.name = held.worker GROUP BY held.worker";
    each(c, query, |row| {
        let is_known: bool = row.get("known")?;
        examination.worker_attempts(&WorkerAttempts {
            worker: text(row, "worker")?,
            in_force: is_known.then(|| row.get("in_force")).transpose()?,
            leases: count(row.get("leases")?),
            attempts: count(row.get("attempts")?),
            id: RequestId(row.get("request")?),
        });
        Ok(())
    })
}

/// Only the inputs are read that name a file of this server.
fn input_uploads(c: &Connection, examination: &mut Examination) -> Result<(), StoreError> {
    let query = format!(
        "SELECT r.id, r.account, r.phase, r.base_url, o.input FROM request r JOIN request_content o ON o.request = r.id
         WHERE (r.phase = 'queued' OR r.phase = 'running') AND instr(o.input, '{}/{}/') > 0",
        media_address::PATH,
        uploads::DIRECTORY
    );
    let mut is_kept = c.prepare(
        "SELECT 1 FROM upload_use JOIN upload ON upload.id = upload_use.upload WHERE upload = ?1 AND request = ?2",
    )?;
    each(c, &query, |row| {
        let (id, input) = (RequestId(row.get("id")?), from_json(text(row, "input")?)?);
        let (mut named, mut kept) = (0, 0);
        for upload in uploads::named(&input, text(row, "base_url")?) {
            named += 1;
            kept += u64::from(is_kept.exists([upload.id.0, id.0])?);
        }
        let (account, phase) = (text(row, "account")?, phase_of(row, "phase")?);
        examination.input_uploads(&InputUploads { id, account, phase, named, kept });
        Ok(())
    })
}
