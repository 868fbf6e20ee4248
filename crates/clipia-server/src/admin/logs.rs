//! What the attempts at a request logged.

use super::requests::{id_of, none};
use super::{Admin, Asked, page_limit};
use crate::api_error::ApiError;
use crate::http::Segment;
use crate::store::{self, LogEntry};
use axum::Json;
use axum::extract::State;
use clipia_admin::types::{ListLogLinesQuery, LogLine, LogPage};
use clipia_queue::lifecycle::Epoch;
use clipia_queue::logs::{LogPosition, PositionInvalid};

pub(super) async fn list(
    State(admin): State<Admin>,
    Segment(id): Segment,
    Asked(query): Asked<ListLogLinesQuery>,
) -> Result<Json<LogPage>, ApiError> {
    let ListLogLinesQuery { after, attempt, limit } = query;
    let id = id_of(&id)?;
    let after = after.as_deref().map(position).transpose()?.unwrap_or_default();
    let attempt = attempt.map(Epoch);
    let page = admin.store.logs(id, attempt, after, page_limit(limit)).await?.ok_or_else(|| none(id))?;
    let store::LogPage { phase, lines, position, more } = page;
    let lines = lines.into_iter().map(line).collect();
    Ok(Json(LogPage { status: phase.status(), lines, position: position.to_string(), more }))
}

fn position(text: &str) -> Result<LogPosition, ApiError> {
    text.parse().map_err(|error: PositionInvalid| ApiError::invalid(error.to_string()))
}

fn line(LogEntry { epoch, number, at, line }: LogEntry) -> LogLine {
    LogLine { attempt: epoch.0, number, at, line }
}
