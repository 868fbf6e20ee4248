//! Takes connections, and holds what a client may take of the server before anybody knows who it is.
//!
//! HTTP/1.1 only: each bound below is a connection's, and a proxy that takes the TLS off speaks it by default. A client that
//! sends or reads slowly holds one connection and nothing else, and loses it when others need the room.
//!
//! [`places`] says which connection has a place and which is closed for another, [`standing`] whether a connection may be
//! closed, [`pace`] how slowly a client may read, and [`speak`] answers calls.

mod pace;
mod places;
mod speak;
mod standing;
#[cfg(test)]
mod tests;

use crate::metrics::Metrics;
use axum::Router;
use places::{Among, Places};
use standing::Slot;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What the clients of a listener may take together, and each of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Connections at the same time. Where there are so many, one whose client is waited for makes room for a new one.
    pub(crate) connections: usize,
    /// Connections besides, for the time that all places are taken. A call for the server's health is answered there; any
    /// other waits for a place.
    pub(crate) spare: usize,
    /// Answers with a file at the same time. No key is needed for them, so they never take all places.
    pub(crate) media: usize,
    /// How long the head of a request may take from the moment the connection is free for it. So it is also how long a
    /// connection is kept that nothing is asked on.
    pub(crate) head: Duration,
    /// The longest head, in bytes. A connection holds up to twice as much.
    pub(crate) head_bytes: usize,
    /// How long a client may take nothing of an answer, in all: what it takes gives time back, at `pace`.
    pub(crate) stall: Duration,
    /// The bytes of an answer that are worth a second of `stall`: the least pace of a client.
    pub(crate) pace: u32,
    /// How long a client is waited for within a call before its connection makes room for another.
    pub(crate) grace: Duration,
    /// How long a call waits for a place before it is refused.
    pub(crate) seek: Duration,
}

impl Bounds {
    /// Of the API: more than the SDK's clients of a busy day, less than what a gigabyte and a common limit of open files
    /// hold. The times are those of slow mobile links, many times over: the slowest of them (GPRS) bring 4 KiB a second. The
    /// grace is longer than a lost packet takes to be sent again. Callers give up after ten seconds and more.
    pub(crate) const API: Self = Self {
        connections: 4_096,
        spare: 128,
        media: 1_024,
        head: Duration::from_secs(30),
        head_bytes: 16 * 1024,
        stall: Duration::from_secs(30),
        pace: 4 * 1024,
        grace: Duration::from_secs(2),
        seek: Duration::from_secs(5),
    };

    /// Of the administration: a few commands, a scraper and an orchestrator's probes.
    pub(crate) const ADMINISTRATION: Self = Self { connections: 64, spare: 8, ..Self::API };
}

/// How long a head may still arrive once the server stops.
const LAST_HEAD: Duration = Duration::from_secs(1);

/// The pause where the system gives no connection, as when too many files are open, and none of ours ends before.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often a failing system is written of in the log.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(1);

/// How much of an answer the system keeps that it cannot send yet, in bytes, where it can be told: megabytes unless told, for
/// each client that does not read.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT_BYTES: u32 = 32 * 1024;

/// Serves until `stop`; the calls under way are answered first.
pub(crate) async fn serve(
    listener: Arc<TcpListener>,
    router: Router,
    bounds: Bounds,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) {
    keep_little(&listener);
    let places = Arc::new(Places::new(bounds, metrics));
    let tasks = TaskTracker::new();
    let mut complained: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                if complained.is_none_or(|at| at.elapsed() >= COMPLAINT_INTERVAL) {
                    tracing::warn!(%error, "cannot take a connection");
                    complained = Some(Instant::now());
                }
                places.close_one(Among::All);
                let _ = tokio::time::timeout(ACCEPT_PAUSE, places.closed()).await;
                continue;
            }
        };
        let place = tokio::select! {
            () = stop.cancelled() => break,
            place = places.place() => place,
        };
        let slot = Slot::new(&places, peer.ip().into(), place);
        tasks.spawn(speak::speak(stream, router.clone(), slot, stop.clone()));
    }
    drop(listener);
    tasks.close();
    let mut wait = LAST_HEAD;
    while tokio::time::timeout(wait, tasks.wait()).await.is_err() {
        while places.close_one(Among::All) {}
        wait = bounds.grace;
    }
}

/// Has the system keep little of each answer that is not read. The connections of a listener are made as it is.
fn keep_little(listener: &TcpListener) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Err(error) = socket2::SockRef::from(listener).set_tcp_notsent_lowat(UNSENT_BYTES) {
        tracing::debug!(%error, "the system keeps as much of an answer as it likes");
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = listener;
}
