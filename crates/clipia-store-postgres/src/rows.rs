//! Rows of the database, and the values of the domain in their columns.

use clipia_queue::ledger::Entries;
use clipia_queue::lifecycle::{Epoch, Lifecycle, Phase};
use clipia_queue::position::{Lane, Place, Ticket};
use clipia_queue::{AccountId, Credits, Moment, RequestId, ledger};
use clipia_store::clock::timestamp;
use clipia_store::{AttemptEnd, StoreError};
use serde::Serialize;
use serde::de::DeserializeOwned;
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
        self.get::<i64>(column).map(|number| u64::try_from(number).unwrap_or(0))
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

    /// The columns `lane`, `ticket`.
    pub(crate) fn place(&self) -> Result<Place, StoreError> {
        Ok(Place { lane: self.lane()?, ticket: Ticket(self.get("ticket")?) })
    }

    /// The column `lane`.
    pub(crate) fn lane(&self) -> Result<Lane, StoreError> {
        Ok(if self.get::<i64>("lane")? == 0 { Lane::Requeued } else { Lane::New })
    }
}

/// The column `lane` of a lane.
pub(crate) const fn lane_number(lane: Lane) -> i64 {
    match lane {
        Lane::Requeued => 0,
        Lane::New => 1,
    }
}

fn phase(name: &str) -> Result<Phase, StoreError> {
    Phase::named(name).ok_or_else(|| StoreError::Unreadable(format!("phase `{name}`")))
}

/// The name of an attempt's end in the store.
pub(crate) const fn attempt_name(how: AttemptEnd) -> &'static str {
    match how {
        AttemptEnd::Completed => "completed",
        AttemptEnd::Failed => "failed",
        AttemptEnd::Released => "released",
        AttemptEnd::Lost => "lost",
        AttemptEnd::Canceled => "canceled",
    }
}

/// The attempt's end of that name.
pub(crate) fn attempt_end(name: &str) -> Result<AttemptEnd, StoreError> {
    Ok(match name {
        "completed" => AttemptEnd::Completed,
        "failed" => AttemptEnd::Failed,
        "released" => AttemptEnd::Released,
        "lost" => AttemptEnd::Lost,
        "canceled" => AttemptEnd::Canceled,
        _ => return Err(StoreError::Unreadable(format!("ending `{name}`"))),
    })
}

fn credits(amount: i64) -> Result<Credits, StoreError> {
    u64::try_from(amount).map(Credits::new).map_err(|_| StoreError::Unreadable(format!("{amount} credits")))
}

/// Credits for a column.
pub(crate) fn amount(credits: Credits) -> Result<i64, StoreError> {
    i64::try_from(credits.get()).map_err(|_| StoreError::Unreadable(format!("{credits} credits")))
}

/// A value as JSON for a column.
pub(crate) fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Unreadable(error.to_string()))
}

/// A value from the JSON of a column.
pub(crate) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Unreadable(error.to_string()))
}
