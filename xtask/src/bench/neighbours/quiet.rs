//! The quiet account: rounds of calls at a steady pace.

use crate::bench::server::calls::{Line, Request};
use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::post;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};
use uuid::Uuid;

/// The figures, in milliseconds: the time of each call, of a delivery since the end of its generation, and of a generation
/// since its submit.
pub(super) const KINDS: [&str; 7] =
    ["submit", "status", "result", "media", "account", "delivery", "generation"];

/// The one of [`KINDS`] that includes the wait for a worker. It has no target, since accounts do not share workers fairly.
pub(super) const WORKERS: usize = 6;

/// A cheap model.
const MODEL: &str = "/v1/models/gemini-3-1-flash-tts";

/// The time between the starts of two rounds.
const EVERY: Duration = Duration::from_millis(20);

/// The number of rounds before the measurement, in which the noise takes its places.
const UNMEASURED: u32 = 20;

/// The number of measured rounds.
const MEASURED: u32 = 250;

/// The longest wait for a delivery.
const WITHIN: Duration = Duration::from_secs(30);

/// The measured times of a turn, by kind.
pub(super) struct Samples(Vec<[f64; KINDS.len()]>);

impl Samples {
    /// The quantile `share` of a kind.
    pub(super) fn quantile(&self, kind: usize, share: f64) -> f64 {
        let mut all: Vec<f64> = self.0.iter().map(|round| round[kind]).collect();
        all.sort_unstable_by(f64::total_cmp);
        let rank = (share * all.len() as f64).ceil() as usize;
        all.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }
}

/// The rounds that wait for a delivery, by number.
type Awaited = Arc<Mutex<HashMap<u32, oneshot::Sender<Timestamp>>>>;

struct Quiet<'a> {
    url: &'a str,
    key: &'a str,
    receiver: String,
    awaited: Awaited,
}

#[derive(Deserialize)]
struct Submitted {
    request_id: Uuid,
}

#[derive(Deserialize)]
struct Ended {
    created_at: Timestamp,
    completed_at: Timestamp,
    output: Output,
}

#[derive(Deserialize)]
struct Output {
    audio: File,
}

#[derive(Deserialize)]
struct File {
    url: String,
}

/// Runs the rounds of a turn on the server at `url`. Each starts at its time, even if the one before has not ended.
pub(super) async fn turn(url: &str, key: &str) -> Result<Samples> {
    let awaited = Awaited::default();
    let receiver = receiver(Arc::clone(&awaited)).await?;
    let quiet = Quiet { url, key, receiver, awaited };
    let start = Instant::now();
    let rounds = (0..UNMEASURED + MEASURED).map(async |number| {
        sleep_until(start + number * EVERY).await;
        quiet.round(number).await
    });
    let mut all = try_join_all(rounds).await?;
    Ok(Samples(all.split_off(UNMEASURED as usize)))
}

impl Quiet<'_> {
    async fn round(&self, number: u32) -> Result<[f64; KINDS.len()]> {
        let (report, delivered) = oneshot::channel();
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner).insert(number, report);
        let webhook = format!("{}/{number}", self.receiver);
        let body = json!({ "input": { "prompt": "fox" }, "webhook_url": webhook }).to_string();
        let start = Instant::now();
        // A new connection, which needs a place on the server.
        let mut line = Line::to(self.url).await?;
        let submit = Request::post(self.key, MODEL, &Uuid::new_v4().to_string(), Bytes::from(body));
        let response = line.call(submit).await?;
        let submit = since(start);
        let Submitted { request_id } = serde_json::from_slice(&response)?;
        let (status, _) = self.get(&mut line, &format!("/v1/requests/{request_id}/status")).await?;
        let arrived = timeout(WITHIN, delivered).await;
        let arrived = arrived.context("a delivery to the quiet account has not arrived")??;
        let (result, response) = self.get(&mut line, &format!("/v1/requests/{request_id}")).await?;
        let Ended { created_at, completed_at, output } = serde_json::from_slice(&response)?;
        let path = output.audio.url.strip_prefix("http://localhost").context("media are elsewhere")?;
        let (media, _) = self.get(&mut line, path).await?;
        let (account, _) = self.get(&mut line, "/v1/account").await?;
        let between = |from: Timestamp, to: Timestamp| 1e3 * to.duration_since(from).as_secs_f64();
        let (delivery, generation) = (between(completed_at, arrived), between(created_at, completed_at));
        Ok([submit, status, result, media, account, delivery, generation])
    }

    async fn get(&self, line: &mut Line, path: &str) -> Result<(f64, Bytes)> {
        let start = Instant::now();
        let response = line.call(Request::get(self.key, path)).await?;
        Ok((since(start), response))
    }
}

fn since(start: Instant) -> f64 {
    1e3 * start.elapsed().as_secs_f64()
}

/// Starts a receiver that responds at once and reports the time of arrival to the waiting round. Returns its URL.
async fn receiver(awaited: Awaited) -> Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let receive = async move |Path(number): Path<u32>| {
        let waiting = awaited.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
        // No round waits for a repeated delivery.
        if let Some(waiting) = waiting {
            let _ = waiting.send(Timestamp::now());
        }
        StatusCode::OK
    };
    let app = Router::new().route("/{number}", post(receive));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(url)
}
