//! The rate budgets of keys, as far as nodes tell each other what they spend.

use super::connection::{CLOCK, Connection};
use super::values::values;
use clipia_queue::Moment;
use clipia_queue::limits::Spent;
use clipia_store::StoreError;
use std::time::Duration;

/// How long a budget is kept of which no node tells any more. Every budget is whole again by then.
const KEPT: Duration = Duration::from_secs(600);

/// How long a statement may take to be seen by others, beyond the moment that it notes.
const OVERLAP: Duration = Duration::from_secs(2);

/// Adds what this node has spent to what all have, by the rule of [`Spent::arrival_after`], and reads what any node has told within
/// `since`: one statement for all keys. Keys are locked in one order, and those that are removed are none that are told.
const SHARE: &str = "
    told AS (
        INSERT INTO key_budget AS b (key, arrival, spent, told_at)
        SELECT s.key, s.began + s.spent, s.spent, now
        FROM unnest($1::text[], $2::int8[], $3::int8[]) AS s (key, began, spent), clock ORDER BY s.key
        ON CONFLICT (key) DO UPDATE SET spent = excluded.spent, told_at = excluded.told_at,
            arrival = greatest(b.arrival, excluded.arrival - excluded.spent) + excluded.spent
        RETURNING b.key, b.arrival
    ), gone AS (
        DELETE FROM key_budget b USING clock WHERE b.told_at < now - $5 AND b.key <> ALL ($1)
    )
    SELECT key, arrival FROM told
    UNION ALL SELECT b.key, b.arrival FROM key_budget b, clock WHERE b.told_at >= now - $4";

pub(crate) async fn share(
    c: &Connection,
    spent: Vec<(String, Spent)>,
    since: Option<Duration>,
) -> Result<Vec<(String, Moment)>, StoreError> {
    let (mut keys, mut began, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for (key, spent) in spent {
        keys.push(key);
        began.push(spent.began.as_micros());
        times.push(micros(spent.time));
    }
    let since = since.map_or(KEPT, |since| since.saturating_add(OVERLAP).min(KEPT));
    let text = format!("WITH clock AS MATERIALIZED ({CLOCK}), {SHARE}");
    let rows = c.query(&text, values![keys, began, times, micros(since), micros(KEPT)]).await?;
    rows.iter().map(|row| Ok((row.get("key")?, row.moment("arrival")?))).collect()
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}
