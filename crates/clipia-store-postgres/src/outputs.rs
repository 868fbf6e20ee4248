//! The outputs of requests, for a sweep of media, and their prompts, for lists.

use super::connection::Connection;
use super::rows::from_json;
use super::values::values;
use clipia_queue::RequestId;
use clipia_queue::retention::kept_output;
use clipia_store::{PROMPT_SHOWN, RequestOutput, StoreError};

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

/// The beginnings of the prompts of those requests that have one.
pub(crate) async fn prompts(
    c: &Connection,
    ids: Vec<RequestId>,
) -> Result<Vec<(RequestId, String)>, StoreError> {
    let rows = c
        .query(
            "SELECT request, left(nullif(input, '')::json ->> 'prompt', $2::bigint::integer) AS prompt FROM request_content
             WHERE request = ANY($1::uuid[])",
            values![ids.into_iter().map(|id| id.0).collect::<Vec<_>>(), i64::from(PROMPT_SHOWN)],
        )
        .await?;
    let mut prompts = Vec::with_capacity(rows.len());
    for row in rows {
        let prompt: Option<&str> = row.get("prompt")?;
        if let Some(prompt) = prompt {
            prompts.push((row.request("request")?, prompt.to_owned()));
        }
    }
    Ok(prompts)
}
