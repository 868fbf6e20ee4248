//! The outputs of requests, for a sweep of media, and their prompts, for lists.

use super::rows::{from_json, key, moment, phase};
use crate::store::{PROMPT_SHOWN, RequestOutput, StoreError};
use clipia_queue::RequestId;
use clipia_queue::retention::kept_output;
use rusqlite::{Connection, OptionalExtension, params};

/// The outputs of those requests that are stored and whose outputs can be read.
pub(crate) fn of(c: &Connection, ids: Vec<RequestId>) -> Result<Vec<RequestOutput>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT phase, output, expired_at FROM request JOIN request_content ON request = id WHERE id = ?1",
    )?;
    let mut outputs = Vec::with_capacity(ids.len());
    for id in ids {
        let row: Option<(String, Option<String>, Option<i64>)> =
            statement.query_row([key(id)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
        if let Some((name, output, expired_at)) = row
            && let Ok(output) =
                kept_output(output, expired_at.map(moment)).as_deref().map(from_json).transpose()
        {
            outputs.push(RequestOutput { id, phase: phase(&name)?, output });
        }
    }
    Ok(outputs)
}

/// The beginnings of the prompts of those requests that have one.
pub(crate) fn prompts(c: &Connection, ids: Vec<RequestId>) -> Result<Vec<(RequestId, String)>, StoreError> {
    // An input that was let go is an empty text.
    let mut statement = c.prepare_cached(
        "SELECT substr(json_extract(nullif(input, ''), '$.prompt'), 1, ?2) FROM request_content WHERE request = ?1",
    )?;
    let mut prompts = Vec::with_capacity(ids.len());
    for id in ids {
        let prompt: Option<Option<String>> =
            statement.query_row(params![key(id), PROMPT_SHOWN], |row| row.get(0)).optional()?;
        prompts.extend(prompt.flatten().map(|prompt| (id, prompt)));
    }
    Ok(prompts)
}
