//! The outputs of requests, for a sweep of media.

use super::connection::Connection;
use super::rows::from_json;
use super::values::values;
use clipia_queue::RequestId;
use clipia_queue::retention::kept_output;
use clipia_store::{RequestOutput, StoreError};

/// The outputs of those requests that are stored and whose outputs can be read.
pub(crate) async fn of(c: &Connection, ids: Vec<RequestId>) -> Result<Vec<RequestOutput>, StoreError> {
    let rows = c
        .query(
            "SELECT r.id, r.phase, o.output, r.expired_at
             FROM unnest($1::uuid[]) WITH ORDINALITY AS asked (id, n) JOIN request r USING (id)
                JOIN request_content o ON o.request = r.id ORDER BY asked.n",
            values![ids.into_iter().map(|id| id.0).collect::<Vec<_>>()],
        )
        .await?;
    let mut outputs = Vec::with_capacity(rows.len());
    for row in rows {
        let output: Option<&str> = kept_output(row.get("output")?, row.optional_moment("expired_at")?);
        if let Ok(output) = output.map(from_json).transpose() {
            outputs.push(RequestOutput { id: row.request("id")?, phase: row.phase("phase")?, output });
        }
    }
    Ok(outputs)
}
