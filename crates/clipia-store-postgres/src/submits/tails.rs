//! The latest ticket of each queue. The next tickets follow it, without a gap and in the order of the commits.

use crate::connection::Connection;
use crate::values::values;
use crate::writing::Writing;
use clipia_queue::Moment;
use clipia_store::StoreError;
use clipia_store::clock::Clock;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

/// The latest ticket of each queue as this node read it last. Later tickets are those of requests that were submitted since: they are
/// looked for in the months from then on, and not in all.
#[derive(Default)]
pub(crate) struct Tails(Mutex<HashMap<String, Read>>);

#[derive(Clone, Copy)]
struct Read {
    tail: i64,
    at: Moment,
}

impl Tails {
    fn of(&self, queues: &[String]) -> Vec<Option<Read>> {
        let read = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queues.iter().map(|queue| read.get(queue).copied()).collect()
    }

    /// Forgets all: the next look is everywhere.
    pub(super) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn read(&self, tails: &HashMap<String, i64>, at: Moment) {
        let mut read = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        read.extend(tails.iter().map(|(queue, tail)| (queue.clone(), Read { tail: *tail, at })));
    }
}

/// Tickets that no look for the latest ones finds: their requests are gone, or have ids of another time. No ticket is given twice.
pub(crate) fn keep_floors(c: &Connection, tickets: impl Iterator<Item = (String, i64)>) {
    let mut latest: BTreeMap<String, i64> = BTreeMap::new();
    for (queue, ticket) in tickets {
        latest.entry(queue).and_modify(|latest| *latest = ticket.max(*latest)).or_insert(ticket);
    }
    for (queue, ticket) in latest {
        c.later("UPDATE queue SET floor = $2 WHERE name = $1 AND floor < $2", values![queue, ticket]);
    }
}

/// The latest ticket of each queue. The tails are locked from now on: the next tickets are those of this transaction.
pub(super) async fn lock(w: &Writing, queues: BTreeSet<&String>) -> Result<HashMap<String, i64>, StoreError> {
    if queues.is_empty() {
        return Ok(HashMap::new());
    }
    let now = w.memory.time.now();
    for queue in &queues {
        w.lock_tail(queue);
    }
    let queues: Vec<String> = queues.into_iter().cloned().collect();
    let known = w.memory.tails.of(&queues);
    // Where one queue is not known, all are looked for everywhere: that is once for each queue and node.
    let since = known.iter().map(|read| read.map(|read| read.at)).min().flatten();
    let latest: String = w
        .memory
        .months
        .since(since, now)
        .iter()
        .map(|tables| {
            format!(
                "(SELECT max(ticket) FROM request{tables} r WHERE r.queue = asked.queue AND r.ticket > 0), "
            )
        })
        .collect();
    let rows = w
        .query(
            &format!(
                "SELECT asked.queue, greatest(asked.known, {latest}(SELECT floor FROM queue q WHERE q.name = asked.queue)) AS tail
                 FROM unnest($1::text[], $2::int8[]) AS asked (queue, known)"
            ),
            values![
                queues,
                known.iter().map(|read| read.map_or(0, |read| read.tail)).collect::<Vec<i64>>()
            ],
        )
        .await?;
    let tails = rows
        .iter()
        .map(|row| Ok((row.get("queue")?, row.get("tail")?)))
        .collect::<Result<_, StoreError>>()?;
    w.memory.tails.read(&tails, now);
    Ok(tails)
}
