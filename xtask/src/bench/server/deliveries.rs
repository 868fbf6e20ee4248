//! The pace of deliveries to a host that responds at once, alone and beside a host that never responds.

use super::calls::{self, Request};
use super::child::Child;
use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::json;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::watch;
use uuid::Uuid;

/// The number of deliveries to the fast host.
const FAST: usize = 10_000;

/// One delivery in so many goes to the dead host.
const DEAD_EVERY: usize = 20;

/// The number of submits at once.
const SUBMITTING: usize = 64;

/// The longest wait for all deliveries.
const WITHIN: Duration = Duration::from_secs(120);

/// Deliveries to the fast host in a second, while one in [`DEAD_EVERY`] goes to a dead one if `dead`.
///
/// The sandbox has each end at once. The host holds its first answers until all are submitted, so that only deliveries
/// are measured.
pub(super) async fn pace(program: &Path, dead: bool) -> Result<f64> {
    settle();
    let data = tempfile::tempdir()?;
    let child = Child::queue(program, data.path())?;
    let key = child.ready.test_key.clone().context("the server made no keys")?;
    let (gate, arrived) = (watch::Sender::new(false), Arc::new(AtomicUsize::new(0)));
    let host = fast_host(gate.subscribe(), Arc::clone(&arrived)).await?;
    let dead_host = dead_host().await?;
    let request = |number: usize| {
        let to_dead = dead && number.is_multiple_of(DEAD_EVERY);
        let webhook = if to_dead { &dead_host } else { &host };
        let body = json!({ "input": { "prompt": "fox" }, "webhook_url": webhook });
        let idempotency = Uuid::new_v4().to_string();
        Request::post(&key, "/v1/models/gemini-3-1-flash-tts", &idempotency, Bytes::from(body.to_string()))
    };
    let submits = if dead { FAST * DEAD_EVERY / (DEAD_EVERY - 1) } else { FAST };
    let due = if dead { submits - submits.div_ceil(DEAD_EVERY) } else { submits };
    calls::run(child.url(), SUBMITTING, request, |number| number < submits, |_| Ok(())).await?;
    let (before, start) = (arrived.load(Ordering::Relaxed), Instant::now());
    gate.send_replace(true);
    while arrived.load(Ordering::Relaxed) < due && start.elapsed() < WITHIN {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let delivered = arrived.load(Ordering::Relaxed) - before;
    if before + delivered < due {
        eprintln!(
            "{} of {due} deliveries have not arrived within {} s",
            due - before - delivered,
            WITHIN.as_secs()
        );
    }
    let pace = delivered as f64 / start.elapsed().as_secs_f64();
    child.kill()?;
    Ok(pace)
}

/// Waits until the disk has written everything, if the system has a program for that.
fn settle() {
    if let Err(error) = Command::new("sync").status() {
        eprintln!("the disk may still be busy with earlier writes: sync: {error}");
    }
}

/// Starts a host that responds to each delivery at once, when the gate is open.
async fn fast_host(gate: watch::Receiver<bool>, arrived: Arc<AtomicUsize>) -> Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}/clipia", listener.local_addr()?);
    let receive = async move |_: Bytes| {
        let mut gate = gate.clone();
        let _ = gate.wait_for(|open| *open).await;
        arrived.fetch_add(1, Ordering::Relaxed);
        StatusCode::OK
    };
    let app = Router::new().route("/clipia", post(receive));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(url)
}

/// Starts a host that accepts each connection and never responds. Its address differs from that of the fast host.
async fn dead_host() -> Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), 0)).await?;
    let url = format!("http://{}/clipia", listener.local_addr()?);
    tokio::spawn(async move {
        let mut taken = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            taken.push(stream);
        }
    });
    Ok(url)
}
