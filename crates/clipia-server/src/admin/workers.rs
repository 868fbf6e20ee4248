//! Workers on other machines.

use super::{Admin, Order};
use crate::api_error::ApiError;
use crate::credentials;
use crate::http::Segment;
use crate::store::{self, WorkerRefused};
use axum::Json;
use axum::extract::State;
use clipia_admin::types::{WorkerList, WorkerListing, WorkerMade, WorkerOrder, WorkerRevoked, WorkerSession};
use clipia_api::error_code::ErrorCode;
use clipia_queue::workers::{check_executors, check_name};

pub(super) async fn list(State(admin): State<Admin>) -> Result<Json<WorkerList>, ApiError> {
    let workers = admin.store.workers().await?;
    Ok(Json(WorkerList(workers.into_iter().map(listing).collect())))
}

pub(super) async fn create(
    State(admin): State<Admin>,
    Order(WorkerOrder { name, executors }): Order<WorkerOrder>,
) -> Result<Json<WorkerMade>, ApiError> {
    check_name(&name).map_err(|refused| ApiError::invalid(refused.to_string()))?;
    let known: Vec<&str> = admin.queues.names().collect();
    let executors = check_executors(executors, known.iter().copied())
        .map_err(|refused| ApiError::invalid(refused.to_string()))?;
    let (token, new) = credentials::new_worker(name.clone(), executors.clone());
    admin.store.create_worker(new).await.map_err(|refused| match refused {
        WorkerRefused::Store(error) => error.into(),
        taken @ WorkerRefused::NameTaken(_) => ApiError::invalid(taken.to_string()),
    })?;
    tracing::info!(worker = name, ?executors, "a worker was created");
    Ok(Json(WorkerMade { name, executors, token: token.into() }))
}

pub(crate) async fn quiet(
    State(admin): State<Admin>,
    Segment(name): Segment,
) -> Result<Json<WorkerListing>, ApiError> {
    set_quiet(&admin, &name, true).await
}

pub(crate) async fn resume(
    State(admin): State<Admin>,
    Segment(name): Segment,
) -> Result<Json<WorkerListing>, ApiError> {
    set_quiet(&admin, &name, false).await
}

async fn set_quiet(admin: &Admin, name: &str, quiet: bool) -> Result<Json<WorkerListing>, ApiError> {
    if !admin.store.set_quiet(name, quiet).await? {
        return Err(none(name));
    }
    tracing::info!(worker = name, quiet, "a worker was made quiet or resumed");
    let found = admin.store.workers().await?.into_iter().find(|worker| worker.name == name);
    found.map(listing).map(Json).ok_or_else(|| none(name))
}

pub(super) async fn revoke(
    State(admin): State<Admin>,
    Segment(name): Segment,
) -> Result<Json<WorkerRevoked>, ApiError> {
    let taken_back = admin.store.revoke_worker(&name).await?.ok_or_else(|| none(&name))?;
    tracing::info!(worker = name, taken_back, "a worker was revoked");
    Ok(Json(WorkerRevoked { name, taken_back }))
}

fn none(name: &str) -> ApiError {
    ApiError::new(ErrorCode::NotFound, format!("no worker `{name}` is in force"))
}

fn listing(worker: store::WorkerListing) -> WorkerListing {
    let store::WorkerListing { name, hint, executors, quiet, created_at, revoked_at, sessions } = worker;
    let sessions = sessions.into_iter().map(session).collect();
    WorkerListing { name, hint, executors, quiet, created_at, revoked_at, sessions }
}

fn session(listed: store::SessionListing) -> WorkerSession {
    let store::SessionListing { session, about, since, seen_at, running } = listed;
    let store::AboutSession { executor, host, gpu, version, slots } = about;
    WorkerSession { session, executor, host, gpu, version, slots, running, since, seen_at }
}
