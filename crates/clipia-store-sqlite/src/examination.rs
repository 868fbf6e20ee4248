//! Looks for anything that must not be. Each rule is a query for the first row that breaks it.

use super::rows::count;
use crate::store::{AccountId, Checked, StoreError, Violation};
use clipia_queue::{Moment, RequestId};
use rusqlite::{Connection, OptionalExtension, ParamsFromIter, params_from_iter};
use uuid::Uuid;

/// What must hold, and the query for the first exception: its account, its request and what there is.
struct Rule {
    holds: &'static str,
    exception: &'static str,
}

/// The ledger's invariants, then the lifecycle's. Those before a rule may be taken to hold in it.
const RULES: [Rule; 21] = [
    Rule {
        holds: "the database is intact",
        exception: "SELECT NULL, NULL, quick_check FROM pragma_quick_check WHERE quick_check <> 'ok'",
    },
    Rule {
        holds: "every row refers to rows that are there",
        exception: "SELECT NULL, NULL, printf('a row of `%s` refers to a missing row of `%s`', \"table\", parent)
                    FROM pragma_foreign_key_check",
    },
    Rule {
        holds: "the entries of every movement sum to zero",
        exception: "SELECT account, request, printf('a %s sums to %d', kind, sum) FROM (
                        SELECT *, available + held + issuance + revenue AS sum FROM movement
                    ) WHERE sum <> 0",
    },
    Rule {
        holds: "an account has what its entries sum to",
        exception: "SELECT a.id, NULL, printf('available %d and held %d, by the entries %d and %d',
                           a.available, a.held, ifnull(b.available, 0), ifnull(b.held, 0))
                    FROM account a LEFT JOIN (
                        SELECT account, sum(available) AS available, sum(held) AS held FROM movement GROUP BY account
                    ) b ON b.account = a.id
                    WHERE a.available <> ifnull(b.available, 0) OR a.held <> ifnull(b.held, 0)",
    },
    Rule {
        holds: "an account's held credits are the reserves of its live requests that have not ended",
        exception: "SELECT a.id, NULL, printf('held %d, reserved %d', a.held, ifnull(r.reserved, 0))
                    FROM account a LEFT JOIN (
                        SELECT account, sum(cost) AS reserved FROM request
                        WHERE sandbox = 0 AND phase IN ('queued', 'running') GROUP BY account
                    ) r ON r.account = a.id
                    WHERE a.held <> ifnull(r.reserved, 0)",
    },
    Rule {
        holds: "a live request is reserved for once, and settled once if it has ended",
        exception: "SELECT account, id, printf('%s, %d reserves, %d settlements', phase, reserves, settlements)
                    FROM (
                        SELECT *,
                            (SELECT count(*) FROM movement m WHERE m.id = r.id AND NOT settles) AS reserves,
                            (SELECT count(*) FROM movement m WHERE m.id = r.id AND settles) AS settlements
                        FROM request r WHERE sandbox = 0
                    )
                    WHERE reserves <> 1 OR settlements <> (phase NOT IN ('queued', 'running'))",
    },
    Rule {
        holds: "a live request's movements are of its own account",
        exception: "SELECT r.account, r.id, printf('a %s is of account `%s`', m.kind, m.account)
                    FROM request r JOIN movement m ON m.id = r.id WHERE m.account <> r.account",
    },
    Rule {
        holds: "what is reserved for a live request is its price",
        exception: "SELECT account, id, printf('reserved %d, price %d', reserved, cost) FROM (
                        SELECT *, ifnull((SELECT held FROM movement m WHERE m.id = r.id AND NOT settles), 0) AS reserved
                        FROM request r WHERE sandbox = 0
                    ) WHERE reserved <> cost",
    },
    Rule {
        holds: "what is charged for a live request is what was earned by it, nothing unless it completed, and the rest of \
                its reserve was returned",
        exception: "SELECT account, id, printf('%s, price %d, told as charged %d, earned %d, taken from the reserve %d',
                                               phase, cost, charged, earned, -taken) FROM (
                        SELECT *, ifnull((SELECT revenue FROM movement m WHERE m.id = r.id AND settles), 0) AS earned,
                                  ifnull((SELECT held FROM movement m WHERE m.id = r.id AND settles), 0) AS taken
                        FROM request r WHERE sandbox = 0 AND phase NOT IN ('queued', 'running')
                    )
                    WHERE charged IS NOT earned OR taken <> -cost OR NOT charged BETWEEN 0 AND cost
                       OR (phase <> 'completed' AND charged <> 0)",
    },
    Rule {
        holds: "a request of the sandbox moves no credits",
        exception: "SELECT r.account, r.id, printf('a %s', m.kind)
                    FROM movement m JOIN request r ON m.id = r.id WHERE r.sandbox = 1",
    },
    Rule {
        holds: "an account's usage is what was earned by it",
        exception: "SELECT a.id, NULL, printf('usage %d, earned %d', used, earned) FROM (
                        SELECT id,
                            ifnull((SELECT sum(credits) FROM usage_day u WHERE u.account = a.id), 0) AS used,
                            ifnull((SELECT sum(revenue) FROM movement m WHERE m.account = a.id), 0) AS earned
                        FROM account a
                    ) a WHERE used <> earned",
    },
    Rule {
        holds: "a key has in flight what is counted for it",
        exception: "SELECT k.account, NULL, printf('key %s: counted %d, in flight %d', k.id, k.in_flight, ifnull(n, 0))
                    FROM api_key k LEFT JOIN (
                        SELECT api_key, count(*) AS n FROM request
                        WHERE sandbox = 0 AND phase IN ('queued', 'running') GROUP BY api_key
                    ) ON api_key = k.id
                    WHERE k.in_flight <> ifnull(n, 0)",
    },
    Rule {
        holds: "a request that waits stands in its line, by its ticket and in its lane",
        exception: "SELECT account, id, printf('waits with ticket %d of queue `%s`, not found there', ticket, queue)
                    FROM request r WHERE phase = 'queued' AND NOT EXISTS (
                        SELECT 1 FROM in_line i WHERE i.request = r.id AND i.queue = r.queue
                                                     AND i.ticket = r.ticket AND i.lane = (r.epoch = 0))",
    },
    Rule {
        holds: "what stands in line is a request that waits, once, with a ticket that was drawn",
        exception: "SELECT r.account, i.request, printf('%s, lane %d, ticket %d of queue `%s`, whose latest is %s',
                           ifnull(r.phase, 'no such request'), i.lane, i.ticket, i.queue, ifnull(q.tail, 'none'))
                    FROM in_line i LEFT JOIN request r ON r.id = i.request LEFT JOIN queue q ON q.name = i.queue
                    WHERE r.phase IS NOT 'queued' OR q.tail IS NULL OR i.ticket > q.tail
                       OR i.queue <> r.queue OR i.ticket <> r.ticket OR i.lane <> (r.epoch = 0)",
    },
    Rule {
        holds: "a request has a lease while it runs, and only then",
        exception: "SELECT r.account, r.id, printf('%s, %s', r.phase, iif(l.request IS NULL, 'no lease', 'a lease'))
                    FROM request r LEFT JOIN lease l ON l.request = r.id
                    WHERE (r.phase = 'running') <> (l.request IS NOT NULL)",
    },
    Rule {
        holds: "each claim of a request ended once, but for the one that runs",
        exception: "SELECT account, id, printf('%s, %d claims, %d ended', phase, epoch, ended) FROM (
                        SELECT *, (SELECT count(*) FROM attempt t WHERE t.request = r.id AND t.epoch <= r.epoch)
                               AS ended
                        FROM request r WHERE attempts_gone = 0
                    ) WHERE ended <> epoch - (phase = 'running')",
    },
    Rule {
        holds: "a request was rescued as often as its lease was lost",
        exception: "SELECT account, id, printf('%s, rescued %d times, lost %d times', phase, rescues, lost) FROM (
                        SELECT *, (SELECT count(*) FROM attempt t WHERE t.request = r.id AND ending = 'lost') AS lost,
                               EXISTS (SELECT 1 FROM attempt t
                                       WHERE t.request = r.id AND t.epoch = r.epoch AND ending = 'lost') AS at_last
                        FROM request r WHERE attempts_gone = 0
                    ) WHERE rescues <> lost - (phase = 'failed' AND at_last)",
    },
    Rule {
        holds: "a request has an end, and what belongs to it, if it has ended, and only then",
        exception: "SELECT account, id, printf('%s, completed_at %s, charged %s, %s, %s', phase,
                           iif(completed_at IS NULL, 'missing', 'set'), iif(charged IS NULL, 'missing', 'set'),
                           iif(output IS NULL, 'no output', 'an output'),
                           iif(error_code IS NULL, 'no error', 'an error'))
                    FROM request LEFT JOIN request_content ON request = id
                    WHERE (completed_at IS NULL) <> (phase IN ('queued', 'running'))
                       OR (charged IS NULL) <> (phase IN ('queued', 'running'))
                       OR (output IS NULL) <> (phase <> 'completed')
                       OR (error_code IS NULL) <> (phase <> 'failed')",
    },
    Rule {
        holds: "a request that wants a delivery has one if it has ended, and only then",
        exception: "SELECT r.account, r.id, printf('%s, %s', r.phase, iif(d.id IS NULL, 'no delivery', 'a delivery'))
                    FROM request r LEFT JOIN delivery d ON d.request = r.id
                    WHERE (d.id IS NOT NULL)
                       <> (r.webhook_url IS NOT NULL AND r.phase NOT IN ('queued', 'running'))",
    },
    Rule {
        holds: "an idempotency key stands for a request of its account",
        exception: "SELECT i.account, i.request, 'no such request of that account'
                    FROM idempotency i
                    LEFT JOIN request r ON r.id = i.request AND r.account = i.account AND r.sandbox = i.sandbox
                    WHERE r.id IS NULL AND i.sandbox = 0 AND i.expires_at > ?1",
    },
    Rule {
        holds: "an account's requests of the sandbox are counted",
        exception: "SELECT a.id, NULL, printf('%d are counted, %d are kept', a.sandbox_kept, coalesce(kept, 0))
                    FROM account a
                    LEFT JOIN (SELECT account, count(*) AS kept FROM request WHERE sandbox = 1 GROUP BY account) s
                           ON s.account = a.id
                    WHERE a.sandbox_kept <> coalesce(kept, 0)",
    },
];

/// The rule that memory and database must keep between them, which only the writer can look at.
pub(crate) const INDEX_RULE: &str = "a line in memory is as long as the one that is stored";

/// The present, for a rule that asks for it.
fn now_of(rule: &Rule, now: Moment) -> ParamsFromIter<Option<i64>> {
    params_from_iter(rule.exception.contains("?1").then_some(now.as_micros()))
}

/// Looks at everything that is stored; `c` sees one snapshot.
pub(crate) fn examine(c: &Connection, now: Moment) -> Result<(Checked, Option<Violation>), StoreError> {
    let mut checked = c.query_row(
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
    )?;
    for rule in &RULES {
        let exception: Option<(Option<String>, Option<Uuid>, String)> = c
            .prepare(rule.exception)?
            .query_row(now_of(rule, now), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        if let Some((account, request, found)) = exception {
            let violation = Violation {
                rule: rule.holds.to_owned(),
                account: account.map(AccountId),
                request: request.map(RequestId),
                found,
            };
            return Ok((checked, Some(violation)));
        }
        checked.rules += 1;
    }
    Ok((checked, None))
}
