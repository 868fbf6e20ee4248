//! The listener: it accepts connections, and limits what a client may use before it is authenticated.
//!
//! It speaks HTTP/1.1 only. A proxy that terminates TLS speaks it by default, and with one call at a time on a connection, each
//! limit below is one of connections. A client that sends or reads slowly holds one connection and nothing else, and loses it
//! when others need the connection slot.
//!
//! [`slots`] gives connections their slots, and closes one where none is free. [`connection`] knows which connections may be
//! closed. [`min_rate`] closes connections whose clients read too slowly. [`http1`] serves the calls of one connection.

mod connection;
mod http1;
mod min_rate;
mod reset;
mod slots;
mod stream;
#[cfg(test)]
mod tests;

use crate::metrics::Metrics;
use axum::Router;
use connection::Connection;
pub use reset::Reset;
use slots::{Candidates, Slots};
use std::sync::Arc;
use std::time::Duration;
pub use stream::Client;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The limits of a listener, for all its clients together and for each of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The number of regular connection slots. When all are taken, a new connection replaces one that waits for its client.
    pub(crate) connections: usize,
    /// The number of spare connection slots, for when all regular slots are taken. A health check is served in a spare slot. Any
    /// other call waits there for a regular slot.
    pub(crate) spare: usize,
    /// The most responses with a file at the same time. They need no key, so they must not take all connection slots.
    pub(crate) media: usize,
    /// How long the head of a call may take, counted from when the connection is ready for it. So an idle connection is closed
    /// after this time.
    pub(crate) head_timeout: Duration,
    /// The longest head, in bytes. A connection buffers up to twice as much.
    pub(crate) head_bytes_max: usize,
    /// How long a client may read nothing of its responses, in all. Bytes that it reads give time back, at
    /// `min_bytes_per_second`.
    pub(crate) stall_max: Duration,
    /// The slowest rate of a client that reads a response, in bytes per second.
    pub(crate) min_bytes_per_second: u32,
    /// How long the server waits for a client within a call before another connection may replace it.
    pub(crate) grace: Duration,
    /// How long a call in a spare slot waits for a regular slot before it is refused.
    pub(crate) slot_wait: Duration,
}

impl Limits {
    /// The limits of the API. The number of connections is above the number of SDK clients on a busy day, and fits into a
    /// gigabyte of memory and into the usual limit of open files. The times are many times those of slow mobile links, of which
    /// the slowest (GPRS) carry 4 KiB a second. The grace is longer than the retransmission of a lost packet takes. The wait for
    /// a slot is shorter than the ten seconds or more after which callers give up.
    pub(crate) const API: Self = Self {
        connections: 4_096,
        spare: 128,
        media: 1_024,
        head_timeout: Duration::from_secs(30),
        head_bytes_max: 16 * 1024,
        stall_max: Duration::from_secs(30),
        min_bytes_per_second: 4 * 1024,
        grace: Duration::from_secs(2),
        slot_wait: Duration::from_secs(5),
    };

    /// The limits of the administration, which serves a few commands, a scraper, an orchestrator's probes and the open pages of the dashboard.
    pub(crate) const ADMINISTRATION: Self = Self { connections: 320, spare: 8, ..Self::API };
}

/// How long the head of a call may still arrive once the server stops.
const LAST_HEAD: Duration = Duration::from_secs(1);

/// The pause after the system failed to accept a connection, as with too many open files. It is shorter if a connection ends.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The shortest time between two log events about failed accepts.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// The most unsent bytes of a response that the system buffers. By default it buffers megabytes, for each client that does not
/// read.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT_BYTES: u32 = 32 * 1024;

/// Serves connections until `stop`, and returns when the calls under way have their responses.
pub(crate) async fn serve(
    listener: Arc<TcpListener>,
    router: Router,
    limits: Limits,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) {
    limit_unsent(&listener);
    let slots = Arc::new(Slots::new(limits, metrics));
    let tasks = TaskTracker::new();
    let mut logged: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                if logged.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
                    tracing::warn!(%error, "cannot take a connection");
                    logged = Some(Instant::now());
                }
                slots.close_one(Candidates::All);
                let _ = tokio::time::timeout(ACCEPT_PAUSE, slots.one_ended()).await;
                continue;
            }
        };
        let slot = tokio::select! {
            () = stop.cancelled() => break,
            slot = slots.acquire() => slot,
        };
        let connection = Connection::new(&slots, peer.ip().into(), slot);
        tasks.spawn(http1::serve_connection(stream, router.clone(), connection, stop.clone()));
    }
    drop(listener);
    tasks.close();
    let mut wait = LAST_HEAD;
    while tokio::time::timeout(wait, tasks.wait()).await.is_err() {
        while slots.close_one(Candidates::All) {}
        wait = limits.grace;
    }
}

/// Makes the system buffer little of each response. A listener's connections inherit this option.
fn limit_unsent(listener: &TcpListener) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Err(error) = socket2::SockRef::from(listener).set_tcp_notsent_lowat(UNSENT_BYTES) {
        tracing::debug!(%error, "cannot limit how much of a response the system buffers");
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = listener;
}
