//! Calls over connections that stay open, with as little work in the client as possible.

use crate::bench::median::median as median_of;
use anyhow::{Context, Result, ensure};
use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::cell::Cell;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// A call to make.
pub(in crate::bench) struct Request(hyper::http::Result<hyper::Request<Full<Bytes>>>);

impl Request {
    pub(in crate::bench) fn get(key: &str, path: &str) -> Self {
        Self(Self::to("GET", key, path).body(Full::default()))
    }

    pub(in crate::bench) fn post(key: &str, path: &str, idempotency: &str, body: Bytes) -> Self {
        let request = Self::to("POST", key, path).header("idempotency-key", idempotency);
        Self(request.header("content-type", "application/json").body(Full::new(body)))
    }

    /// A submit without an idempotency key.
    pub(in crate::bench) fn submit(key: &str, path: &str, body: Bytes) -> Self {
        Self(Self::to("POST", key, path).header("content-type", "application/json").body(Full::new(body)))
    }

    fn to(method: &str, key: &str, path: &str) -> hyper::http::request::Builder {
        let request = hyper::Request::builder().method(method).uri(path).header("host", "localhost");
        request.header("authorization", format!("Bearer {key}"))
    }
}

/// One connection.
pub(in crate::bench) struct Line(SendRequest<Full<Bytes>>);

impl Line {
    pub(in crate::bench) async fn to(url: &str) -> Result<Self> {
        let stream = TcpStream::connect(url.strip_prefix("http://").context("not http")?).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    /// Makes a call and returns the body of the response, whose status must be 200.
    pub(in crate::bench) async fn call(&mut self, request: Request) -> Result<Bytes> {
        self.0.ready().await?;
        let (head, body) = self.0.send_request(request.0?).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        ensure!(
            head.status.is_success(),
            "got the response {}: {}",
            head.status,
            String::from_utf8_lossy(&body)
        );
        Ok(body)
    }
}

/// The pace of calls.
pub(in crate::bench) struct Paced {
    elapsed: Duration,
    /// The time of each call, sorted.
    latencies: Vec<Duration>,
}

impl Paced {
    pub(in crate::bench) fn each_second(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// The number of calls.
    pub(in crate::bench) fn count(&self) -> usize {
        self.latencies.len()
    }

    /// The quantile `share` of the times.
    pub(in crate::bench) fn quantile(&self, share: f64) -> Duration {
        let rank = (share * self.latencies.len() as f64).ceil() as usize;
        self.latencies.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }
}

/// The pace of calls that were made at the same time, or one after the other.
pub(in crate::bench) fn together(all: Vec<Paced>, elapsed: Duration) -> Paced {
    let mut latencies: Vec<Duration> = all.into_iter().flat_map(|paced| paced.latencies).collect();
    latencies.sort_unstable();
    Paced { elapsed, latencies }
}

/// Makes calls for the time `slice`, `in_flight` at once. `request` gets the number of the call.
pub(super) async fn pace(
    url: &str,
    in_flight: usize,
    slice: Duration,
    request: impl Fn(usize) -> Request,
) -> Result<Paced> {
    let start = Instant::now();
    run(url, in_flight, request, |_| start.elapsed() < slice, |_| Ok(())).await
}

/// Makes calls while `more` returns true, and passes each response to `responded`.
pub(in crate::bench) async fn run(
    url: &str,
    in_flight: usize,
    request: impl Fn(usize) -> Request,
    more: impl Fn(usize) -> bool,
    responded: impl Fn(Bytes) -> Result<()>,
) -> Result<Paced> {
    let next = Cell::new(0);
    let mut lines = Vec::new();
    for _ in 0..in_flight {
        lines.push(Line::to(url).await?);
    }
    let start = Instant::now();
    let lanes = lines.into_iter().map(async |mut line| {
        let mut latencies = Vec::new();
        while more(next.get()) {
            let number = next.replace(next.get() + 1);
            let sent = Instant::now();
            let response = line.call(request(number)).await?;
            latencies.push(sent.elapsed());
            responded(response)?;
        }
        anyhow::Ok(latencies)
    });
    let mut latencies = futures_util::future::try_join_all(lanes).await?.concat();
    let elapsed = start.elapsed();
    latencies.sort_unstable();
    Ok(Paced { elapsed, latencies })
}

/// The median of the ratios of `ours` to `theirs`, turn by turn.
pub(super) fn ratio(ours: &[Paced], theirs: &[Paced]) -> f64 {
    median_of(
        ours.iter().zip(theirs).map(|(ours, theirs)| ours.each_second() / theirs.each_second()).collect(),
    )
}

/// The one in the middle by pace.
pub(super) fn median(mut all: Vec<Paced>) -> Paced {
    all.sort_by(|a, b| a.each_second().total_cmp(&b.each_second()));
    all.swap_remove(all.len() / 2)
}
