//! Bare axum with the same calls: it parses the same bodies and sends the same responses as the queue, and stores nothing.

use anyhow::Result;
use axum::extract::Path;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::net::Ipv4Addr;
use tokio::net::TcpListener;
use uuid::Uuid;

/// The path of a status call that succeeds.
pub(super) const STATUS_PATH: &str = "/v1/requests/0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de/status";

#[derive(Deserialize)]
struct Submit {
    input: Map<String, Value>,
}

#[derive(Serialize)]
struct Submitted {
    request_id: Uuid,
    status: &'static str,
    queue_position: u64,
    status_url: String,
    response_url: String,
    cost: usize,
}

#[derive(Serialize)]
struct Status {
    request_id: Uuid,
    status: &'static str,
    queue_position: u64,
}

/// Serves as long as the runtime runs. Returns the URL.
pub(super) async fn serve() -> Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let app = Router::new()
        .route("/v1/models/{model}", post(submit))
        .route("/v1/requests/{id}/status", get(status));
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(url)
}

async fn submit(Path(_model): Path<String>, Json(submit): Json<Submit>) -> Json<Submitted> {
    let request_id = Uuid::now_v7();
    let response_url = format!("http://localhost/v1/requests/{request_id}");
    Json(Submitted {
        request_id,
        status: "IN_QUEUE",
        queue_position: 7,
        status_url: format!("{response_url}/status"),
        response_url,
        cost: submit.input.len(),
    })
}

async fn status(Path(request_id): Path<Uuid>) -> Json<Status> {
    Json(Status { request_id, status: "IN_QUEUE", queue_position: 7 })
}
