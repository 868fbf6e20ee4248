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

/// The numbers of letters of beginnings that are words of the index, as `schema.sql` says.
const BEGINNINGS: [usize; 3] = [1, 3, 5];

/// How many requests are compared with a beginning that is no word of the index, before those that have it are gathered.
const CHECKED_MAX: usize = 5_000;

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

/// How far a page is.
struct Page<'s> {
    store: &'s Connection,
    positions: &'s Positions,
    search: &'s Search,
    page: RequestPage,
    /// How many requests were looked at in the store, and in the index.
    looked_at: usize,
    checked: usize,
    last: Option<RequestId>,
    /// The number of `last`.
    number: i64,
}

/// Why no more requests of an expression are looked at.
#[derive(PartialEq)]
enum Ended {
    /// The page is done.
    Page,
    /// There are no more.
    Expression,
    /// Enough were checked.
    Checked,
}

/// Looks for requests.
///
/// FTS5 gives the requests of a word one by one, the newest first. It does so for a beginning that is a word of the index, too. Those of another
/// beginning it gathers first, all of them. So such a beginning is cut to one that the index has, and the words of each
/// request are compared with the whole of it. Where the newest requests do not fill the page like that, few have the beginning, and they may
/// be gathered.
fn found(
    c: &Connection,
    store: &Connection,
    positions: &Positions,
    search: &Search,
) -> Result<RequestPage, StoreError> {
    let Search { asked, after, .. } = search;
    let empty = RequestPage::default();
    // The request `after` itself is passed over below.
    let number = match after {
        None => i64::MAX,
        Some(after) => match numbers::at_or_before(c, *after)? {
            Some(number) => number,
            None => return Ok(empty),
        },
    };
    let mut page =
        Page { store, positions, search, page: empty, looked_at: 0, checked: 0, last: *after, number };
    let cut = cut(&asked.beginning);
    let mut ended = Ended::Checked;
    if cut != asked.beginning {
        ended = page.look_through(c, &expression(asked, cut), Some(&asked.beginning))?;
    }
    if ended == Ended::Checked {
        page.look_through(c, &expression(asked, &asked.beginning), None)?;
    }
    Ok(page.page)
}

impl Page<'_> {
    /// Looks at the requests of an expression that are older than the last one. Of those the words are compared with a beginning, if
    /// there is one.
    fn look_through(
        &mut self,
        c: &Connection,
        expression: &str,
        beginning: Option<&str>,
    ) -> Result<Ended, StoreError> {
        let Search { filter, limit, .. } = self.search;
        let mut statement = c.prepare_cached(
            "SELECT text.number, text.request, text.words FROM word CROSS JOIN text ON text.number = word.rowid
             WHERE word MATCH ?1 AND word.rowid <= ?2 ORDER BY word.rowid DESC",
        )?;
        let mut rows = statement.query(params![expression, self.number])?;
        let mut request = self.store.prepare_cached("SELECT * FROM request WHERE id = ?1")?;
        while let Some(row) = rows.next()? {
            let id = RequestId(row.get(1)?);
            if Some(id) == self.last {
                continue;
            }
            if beginning.is_some() && self.checked >= CHECKED_MAX {
                return Ok(Ended::Checked);
            }
            self.checked += 1;
            let words = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
            if beginning.is_some_and(|beginning| !words.split(' ').any(|word| word.starts_with(beginning))) {
                continue;
            }
            if self.page.requests.len() >= *limit || self.looked_at >= LOOKED_AT_MAX {
                self.page.next = self.last;
                return Ok(Ended::Page);
            }
            self.looked_at += 1;
            (self.number, self.last) = (row.get(0)?, Some(id));
            let mut found = request.query([key(id)])?;
            // It may have gone since it was taken into the index.
            let Some(row) = found.next()? else { continue };
            if is_older(filter, row)? {
                return Ok(Ended::Page);
            }
            if fits(filter, row)? {
                self.page.requests.push(listing(self.positions, row)?);
            }
        }
        Ok(Ended::Expression)
    }
}

/// The longest part of a beginning that is a word of the index.
fn cut(beginning: &str) -> &str {
    let lengths = BEGINNINGS.into_iter().rev();
    let ends = lengths.filter_map(|length| beginning.char_indices().nth(length - 1));
    ends.map(|(at, last)| &beginning[..at + last.len_utf8()]).next().unwrap_or(beginning)
}

/// The words and a beginning as an expression of FTS5. They have letters and digits only, so that nothing in them ends the quotes.
fn expression(Asked { whole, .. }: &Asked, beginning: &str) -> String {
    let mut expression: String = whole.iter().map(|word| format!("\"{word}\" AND ")).collect();
    expression.push_str(&format!("\"{beginning}\" *"));
    expression
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn a_beginning_is_cut_to_one_that_the_index_has() {
        for (beginning, cut_to) in [
            ("f", "f"),
            ("fo", "f"),
            ("fox", "fox"),
            ("foxe", "fox"),
            ("foxes", "foxes"),
            ("foxesé", "foxes"),
            ("éèêëē", "éèêëē"),
        ] {
            assert_eq!(cut(beginning), cut_to);
        }
    }
}
