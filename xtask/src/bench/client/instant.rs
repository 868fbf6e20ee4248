//! Servers that send the same response at once, on a thread of their own.
//!
//! They read each body to its end: hyper would close the connection otherwise.

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use clipia_queue::Moment;
use clipia_queue::limits::{REQUESTS_PER_MINUTE, RateLimit};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;
use tokio::net::TcpListener;

const SUBMITTED: &str = include_str!("../../../../spec/examples/SubmitResponse.queued.json");
const STATUS: &str = include_str!("../../../../spec/examples/StatusResponse.completed.json");
const RESULT: &str = include_str!("../../../../spec/examples/ResultResponse.image.json");
const RUNNING: &str = include_str!("../../../../spec/examples/ResultResponse.in_progress.json");
const REFUSED: &str = include_str!("../../../../spec/examples/ErrorEnvelope.rate_limit_exceeded.json");

/// A server that runs as long as the process.
pub(in crate::bench) struct Server {
    url: String,
}

impl Server {
    /// A server whose generations have all ended, and whose keys have no limit.
    pub(in crate::bench) fn instant() -> Result<Self> {
        let limit = Limit::new(0);
        let respond = |status, body| {
            let limit = limit.clone();
            async move |_: Bytes| limit.respond(status, body)
        };
        Self::start(
            Router::new()
                .route("/v1/models/{model}", post(respond(StatusCode::OK, SUBMITTED)))
                .route("/v1/requests/{id}/status", get(respond(StatusCode::OK, STATUS)))
                .route("/v1/requests/{id}", get(respond(StatusCode::OK, RESULT))),
        )
    }

    /// A server whose generations never end, and whose keys have the default limit.
    pub(in crate::bench) fn running() -> Result<Self> {
        let limit = Limit::new(REQUESTS_PER_MINUTE);
        Self::start(
            Router::new().fallback(async move |_: Bytes| limit.respond(StatusCode::ACCEPTED, RUNNING)),
        )
    }

    fn start(router: Router) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let url = format!("http://{}", listener.local_addr()?);
        thread::Builder::new().name("server".to_owned()).spawn(move || {
            let listener = listener.tap_io(|stream| {
                let _ = stream.set_nodelay(true);
            });
            runtime.block_on(async { axum::serve(listener, router).await })
        })?;
        Ok(Self { url })
    }

    pub(in crate::bench) fn url(&self) -> &str {
        &self.url
    }
}

/// The rate limit of the one key.
#[derive(Clone)]
struct Limit {
    limit: RateLimit,
    start: Instant,
    arrival: Arc<Mutex<Moment>>,
}

impl Limit {
    fn new(per_minute: u32) -> Self {
        Self { limit: RateLimit::per_minute(per_minute), start: Instant::now(), arrival: Arc::default() }
    }

    /// The response with this body, or a 429. Its headers have the budget.
    fn respond(&self, status: StatusCode, body: &'static str) -> Response {
        let now = Moment::default() + self.start.elapsed();
        let mut arrival = self.arrival.lock().unwrap_or_else(PoisonError::into_inner);
        let decision = self.limit.decide(*arrival, now);
        *arrival = decision.arrival;
        let seconds = |duration: std::time::Duration| duration.as_secs_f64().ceil() as u64;
        let mut headers = HeaderMap::from_iter([
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (HeaderName::from_static("ratelimit-limit"), decision.budget.limit.into()),
            (HeaderName::from_static("ratelimit-remaining"), decision.budget.remaining.into()),
            (HeaderName::from_static("ratelimit-reset"), seconds(decision.budget.reset).into()),
        ]);
        match decision.refused_for {
            None => (status, headers, body).into_response(),
            Some(wait) => {
                headers.insert(header::RETRY_AFTER, seconds(wait).into());
                (StatusCode::TOO_MANY_REQUESTS, headers, REFUSED).into_response()
            }
        }
    }
}
