//! Rows of the database, and the values of the domain in their columns.

use clipia_queue::ledger::Entries;
use clipia_queue::lifecycle::{Epoch, Lifecycle, Phase};
use clipia_queue::limits::{KeyUse, SpentCredits};
use clipia_queue::position::{Lane, Place, Ticket};
use clipia_queue::{AccountId, Credits, Moment, RequestId, ledger};
use clipia_store::StoreError;
use clipia_store::clock::timestamp;
pub(crate) use clipia_store::columns::{amount, attempt_end, attempt_name, from_json, lane_number, to_json};
use clipia_store::columns::{count, credits, lane, phase, spent_credits};
use tokio_postgres::types::FromSql;

/// A row of a result.
pub(crate) struct Row(pub(crate) tokio_postgres::Row);

impl Row {
    /// The value of a column.
    pub(crate) fn get<'r, T: FromSql<'r>>(&'r self, column: &str) -> Result<T, StoreError> {
        self.0
            .try_get(column)
            .map_err(|error| StoreError::Unreadable(format!("the column `{column}`: {error}")))
    }

    pub(crate) fn moment(&self, column: &str) -> Result<Moment, StoreError> {
        Ok(Moment::from_micros(self.get(column)?))
    }

    pub(crate) fn optional_moment(&self, column: &str) -> Result<Option<Moment>, StoreError> {
        Ok(self.get::<Option<i64>>(column)?.map(Moment::from_micros))
    }

    pub(crate) fn time(&self, column: &str) -> Result<jiff::Timestamp, StoreError> {
        self.moment(column).map(timestamp)
    }

    pub(crate) fn optional_time(&self, column: &str) -> Result<Option<jiff::Timestamp>, StoreError> {
        Ok(self.optional_moment(column)?.map(timestamp))
    }

    /// A number that is never negative.
    pub(crate) fn count(&self, column: &str) -> Result<u64, StoreError> {
        self.get(column).map(count)
    }

    pub(crate) fn small(&self, column: &str) -> Result<u32, StoreError> {
        let number: i64 = self.get(column)?;
        u32::try_from(number)
            .map_err(|_| StoreError::Unreadable(format!("{number} in the column `{column}`")))
    }

    pub(crate) fn credits(&self, column: &str) -> Result<Credits, StoreError> {
        credits(self.get(column)?)
    }

    pub(crate) fn account(&self) -> Result<AccountId, StoreError> {
        self.get("account").map(AccountId)
    }

    pub(crate) fn request(&self, column: &str) -> Result<RequestId, StoreError> {
        self.get(column).map(RequestId)
    }

    pub(crate) fn phase(&self, column: &str) -> Result<Phase, StoreError> {
        phase(self.get(column)?)
    }

    /// The columns `phase`, `epoch`, `rescues`.
    pub(crate) fn lifecycle(&self) -> Result<Lifecycle, StoreError> {
        Ok(Lifecycle {
            phase: self.phase("phase")?,
            epoch: Epoch(self.get("epoch")?),
            rescues: self.small("rescues")?,
        })
    }

    /// The column `progress`.
    pub(crate) fn progress(&self) -> Result<clipia_api::Progress, StoreError> {
        Ok(clipia_api::Progress::new(u8::try_from(self.small("progress")?).unwrap_or(u8::MAX)))
    }

    /// What a request costs, by the columns `cost`, `charged`.
    pub(crate) fn cost(&self) -> Result<Credits, StoreError> {
        let charged: Option<i64> = self.get("charged")?;
        Ok(ledger::cost(self.credits("cost")?, charged.map(credits).transpose()?))
    }

    /// The columns `available`, `held`, `issuance`, `revenue`.
    pub(crate) fn entries(&self) -> Result<Entries, StoreError> {
        Ok(Entries {
            available: self.get("available")?,
            held: self.get("held")?,
            issuance: self.get("issuance")?,
            revenue: self.get("revenue")?,
        })
    }

    /// What a key has used of its limits, by the columns `in_flight`, `spent`, `spent_since`, `spent_until`.
    pub(crate) fn used(&self) -> Result<KeyUse, StoreError> {
        Ok(KeyUse { in_flight: self.small("in_flight")?, spent: self.spent()? })
    }

    /// The columns `spent`, `spent_since`, `spent_until`.
    pub(crate) fn spent(&self) -> Result<SpentCredits, StoreError> {
        spent_credits(self.get("spent")?, self.get("spent_since")?, self.get("spent_until")?)
    }

    /// The columns `lane`, `ticket`.
    pub(crate) fn place(&self) -> Result<Place, StoreError> {
        Ok(Place { lane: self.lane()?, ticket: Ticket(self.get("ticket")?) })
    }

    /// The column `lane`.
    pub(crate) fn lane(&self) -> Result<Lane, StoreError> {
        Ok(lane(self.get("lane")?))
    }
}
