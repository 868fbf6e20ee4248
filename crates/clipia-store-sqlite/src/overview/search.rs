//! Searches in the index, whose requests are read from the store.

use super::{Overview, numbers};
use crate::listing::{fits, is_older, listing};
use crate::position::Positions;
use crate::rows::key;
use crate::store::{RequestFilter, RequestPage, StoreError};
use clipia_queue::RequestId;
use clipia_store::texts::Asked;
use rusqlite::{Connection, params};

/// How many requests that have the words are looked at for one page, however few fit the filter.
const LOOKED_AT_MAX: usize = 2_000;

/// What is searched for.
pub(crate) struct Search {
    pub(crate) asked: Asked,
    pub(crate) filter: RequestFilter,
    pub(crate) after: Option<RequestId>,
    pub(crate) limit: usize,
}

impl Overview {
    /// Looks for requests. `store` is a connection to the store.
    pub(crate) fn search(
        &self,
        store: &Connection,
        positions: &Positions,
        search: &Search,
    ) -> Result<RequestPage, StoreError> {
        self.read(|c| found(c, store, positions, search))
    }
}

fn found(
    c: &Connection,
    store: &Connection,
    positions: &Positions,
    Search { asked, filter, after, limit }: &Search,
) -> Result<RequestPage, StoreError> {
    let mut page = RequestPage::default();
    // The request `after` itself is passed over below.
    let through = match after {
        None => i64::MAX,
        Some(after) => match numbers::at_or_before(c, *after)? {
            Some(number) => number,
            None => return Ok(page),
        },
    };
    let mut statement = c.prepare_cached(
        "SELECT text.request FROM word CROSS JOIN text ON text.number = word.rowid
         WHERE word MATCH ?1 AND word.rowid <= ?2 ORDER BY word.rowid DESC",
    )?;
    let mut rows = statement.query(params![expression(asked), through])?;
    let mut request = store.prepare_cached("SELECT * FROM request WHERE id = ?1")?;
    let (mut looked_at, mut last) = (0, *after);
    while let Some(row) = rows.next()? {
        let id = RequestId(row.get(0)?);
        if Some(id) == *after {
            continue;
        }
        if page.requests.len() >= *limit || looked_at >= LOOKED_AT_MAX {
            page.next = last;
            break;
        }
        (looked_at, last) = (looked_at + 1, Some(id));
        let mut found = request.query([key(id)])?;
        // It may have gone since it was taken into the index.
        let Some(row) = found.next()? else { continue };
        if is_older(filter, row)? {
            break;
        }
        if fits(filter, row)? {
            page.requests.push(listing(positions, row)?);
        }
    }
    Ok(page)
}

/// The words as an expression of FTS5. They have letters and digits only, so that nothing in them ends the quotes.
fn expression(Asked { whole, beginning }: &Asked) -> String {
    let mut expression: String = whole.iter().map(|word| format!("\"{word}\" AND ")).collect();
    expression.push_str(&format!("\"{beginning}\" *"));
    expression
}
