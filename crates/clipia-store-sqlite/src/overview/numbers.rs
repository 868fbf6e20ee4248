//! The numbers of texts: of two requests the newer one has the higher number, so that an index that has numbers in their order has
//! requests by their age.

use crate::rows::key;
use clipia_queue::RequestId;
use rusqlite::{Connection, OptionalExtension};

/// The numbers that each millisecond has.
const OF_MILLISECOND: i64 = 64;

/// The numbers between two requests of one millisecond: another one may be found later that was made between them.
const STEP: i64 = 4;

/// The number for a request that has none.
pub(crate) fn new(c: &Connection, id: RequestId) -> rusqlite::Result<i64> {
    let before = at_or_before(c, id)?;
    let after: Option<i64> = c
        .prepare_cached("SELECT number FROM text WHERE request > ?1 ORDER BY request LIMIT 1")?
        .query_row([key(id)], |row| row.get(0))
        .optional()?;
    let number = between(wanted(id), before, after);
    match number {
        Some(number) => Ok(number),
        None => free_above(c, before.unwrap_or_default()),
    }
}

/// The highest number of a request that is this one or older.
pub(crate) fn at_or_before(c: &Connection, id: RequestId) -> rusqlite::Result<Option<i64>> {
    c.prepare_cached("SELECT number FROM text WHERE request <= ?1 ORDER BY request DESC LIMIT 1")?
        .query_row([key(id)], |row| row.get(0))
        .optional()
}

fn wanted(id: RequestId) -> i64 {
    let micros = id.made_at().map_or(0, clipia_queue::Moment::as_micros);
    (micros / 1_000).saturating_mul(OF_MILLISECOND)
}

/// A number near the wanted one between those of the neighbours, if there is one.
fn between(wanted: i64, before: Option<i64>, after: Option<i64>) -> Option<i64> {
    let lowest = before.map_or(i64::MIN, |before| before.saturating_add(STEP));
    let (Some(before), Some(after)) = (before, after) else {
        let highest = after.map_or(i64::MAX, |after| after.saturating_sub(STEP));
        return Some(wanted.max(lowest).min(highest));
    };
    if lowest <= wanted && wanted < after {
        return Some(wanted);
    }
    let middle = before + (after - before) / 2;
    (before < middle).then_some(middle)
}

/// The lowest free number above `number`. The neighbours are so near to each other that the order is not kept: one of hundreds of
/// requests of a millisecond stands a few places too far ahead.
fn free_above(c: &Connection, number: i64) -> rusqlite::Result<i64> {
    let mut statement = c.prepare_cached("SELECT number FROM text WHERE number > ?1 ORDER BY number")?;
    let mut rows = statement.query([number])?;
    let mut free = number + 1;
    while let Some(row) = rows.next()?
        && row.get::<_, i64>(0)? == free
    {
        free += 1;
    }
    Ok(free)
}

#[cfg(test)]
mod tests {
    use super::between;

    #[test]
    fn a_number_is_between_those_of_the_neighbours() {
        for (wanted, before, after, number) in [
            (640, None, None, Some(640)),
            (640, Some(600), None, Some(640)),
            (640, Some(640), None, Some(644)),
            (640, None, Some(640), Some(636)),
            (640, Some(600), Some(704), Some(640)),
            (640, Some(640), Some(644), Some(642)),
            (640, Some(642), Some(644), Some(643)),
            (640, Some(643), Some(644), None),
        ] {
            assert_eq!(between(wanted, before, after), number, "{wanted} {before:?} {after:?}");
        }
    }
}
