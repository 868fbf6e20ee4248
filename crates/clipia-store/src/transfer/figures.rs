//! What a store holds, in figures: computed from its rows, by the same code for every kind of store.

use super::row::{Account, Delivery, Movement, Request};
use super::{Row, Table};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;

/// What a store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// Of each table that has a row.
    pub tables: BTreeMap<String, TableFigures>,
    /// Of each account.
    pub accounts: BTreeMap<String, AccountFigures>,
    /// How many requests are in each phase.
    pub requests: BTreeMap<String, u64>,
    /// How many deliveries are in each state.
    pub deliveries: BTreeMap<String, u64>,
}

/// What a table holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableFigures {
    /// How many rows.
    pub rows: u64,
    /// A digest of all cells of all rows, in whatever order.
    digest: RowsDigest,
}

/// The credits of an account. The sums are of its movements.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountFigures {
    /// Credits that can be spent.
    pub available: i64,
    /// Credits that are reserved.
    pub held: i64,
    /// What its movements make available.
    pub ledger_available: i64,
    /// What its movements reserve.
    pub ledger_held: i64,
    /// What its movements issued.
    pub issuance: i64,
    /// What its movements charged.
    pub revenue: i64,
}

/// The sum of the digests of rows, which is the same in any order of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct RowsDigest(u128);

impl RowsDigest {
    fn add(&mut self, json: &[u8]) {
        let digest: [u8; 32] = Sha256::digest(json).into();
        let first = digest.first_chunk().map_or(0, |first| u128::from_be_bytes(*first));
        self.0 = self.0.wrapping_add(first);
    }
}

impl Serialize for RowsDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:032x}", self.0))
    }
}

impl<'de> Deserialize<'de> for RowsDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map(Self).map_err(|_| de::Error::custom("not a digest"))
    }
}

impl Figures {
    /// Adds a row, and its JSON.
    pub fn add(&mut self, row: &Row, json: &[u8]) {
        let table = self.tables.entry(row.table().name().to_owned()).or_default();
        table.rows += 1;
        table.digest.add(json);
        match row {
            Row::Account(Account { id, available, held, .. }) => {
                let figures = self.account(id);
                (figures.available, figures.held) = (*available, *held);
            }
            Row::Movement(Movement { account, available, held, issuance, revenue, .. }) => {
                let figures = self.account(account);
                for (sum, entry) in [
                    (&mut figures.ledger_available, available),
                    (&mut figures.ledger_held, held),
                    (&mut figures.issuance, issuance),
                    (&mut figures.revenue, revenue),
                ] {
                    *sum = sum.saturating_add(*entry);
                }
            }
            Row::Request(Request { phase, .. }) => *self.requests.entry(phase.clone()).or_default() += 1,
            Row::Delivery(Delivery { state, .. }) => *self.deliveries.entry(state.clone()).or_default() += 1,
            _ => {}
        }
    }

    fn account(&mut self, id: &str) -> &mut AccountFigures {
        if !self.accounts.contains_key(id) {
            self.accounts.insert(id.to_owned(), AccountFigures::default());
        }
        self.accounts.entry(id.to_owned()).or_default()
    }

    /// How many rows a table has.
    pub fn rows(&self, table: Table) -> u64 {
        self.tables.get(table.name()).map_or(0, |figures| figures.rows)
    }

    /// What all accounts have together: credits that can be spent, and credits that are reserved.
    pub fn credits(&self) -> (i64, i64) {
        let sum = |of: fn(&AccountFigures) -> i64| self.accounts.values().map(of).sum();
        (sum(|account| account.available), sum(|account| account.held))
    }

    /// The first difference to the figures of another store, with both.
    ///
    /// ```
    /// use clipia_store::transfer::Figures;
    ///
    /// let figures = Figures::default();
    /// assert_eq!(figures.difference(&figures.clone()), None);
    /// ```
    pub fn difference(&self, other: &Self) -> Option<String> {
        first("the account", &self.accounts, &other.accounts)
            .or_else(|| first("the requests", &self.requests, &other.requests))
            .or_else(|| first("the deliveries", &self.deliveries, &other.deliveries))
            .or_else(|| first("the rows of", &self.tables, &other.tables))
    }
}

/// The first name of which both have something else.
fn first<V: PartialEq + fmt::Debug>(
    of: &str,
    here: &BTreeMap<String, V>,
    there: &BTreeMap<String, V>,
) -> Option<String> {
    let name = here.keys().chain(there.keys()).find(|name| here.get(*name) != there.get(*name))?;
    Some(format!("{of} `{name}`: {:?} in one store, {:?} in the other", here.get(name), there.get(name)))
}
