//! Gathers the facts of an examination, each kind by one query of one snapshot. The rules are those of `clipia-queue`. Beside them every
//! row must refer to rows that are there: no foreign key holds that.

use super::connection::Connection;
use super::rows::{Row, attempt_end, from_json};
use clipia_queue::examination::{
    Account, AccountInQueue, Attempts, Breach, Budget, Examination, Group, IdempotencyRecord, InputUploads,
    Key, Log, Movement, Place, Placed, Request, RequestMovement, Rule, WorkerAttempts,
};
use clipia_queue::lifecycle::Epoch;
use clipia_queue::limits::Period;
use clipia_queue::position::{Ticket, Turn};
use clipia_queue::{Moment, RequestId, media_address, uploads};
use clipia_store::{Checked, StoreError, Violation};

/// How many rows are read at a time.
const ROWS_AT_ONCE: usize = 5_000;

/// A sentence about rows that refer to others.
const REFERENCES: &str = "every row refers to rows that are there";

/// Which column refers to which.
const REFERRING: [(&str, &str, &str, &str); 17] = [
    ("webhook_secret", "account", "account", "id"),
    ("api_key", "account", "account", "id"),
    ("request", "account", "account", "id"),
    ("request", "api_key", "api_key", "id"),
    ("request", "id", "request_content", "request"),
    ("request_content", "request", "request", "id"),
    ("queue_item", "queue", "queue", "name"),
    ("queue_item", "request", "request", "id"),
    ("lease", "request", "request", "id"),
    ("attempt", "request", "request", "id"),
    ("request_log", "request", "request", "id"),
    ("movement", "account", "account", "id"),
    ("delivery", "request", "request", "id"),
    ("delivery_attempt", "delivery", "delivery", "id"),
    ("upload", "account", "account", "id"),
    ("upload_use", "upload", "upload", "id"),
    ("worker_session", "worker", "worker", "name"),
];

/// Looks at everything that is stored; `c` sees one snapshot.
pub(crate) async fn examine(c: &Connection, now: Moment) -> Result<(Checked, Option<Violation>), StoreError> {
    let mut checked = figures(c).await?;
    for (table, column, other, key) in REFERRING {
        // The deliveries of a month that was dropped are removed a little later than its requests.
        let leaving = match (table, other) {
            ("delivery", "request") => {
                "AND NOT EXISTS (SELECT FROM month m WHERE m.leaving_at IS NOT NULL AND t.request >= m.rest AND t.request < m.after)"
            }
            _ => "",
        };
        let missing = format!(
            "SELECT {column}::text AS missing FROM {table} t
             WHERE NOT EXISTS (SELECT FROM {other} o WHERE o.{key} = t.{column}) {leaving} LIMIT 1"
        );
        if let Some(row) = c.optional(&missing, Vec::new()).await? {
            let missing: &str = row.get("missing")?;
            let found = format!("a row of `{table}` refers to `{missing}`, which `{other}` does not have");
            let violation = Violation { rule: REFERENCES.to_owned(), account: None, request: None, found };
            return Ok((checked, Some(violation)));
        }
    }
    checked.rules += 1;
    let mut examination = Examination::default();
    movements(c, &mut examination).await?;
    groups(c, &mut examination).await?;
    accounts(c, &mut examination).await?;
    keys(c, &mut examination).await?;
    requests(c, &mut examination).await?;
    places(c, &mut examination).await?;
    logs(c, &mut examination).await?;
    accounts_in_queues(c, &mut examination).await?;
    idempotency_records(c, &mut examination, now).await?;
    workers(c, &mut examination).await?;
    input_uploads(c, &mut examination).await?;
    let Some(Breach { rule, account, request, found }) = examination.breach() else {
        checked.rules += Rule::ALL.len() as u64;
        return Ok((checked, None));
    };
    checked.rules += Rule::ALL.iter().take_while(|before| **before < rule).count() as u64;
    Ok((checked, Some(Violation { rule: rule.sentence().to_owned(), account, request, found })))
}

async fn figures(c: &Connection) -> Result<Checked, StoreError> {
    let row = c
        .one(
            "SELECT (SELECT count(*) FROM account) AS accounts, (SELECT count(*) FROM request) AS requests,
                    (SELECT count(*) FROM movement) AS movements, (SELECT count(*) FROM delivery) AS deliveries,
                    (SELECT count(*) FROM delivery WHERE state = 'held') AS held",
            Vec::new(),
        )
        .await?;
    Ok(Checked {
        rules: 0,
        accounts: row.count("accounts")?,
        requests: row.count("requests")?,
        movements: row.count("movements")?,
        deliveries: row.count("deliveries")?,
        deliveries_held: row.count("held")?,
    })
}

/// Runs `look` on each row of `query`, some thousand at a time: all of a large store would not fit in memory.
async fn each(
    c: &Connection,
    query: &str,
    look: impl FnMut(&Row) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    each_by(c, query, ROWS_AT_ONCE, look).await
}

/// The same, so many rows at a time.
pub(crate) async fn each_by(
    c: &Connection,
    query: &str,
    at_once: usize,
    mut look: impl FnMut(&Row) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    c.plain(format!("DECLARE examined NO SCROLL CURSOR FOR {query}"));
    let fetch = format!("FETCH {at_once} FROM examined");
    loop {
        let rows = c.query(&fetch, Vec::new()).await?;
        rows.iter().try_for_each(&mut look)?;
        if rows.len() < at_once {
            return c.execute("CLOSE examined", Vec::new()).await.map(drop);
        }
    }
}

async fn movements(c: &Connection, examination: &mut Examination) -> Result<(), StoreError> {
    let query = "SELECT account, CASE WHEN kind NOT IN ('grant', 'opening') THEN id END AS request, kind, available, held, issuance, revenue FROM movement";
    each(c, query, |row| {
        examination.movement(&Movement {
            account: row.get("account")?,
            request: row.get::<Option<_>>("request")?.map(RequestId),
            kind: row.get("kind")?,
            entries: row.entries()?,
        });
        Ok(())
    })
    .await
}

async fn groups(c: &Connection, examination: &mut Examination) -> Result<(), StoreError> {
    let query = "SELECT account, api_key, sandbox, phase, count(*) AS requests, sum(cost)::bigint AS cost
                 FROM request GROUP BY account, api_key, sandbox, phase";
    each(c, query, |row| {
        examination.requests(&Group {
            account: row.get("account")?,
            key: row.get("api_key")?,
            sandbox: row.get("sandbox")?,
            phase: row.phase("phase")?,
            requests: row.get("requests")?,
            cost: row.get("cost")?,
        });
        Ok(())
    })
    .await
}

async fn accounts(c: &Connection, examination: &mut Examination) -> Result<(), StoreError> {
    let query = "SELECT a.id, a.available AS now_available, a.held AS now_held, a.sandbox_kept,
            coalesce((SELECT sum(credits) FROM usage_day u WHERE u.account = a.id), 0)::bigint AS used,
            coalesce(m.available, 0)::bigint AS available, coalesce(m.held, 0)::bigint AS held, coalesce(m.issuance, 0)::bigint AS issuance,
            coalesce(m.revenue, 0)::bigint AS revenue
         FROM account a LEFT JOIN (
            SELECT account, sum(available) AS available, sum(held) AS held, sum(issuance) AS issuance,
                   sum(revenue) AS revenue FROM movement GROUP BY account
         ) m ON m.account = a.id";
    each(c, query, |row| {
        examination.account(&Account {
            id: row.get("id")?,
            available: row.get("now_available")?,
            held: row.get("now_held")?,
            entered: row.entries()?,
            used: row.get("used")?,
            sandbox_kept: row.get("sandbox_kept")?,
        });
        Ok(())
    })
    .await
}

async fn keys(c: &Connection, examination: &mut Examination) -> Result<(), StoreError> {
    let query = format!(
        "SELECT k.id, k.account, k.in_flight, k.credits_max, k.spent, coalesce(s.stored, 0)::bigint AS stored
         FROM api_key k LEFT JOIN (
            SELECT r.api_key, sum(coalesce(r.charged, r.cost)) AS stored FROM request r JOIN api_key k ON k.id = r.api_key
            WHERE k.credits_max IS NOT NULL AND NOT r.sandbox
                AND r.created_at >= k.spent_since * {DAY} AND r.created_at < k.spent_until * {DAY}
            GROUP BY r.api_key
         ) s ON s.api_key = k.id",
        DAY = Period::DAY.as_micros()
    );
    each(c, &query, |row| {
        let (spent, stored) = (row.get("spent")?, row.get("stored")?);
        let most: Option<i64> = row.get("credits_max")?;
        examination.key(&Key {
            id: row.get("id")?,
            account: row.get("account")?,
            in_flight: row.get("in_flight")?,
            budget: most.map(|credits| Budget { credits, spent, stored }),
        });
        Ok(())
    })
    .await
}

async fn requests(c: &Connection, examination: &mut Examination) -> Result<(), StoreError> {
    // A place is looked for by its queue, lane and ticket: no index has its request.
    let place = |lane: u8| {
        format!(
            "(r.phase = 'queued' AND EXISTS (SELECT 1 FROM queue_item p
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
         LEFT JOIN movement reserve ON reserve.id = r.id AND NOT reserve.settles
         LEFT JOIN movement settlement ON settlement.id = r.id AND settlement.settles",
        place(0),
        place(1)
    );
    each(c, &query, |row| {
        let movement = |account: &str, kind: &str, held: &str, revenue: &str| {
            let Some(account) = row.get::<Option<&str>>(account)? else { return Ok(None) };
            let (held, revenue) = (row.get(held)?, row.get(revenue)?);
            Ok::<_, StoreError>(Some(RequestMovement { account, kind: row.get(kind)?, held, revenue }))
        };
        let attempts = match row.get("attempts_gone")? {
            true => None,
            false => Some(Attempts {
                ended: row.get("ended")?,
                lost: row.get("lost")?,
                latest: row.get::<Option<&str>>("latest")?.map(attempt_end).transpose()?,
            }),
        };
        examination.request(&Request {
            id: row.request("id")?,
            account: row.get("account")?,
            sandbox: row.get("sandbox")?,
            phase: row.phase("phase")?,
            epoch: Epoch(row.get("epoch")?),
            rescues: row.get("rescues")?,
            queue: row.get("queue")?,
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
    .await
}

async fn logs(c: &Connection, examination: &mut Examination) -> Result<(), StoreError> {
    // A line feed is between two lines of a row, and a byte is counted for the end of the last one, too.
    let query = "SELECT l.request, l.epoch, r.account, r.epoch AS latest, r.logged, r.attempts_gone,
            sum(length(l.lines) - length(replace(l.lines, chr(10), '')) + 1)::bigint AS lines,
            sum(octet_length(l.lines) + 1)::bigint AS bytes
         FROM request_log l JOIN request r ON r.id = l.request GROUP BY l.request, l.epoch, r.id";
    each(c, query, |row| {
        examination.log(&Log {
            id: row.request("request")?,
            account: row.get("account")?,
            epoch: Epoch(row.get("epoch")?),
            latest: Epoch(row.get("latest")?),
            logged: Epoch(row.get("logged")?),
            attempts_gone: row.get("attempts_gone")?,
            lines: row.count("lines")?,
            bytes: row.count("bytes")?,
        });
        Ok(())
    })
    .await
}

async fn places(c: &Connection, examination: &mut Examination) -> Result<(), StoreError> {
    let query = "SELECT p.queue, p.lane, p.ticket, p.request, q.tail, r.account, r.phase, r.epoch,
                        r.queue AS request_queue, r.ticket AS request_ticket
         FROM queue_item p LEFT JOIN request r ON r.id = p.request 
            LEFT JOIN (SELECT queue AS name, max(ticket) AS tail FROM request WHERE ticket > 0 GROUP BY queue) q ON q.name = p.queue";
    each(c, query, |row| {
        let request = match row.get::<Option<&str>>("account")? {
            None => None,
            Some(account) => Some(Placed {
                account,
                phase: row.phase("phase")?,
                epoch: Epoch(row.get("epoch")?),
                queue: row.get("request_queue")?,
                ticket: Ticket(row.get("request_ticket")?),
            }),
        };
        examination.place(&Place {
            queue: row.get("queue")?,
            tail: row.get::<Option<i64>>("tail")?.map(Ticket),
            lane: row.lane()?,
            ticket: Ticket(row.get("ticket")?),
            id: row.request("request")?,
            request,
        });
        Ok(())
    })
    .await
}

async fn accounts_in_queues(c: &Connection, examination: &mut Examination) -> Result<(), StoreError> {
    // A turn without a request that waits is what was left of one.
    let query = "SELECT w.queue, w.account, t.turn FROM (SELECT DISTINCT queue, account FROM queue_item WHERE lane = 1) w
         LEFT JOIN queue_turn t ON t.queue = w.queue AND t.account = w.account";
    each(c, query, |row| {
        examination.account_in_queue(&AccountInQueue {
            queue: row.get("queue")?,
            account: row.get("account")?,
            turn: row.get::<Option<i64>>("turn")?.map(Turn),
            waits: true,
        });
        Ok(())
    })
    .await
}

async fn idempotency_records(
    c: &Connection,
    examination: &mut Examination,
    now: Moment,
) -> Result<(), StoreError> {
    let query = "SELECT i.account, i.sandbox, i.expires_at, i.request, r.account AS request_account,
                        r.sandbox AS request_sandbox
         FROM idempotency i LEFT JOIN request r ON r.id = i.request";
    each(c, query, |row| {
        let request = row.get::<Option<&str>>("request_account")?;
        let sandbox: Option<bool> = row.get("request_sandbox")?;
        let record = IdempotencyRecord {
            account: row.get("account")?,
            sandbox: row.get("sandbox")?,
            expires_at: row.moment("expires_at")?,
            id: row.request("request")?,
            request: request.zip(sandbox),
        };
        examination.idempotency_record(&record, now);
        Ok(())
    })
    .await
}

async fn workers(c: &Connection, examination: &mut Examination) -> Result<(), StoreError> {
    let query = "SELECT held.worker, w.name IS NOT NULL AS known, w.revoked_at IS NULL AS in_force,
            count(*) FILTER (WHERE is_lease) AS leases, count(*) FILTER (WHERE NOT is_lease) AS attempts,
            (array_agg(request ORDER BY request))[1] AS request
         FROM (SELECT worker, request, TRUE AS is_lease FROM lease WHERE worker IS NOT NULL
               UNION ALL SELECT worker, request, FALSE FROM attempt WHERE worker IS NOT NULL) held
         LEFT JOIN worker w ON w.name = held.worker GROUP BY held.worker, w.name, w.revoked_at";
    each(c, query, |row| {
        let is_known: bool = row.get("known")?;
        examination.worker_attempts(&WorkerAttempts {
            worker: row.get("worker")?,
            in_force: is_known.then(|| row.get("in_force")).transpose()?,
            leases: row.count("leases")?,
            attempts: row.count("attempts")?,
            id: row.request("request")?,
        });
        Ok(())
    })
    .await
}

/// Only the inputs are read that name a file of this server.
async fn input_uploads(c: &Connection, examination: &mut Examination) -> Result<(), StoreError> {
    let query = format!(
        "SELECT r.id, r.account, r.phase, r.base_url, o.input,
            ARRAY(SELECT u.upload FROM upload_use u JOIN upload k ON k.id = u.upload WHERE u.request = r.id) AS kept
         FROM request r JOIN request_content o ON o.request = r.id
         WHERE r.phase IN ('queued', 'running') AND position('{}/{}/' IN o.input) > 0",
        media_address::PATH,
        uploads::DIRECTORY
    );
    each(c, &query, |row| {
        let (input, uses) = (from_json(row.get("input")?)?, row.get::<Vec<uuid::Uuid>>("kept")?);
        let named = uploads::named(&input, row.get("base_url")?);
        let kept = named.iter().filter(|upload| uses.contains(&upload.id.0)).count();
        examination.input_uploads(&InputUploads {
            id: row.request("id")?,
            account: row.get("account")?,
            phase: row.phase("phase")?,
            named: named.len() as u64,
            kept: kept as u64,
        });
        Ok(())
    })
    .await
}
