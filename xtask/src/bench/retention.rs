//! `cargo xtask bench retention`: the size of a server whose retention times are some seconds.
//!
//! Each generation is a real one, with a file. While generations run, samples measure the database, its log and the media
//! directory, time calls, and run the doctor. The sizes and times must reach a plateau.

use super::server::calls::{Line, Request};
use super::target::Targets;
use crate::serve::{self, Serving};
use anyhow::{Context, Result};
use axum::body::Bytes;
use clipia_admin::Administration;
use clipia_admin::types::{KeyLimits, KeyOrder, Scopes};
use comfy_table::{CellAlignment, Table, presets};
use serde::Deserialize;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The retention time.
const KEEP: &str = "5s";

/// The number of generations under way at once.
const UNDER_WAY: usize = 16;

/// The number of samples.
const SAMPLES: usize = 20;

/// The number of calls that a sample times.
const CALLS: usize = 300;

/// The largest growth from the first half of the samples to the second, in bytes and in time.
const GROWTH_MAX: f64 = 1.25;

/// A cheap model.
const MODEL: &str = "/v1/models/gemini-3-1-flash-tts";

/// A figure of a sample that has a target.
type Figure = fn(&Sample) -> f64;

/// The figures of the server at one moment.
struct Sample {
    at: Duration,
    made: usize,
    database: u64,
    log: u64,
    media: u64,
    requests: u64,
    movements: u64,
    p50: Duration,
    p99: Duration,
}

#[derive(Deserialize)]
struct Submitted {
    request_id: Uuid,
}

#[derive(Deserialize)]
struct Status {
    status: String,
}

pub(super) fn run(generations: usize) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let samples = runtime.block_on(measure(generations))?;
    let mut table = Table::new();
    let header = [
        "s",
        "generations",
        "database MB",
        "log MB",
        "media MB",
        "requests",
        "movements",
        "status p50 ms",
        "p99",
    ];
    table.load_style(presets::ASCII_MARKDOWN).set_header(header);
    table.column_iter_mut().for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    let mb = |bytes: u64| format!("{:.2}", bytes as f64 / 1e6);
    let ms = |time: Duration| format!("{:.2}", 1e3 * time.as_secs_f64());
    for sample in &samples {
        table.add_row([
            sample.at.as_secs().to_string(),
            sample.made.to_string(),
            mb(sample.database),
            mb(sample.log),
            mb(sample.media),
            sample.requests.to_string(),
            sample.movements.to_string(),
            ms(sample.p50),
            ms(sample.p99),
        ]);
    }
    println!("{table}");
    println!("the retention time is {KEEP}; the doctor found no fault at any line");
    let mut targets = Targets::default();
    let (first, second) = samples.split_at(samples.len() / 2);
    let most = |of: &[Sample], what: Figure| of.iter().map(what).fold(0.0, f64::max);
    let of: [(&str, Figure); 4] = [
        ("the database", |sample| sample.database as f64),
        ("the directory of media", |sample| sample.media as f64),
        ("the number of requests", |sample| sample.requests as f64),
        ("the median of a status call", |sample| sample.p50.as_secs_f64()),
    ];
    for (name, what) in of {
        let growth = most(second, what) / most(first, what);
        targets.hold(growth <= GROWTH_MAX, || {
            format!("{name} is {growth:.2} of its first half; the target is {GROWTH_MAX}")
        });
    }
    targets.report();
    Ok(())
}

async fn measure(generations: usize) -> Result<Vec<Sample>> {
    let data = tempfile::tempdir()?;
    let mut command = serve::command(&super::program()?, data.path());
    command.args(["--keep-requests", KEEP, "--credits", "1000000000"]).stderr(Stdio::null());
    let server = Serving::spawn(command)?;
    let url = server.ready()?.url;
    let administration = Administration::of(data.path())?;
    let account = administration.accounts().await?.pop().context("there is no account")?;
    let order = KeyOrder {
        account_id: account.account_id,
        sandbox: false,
        scopes: Scopes { generate: true },
        limits: KeyLimits { in_flight_max: Some(0), ..KeyLimits::default() },
    };
    let key: Arc<str> = administration.create_key(&order).await?.key.reveal().into();
    let (begun, made, start) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Instant::now());
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..UNDER_WAY {
        let (url, key, begun, made) = (url.clone(), Arc::clone(&key), Arc::clone(&begun), Arc::clone(&made));
        callers.spawn(async move {
            let mut line = Line::to(&url).await?;
            while begun.fetch_add(1, Ordering::Relaxed) < generations {
                generate(&mut line, &key).await?;
                made.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        });
    }
    let mut samples = Vec::new();
    let mut line = Line::to(&url).await?;
    for number in 1..=SAMPLES {
        while made.load(Ordering::Relaxed) < number * generations / SAMPLES {
            if let Some(ended) = callers.try_join_next() {
                ended??;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let mut sample = look(&mut line, &key, data.path(), &administration).await?;
        (sample.at, sample.made) = (start.elapsed(), made.load(Ordering::Relaxed));
        eprintln!("{} generations", sample.made);
        samples.push(sample);
    }
    while let Some(ended) = callers.join_next().await {
        ended??;
    }
    Ok(samples)
}

/// Submits a generation, and waits for its end.
async fn generate(line: &mut Line, key: &str) -> Result<()> {
    let status = submit(line, key).await?;
    loop {
        let response = line.call(Request::get(key, &status)).await?;
        let Status { status } = serde_json::from_slice(&response)?;
        match status.as_str() {
            "COMPLETED" => return Ok(()),
            "IN_QUEUE" | "IN_PROGRESS" => tokio::time::sleep(Duration::from_millis(5)).await,
            other => anyhow::bail!("a generation ended as {other}"),
        }
    }
}

/// Submits a generation, and returns the path of its status.
async fn submit(line: &mut Line, key: &str) -> Result<String> {
    // The submit has no idempotency key, which would keep the request for a day.
    let body = Bytes::from_static(br#"{"input": {"prompt": "fox"}}"#);
    let response = line.call(Request::submit(key, MODEL, body)).await?;
    let Submitted { request_id } = serde_json::from_slice(&response)?;
    Ok(format!("/v1/requests/{request_id}/status"))
}

async fn look(line: &mut Line, key: &str, data: &Path, administration: &Administration) -> Result<Sample> {
    let findings = administration.examine().await?;
    anyhow::ensure!(findings.violation.is_none(), "{:?}", findings.violation);
    let status = submit(line, key).await?;
    let mut took = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let start = Instant::now();
        line.call(Request::get(key, &status)).await?;
        took.push(start.elapsed());
    }
    took.sort_unstable();
    let bytes = |name: &str| std::fs::metadata(data.join(name)).map_or(0, |file| file.len());
    Ok(Sample {
        at: Duration::ZERO,
        made: 0,
        database: bytes("clipia.db"),
        log: bytes("clipia.db-wal"),
        media: size(&data.join("media")),
        requests: findings.checked.requests,
        movements: findings.checked.movements,
        p50: took[CALLS / 2],
        p99: took[CALLS * 99 / 100],
    })
}

/// The bytes of all files below a directory. A file that is removed meanwhile counts as empty.
fn size(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => size(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
