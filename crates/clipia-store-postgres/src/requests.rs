//! Reading requests.

use super::connection::Connection;
use super::rows::from_json;
use super::values::values;
use super::{logs, position};
use clipia_queue::lifecycle::Epoch;
use clipia_queue::logs::shown_attempt;
use clipia_queue::{AccountId, Failure, RequestId};
use clipia_store::{Request, RequestStatus, StoreError};

/// A request of an account.
pub(crate) async fn read(
    c: &Connection,
    account: &AccountId,
    id: RequestId,
    fifo: Vec<String>,
) -> Result<Option<Request>, StoreError> {
    let found = c
        .optional(
            &format!(
                "SELECT r.*, o.output, {} FROM request r LEFT JOIN request_content o ON o.request = r.id
                 WHERE r.id = $1 AND r.account = $2",
                position::column(3)
            ),
            values![id, account, fifo],
        )
        .await?;
    let Some(row) = found else { return Ok(None) };
    let phase = row.phase("phase")?;
    let output: Option<&str> = if phase.has_output() { row.get("output")? } else { None };
    let failure = match row.get::<Option<String>>("error_code")? {
        Some(code) => Some(Failure { code, message: row.get("error_message")? }),
        None => None,
    };
    Ok(Some(Request {
        id,
        sandbox: row.get("sandbox")?,
        model: row.get("model")?,
        phase,
        position: row.get::<Option<i64>>("position")?.map_or(0, i64::unsigned_abs),
        progress: row.progress()?,
        cost: row.cost()?,
        created_at: row.moment("created_at")?,
        completed_at: row.optional_moment("completed_at")?,
        expired_at: row.optional_moment("expired_at")?,
        output: output.map(from_json).transpose()?,
        failure,
    }))
}

/// The status of a request of an account.
pub(crate) async fn status(
    c: &Connection,
    account: &AccountId,
    id: RequestId,
    fifo: Vec<String>,
) -> Result<Option<RequestStatus>, StoreError> {
    let found = c
        .optional(
            &format!(
                "SELECT r.sandbox, r.phase, r.epoch, r.rescues, r.progress, r.logged, {} FROM request r
                 WHERE r.id = $1 AND r.account = $2",
                position::column(3)
            ),
            values![id, account, fifo],
        )
        .await?;
    let Some(row) = found else { return Ok(None) };
    let life = row.lifecycle()?;
    let logs = match shown_attempt(life, Epoch(row.get("logged")?)) {
        Some(epoch) => logs::shown(c, id, epoch).await?,
        None => Vec::new(),
    };
    Ok(Some(RequestStatus {
        id,
        sandbox: row.get("sandbox")?,
        phase: life.phase,
        position: row.get::<Option<i64>>("position")?.map_or(0, i64::unsigned_abs),
        progress: row.progress()?,
        logs,
    }))
}
