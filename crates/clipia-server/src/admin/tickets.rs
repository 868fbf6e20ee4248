//! Tickets, by which a browser gets to the dashboard.

use super::Admin;
use crate::api_error::ApiError;
use axum::Json;
use axum::extract::State;
use clipia_admin::types::TicketMade;

pub(super) async fn create(State(admin): State<Admin>) -> Result<Json<TicketMade>, ApiError> {
    let off = || ApiError::invalid("this server has no dashboard: it was started with `dashboard = false`");
    let gate = admin.gate.as_ref().ok_or_else(off)?;
    Ok(Json(TicketMade { ticket: gate.ticket().into() }))
}
