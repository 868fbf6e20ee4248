//! Reading requests.

use super::position::QueuePlace;
use super::rows::from_json;
use super::values::values;
use super::{Database, logs};
use clipia_queue::lifecycle::Epoch;
use clipia_queue::logs::shown_attempt;
use clipia_queue::{AccountId, Failure, RequestId};
use clipia_store::{Request, RequestStatus, StoreError};

/// A request of an account.
pub(crate) async fn read(
    database: &Database,
    account: &AccountId,
    id: RequestId,
) -> Result<Option<Request>, StoreError> {
    let (c, of) = (database.connection().await?, database.memory.months.of(&[id.0]));
    let found = c
        .optional(
            &format!(
                "SELECT r.*, o.output FROM request{of} r LEFT JOIN request_content{of} o ON o.request = r.id
                 WHERE r.id = $1 AND r.account = $2"
            ),
            values![id, account],
        )
        .await?;
    drop(c);
    let Some(row) = found else { return Ok(None) };
    let life = row.lifecycle()?;
    let phase = life.phase;
    let position = match QueuePlace::of_row(&row, life)? {
        Some(at) => database.ahead(&at).await?,
        None => 0,
    };
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
        position,
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
    database: &Database,
    account: &AccountId,
    id: RequestId,
) -> Result<Option<RequestStatus>, StoreError> {
    let (c, of) = (database.connection().await?, database.memory.months.of(&[id.0]));
    let found = c
        .optional(
            &format!(
                "SELECT account, sandbox, phase, epoch, rescues, progress, logged, queue, ticket FROM request{of}
                 WHERE id = $1 AND account = $2"
            ),
            values![id, account],
        )
        .await?;
    let Some(row) = found else { return Ok(None) };
    let life = row.lifecycle()?;
    let logs = match shown_attempt(life, Epoch(row.get("logged")?)) {
        Some(epoch) => logs::shown(&c, &of, id, epoch).await?,
        None => Vec::new(),
    };
    // Given back first: what reads a position takes one, too.
    drop(c);
    let position = match QueuePlace::of_row(&row, life)? {
        Some(at) => database.ahead(&at).await?,
        None => 0,
    };
    Ok(Some(RequestStatus {
        id,
        sandbox: row.get("sandbox")?,
        phase: life.phase,
        position,
        progress: row.progress()?,
        logs,
    }))
}
