//! The months of the history. Requests, their contents, their attempts and their log lines are kept by month, each month in tables of
//! its own; `months.sql` makes them.
//!
//! # Tables by their names
//!
//! The database plans a statement about the tables of all months for each of them, which costs a short statement more than all the
//! rest. The month of a request is known from its id. So the statements that run for every request name the tables of its month.

use super::connection::Connection;
use super::rows::Row;
use super::values::values;
use super::{Database, StoreError};
use clipia_queue::{Moment, RequestId, ids};
use clipia_store::clock::Clock;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use uuid::Uuid;

/// How long before it begins a month has its tables, at the latest.
const AHEAD: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How far the clock by which an id was made is from the database's when its request is written, at the most, for its
/// [ticket](super::submits::keep_floors) to be looked for by time.
const SKEW_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How often a node reads which months there are.
pub(crate) const READ_EVERY: Duration = Duration::from_secs(10);

/// The months that this node knows, the oldest first.
#[derive(Default)]
pub(crate) struct Months(RwLock<Arc<[Month]>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Month {
    name: Arc<str>,
    first: Uuid,
    after: Uuid,
}

impl Month {
    fn has(&self, id: Uuid) -> bool {
        self.first <= id && id < self.after
    }
}

/// The tables that have certain requests. A statement has this after the name of a table: `request{tables}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tables {
    /// Those of all months, for requests of several months or of one that this node does not know.
    All,
    /// Those of the month of this name.
    Of(Arc<str>),
}

impl fmt::Display for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => Ok(()),
            Self::Of(name) => write!(f, "_{name}"),
        }
    }
}

impl Months {
    fn known(&self) -> Arc<[Month]> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn knows(&self, id: Uuid) -> bool {
        self.known().iter().any(|month| month.has(id))
    }

    /// The months, the oldest first.
    pub(crate) fn all(&self) -> Vec<clipia_store::Month> {
        let id_before = |id: Uuid| RequestId(Uuid::from_u128(id.as_u128().saturating_sub(1)));
        let month =
            |of: &Month| clipia_store::Month { before: id_before(of.first), last: id_before(of.after) };
        self.known().iter().map(month).collect()
    }

    /// The tables of requests.
    pub(crate) fn of(&self, ids: &[Uuid]) -> Tables {
        let known = self.known();
        // Most requests are of the latest month that has begun.
        let month = ids.first().and_then(|id| known.iter().rev().find(|month| month.has(*id)));
        match month {
            Some(month) if ids.iter().all(|id| month.has(*id)) => Tables::Of(Arc::clone(&month.name)),
            _ => Tables::All,
        }
    }

    /// The tables of the requests that were submitted since a moment, by whatever node; since ever where there is none.
    pub(crate) fn since(&self, from: Option<Moment>, now: Moment) -> Vec<Tables> {
        let Some(from) = from else { return vec![Tables::All] };
        let (from, to) = (ids::last_before(from.min(now) - SKEW_MAX), ids::last_before(now + SKEW_MAX));
        let known = self.known();
        let months: Vec<&Month> =
            known.iter().filter(|month| month.first <= to && from < month.after).collect();
        let no_gap = months.windows(2).all(|two| two[0].after == two[1].first);
        match (months.first(), months.last()) {
            (Some(first), Some(last)) if first.has(from) && last.has(to) && no_gap => {
                months.iter().map(|month| Tables::Of(Arc::clone(&month.name))).collect()
            }
            _ => vec![Tables::All],
        }
    }

    /// Reads which months there are. One whose tables are apart is not among them.
    async fn read(&self, c: &Connection) -> Result<(), StoreError> {
        let rows = c
            .query("SELECT name, first, after FROM month WHERE leaving_at IS NULL ORDER BY first", Vec::new())
            .await?;
        let month = |row: &Row| {
            let name: &str = row.get("name")?;
            Ok(Month { name: name.into(), first: row.get("first")?, after: row.get("after")? })
        };
        let read = rows.iter().map(month).collect::<Result<Arc<[Month]>, StoreError>>()?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = read;
        Ok(())
    }
}

/// Whether the request of this id, which is written at `now`, is in the tables [since](Months::since) that moment. It is less than the
/// skew away from it: a transaction that began earlier may have waited for this one.
pub(crate) fn is_of_its_time(id: Uuid, now: Moment) -> bool {
    ids::last_before(now - SKEW_MAX / 2) < id && id <= ids::last_before(now + SKEW_MAX / 2)
}

/// Reads which months there are, and makes this one and the next one where there are none.
pub(crate) async fn keep_up(database: &Arc<Database>) -> Result<(), StoreError> {
    let (months, now) = (&database.memory.months, database.memory.time.now());
    months.read(&database.connection().await?).await?;
    for id in [now, now + AHEAD].map(ids::last_before) {
        if !months.knows(id) {
            make(database, id).await?;
        }
    }
    Ok(())
}

/// Makes the months of requests that are to be written, where there are none. Their ids may be of any time: a clock may have been set.
pub(crate) async fn make_for(
    database: &Arc<Database>,
    ids: impl Iterator<Item = Uuid>,
) -> Result<(), StoreError> {
    for id in ids {
        if !database.memory.months.knows(id) {
            make(database, id).await?;
        }
    }
    Ok(())
}

/// Makes the month of an id and the next one.
async fn make(database: &Arc<Database>, id: Uuid) -> Result<(), StoreError> {
    database
        .write(
            move |w| async move { w.query("SELECT make_month(make_month($1))", values![id]).await.map(drop) },
        )
        .await?;
    database.memory.months.read(&database.connection().await?).await
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(60 * 60);

    /// 2026-11-01 at midnight, by UTC.
    const NOVEMBER: Moment = Moment::from_micros(1_793_491_200_000_000);
    const DECEMBER: Moment = Moment::from_micros(1_796_083_200_000_000);
    const JANUARY: Moment = Moment::from_micros(1_798_761_600_000_000);

    fn first(at: Moment) -> Uuid {
        uuid::Builder::from_unix_timestamp_millis(at.as_micros().unsigned_abs() / 1_000, &[0; 10]).into_uuid()
    }

    fn months(months: &[(&str, Moment, Moment)]) -> Months {
        let month = |(name, from, to): &(&str, _, _)| Month {
            name: (*name).into(),
            first: first(*from),
            after: first(*to),
        };
        Months(RwLock::new(months.iter().map(month).collect()))
    }

    #[test]
    fn a_statement_names_the_tables_of_a_month_where_all_requests_are_of_it() {
        let months = months(&[("2026_11", NOVEMBER, DECEMBER), ("2026_12", DECEMBER, JANUARY)]);
        let (early, late) = (ids::new(NOVEMBER + HOUR), ids::new(DECEMBER + HOUR));
        for (ids, tables) in [
            (&[early][..], "_2026_11"),
            (&[early, early], "_2026_11"),
            (&[late], "_2026_12"),
            (&[early, late], ""),
            (&[ids::new(JANUARY + HOUR)], ""),
            (&[ids::last_before(NOVEMBER)], ""),
            (&[Uuid::nil()], ""),
            (&[], ""),
        ] {
            assert_eq!(months.of(ids).to_string(), tables, "{ids:?}");
        }
        assert_eq!(Months::default().of(&[early]), Tables::All);
    }

    #[test]
    fn the_tables_since_a_moment_are_named_where_all_of_them_are_known() {
        let both = months(&[("2026_11", NOVEMBER, DECEMBER), ("2026_12", DECEMBER, JANUARY)]);
        let names = |months: &Months, from: Moment, to: Moment| {
            months.since(Some(from), to).iter().map(Tables::to_string).collect::<Vec<_>>()
        };
        assert_eq!(names(&both, NOVEMBER + 25 * HOUR, NOVEMBER + 30 * HOUR), ["_2026_11"]);
        // A clock may be behind or ahead.
        assert_eq!(names(&both, DECEMBER + HOUR, DECEMBER + HOUR), ["_2026_11", "_2026_12"]);
        assert_eq!(names(&both, DECEMBER + 25 * HOUR, DECEMBER + 26 * HOUR), ["_2026_12"]);
        assert_eq!(names(&both, DECEMBER + 26 * HOUR, DECEMBER + 25 * HOUR), ["_2026_12"]);
        assert_eq!(names(&both, NOVEMBER, DECEMBER), [""]);
        assert_eq!(names(&both, DECEMBER, JANUARY), [""]);
        let apart = months(&[("2026_10", NOVEMBER - 720 * HOUR, NOVEMBER), ("2026_12", DECEMBER, JANUARY)]);
        assert_eq!(both.since(None, DECEMBER), [Tables::All]);
        assert_eq!(names(&apart, NOVEMBER - 25 * HOUR, DECEMBER + HOUR), [""]);
    }
}
