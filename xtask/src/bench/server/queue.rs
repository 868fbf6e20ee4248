//! A server whose queue only grows.

use super::calls::{self, Line, Paced, Request};
use super::child::{Child, MODEL};
use anyhow::{Context, Result};
use axum::body::Bytes;
use clipia_admin::types::{AccountOrder, KeyLimits, KeyOrder, Scopes};
use clipia_admin::{Administration, GRANT_MAX};
use clipia_queue::limits::IN_FLIGHT_MAX;
use futures_util::{StreamExt, TryStreamExt, stream};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde::Deserialize;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use uuid::Uuid;

/// The number of submits under way while the queue is filled.
const FILLING: usize = 128;

/// The number of submits of one key: as many as it may have in flight.
const EACH_KEY: usize = IN_FLIGHT_MAX as usize;

/// The largest number of measured submits, beside those that fill the queue.
const MEASURED_MAX: usize = 1_200_000;

/// The number of newest requests, whose statuses are polled again and again.
const POLLED: usize = 10_000;

/// The number of keys that are created at once.
const KEYS_AT_ONCE: usize = 32;

pub(super) struct Queue {
    // Ends before its directory does.
    child: Child,
    data: TempDir,
    /// The `xtask` that is the server.
    program: PathBuf,
    keys: Vec<String>,
    /// Every request in line.
    ids: RefCell<Vec<Uuid>>,
    random: RefCell<StdRng>,
}

#[derive(Deserialize)]
struct Submitted {
    request_id: Uuid,
}

/// A submit.
pub(super) fn submit(key: &str) -> Request {
    let body = r#"{"input": {"prompt": "a red fox in snow", "aspect_ratio": "16:9", "seed": 7}}"#;
    let idempotency = Uuid::new_v4().to_string();
    Request::post(key, &format!("/v1/models/{MODEL}"), &idempotency, Bytes::from_static(body.as_bytes()))
}

impl Queue {
    /// A queue with keys enough for `most` in line, and those that are measured.
    pub(super) async fn start(program: &Path, most: usize) -> Result<Self> {
        let data = tempfile::tempdir()?;
        let child = Child::queue(program, data.path())?;
        let administration = Administration::of(data.path())?;
        // Not the first account: a list of another commit's server may have another form.
        let account = administration.create_account(&AccountOrder { credits: GRANT_MAX }).await?;
        let count = (most + MEASURED_MAX).div_ceil(EACH_KEY);
        eprintln!("making {count} keys");
        let make = stream::iter(0..count).map(async |_| {
            let scopes = Scopes { generate: true };
            let order = KeyOrder {
                account_id: account.account_id.clone(),
                sandbox: false,
                scopes,
                limits: KeyLimits::default(),
            };
            anyhow::Ok(administration.create_key(&order).await?.key.reveal().to_owned())
        });
        let keys = make.buffer_unordered(KEYS_AT_ONCE).try_collect().await?;
        let random = StdRng::seed_from_u64(1).into();
        Ok(Self { child, data, program: program.to_owned(), keys, ids: RefCell::default(), random })
    }

    pub(super) fn queued(&self) -> usize {
        self.ids.borrow().len()
    }

    /// Submits until `most` requests are queued.
    pub(super) async fn fill(&self, most: usize) -> Result<()> {
        let start = self.queued();
        self.submit_while(FILLING, |number| start + number < most).await?;
        Ok(())
    }

    /// Submits for the time `slice`, `in_flight` at once.
    pub(super) async fn submits(&self, in_flight: usize, slice: Duration) -> Result<Paced> {
        let start = Instant::now();
        self.submit_while(in_flight, |_| start.elapsed() < slice).await
    }

    async fn submit_while(&self, in_flight: usize, more: impl Fn(usize) -> bool) -> Result<Paced> {
        let start = self.queued();
        let key =
            |number: usize| self.keys.get((start + number) / EACH_KEY).map_or("none is left", |key| key);
        let responded = |response: Bytes| {
            let Submitted { request_id } = serde_json::from_slice(&response)?;
            self.ids.borrow_mut().push(request_id);
            Ok(())
        };
        let request = |number| submit(key(number));
        calls::run(self.child.url(), in_flight, request, more, responded).await
    }

    /// Polls statuses for the time `slice`, `in_flight` at once.
    pub(super) async fn statuses(&self, in_flight: usize, slice: Duration) -> Result<Paced> {
        let request = |_| self.status_of_one(POLLED);
        calls::pace(self.child.url(), in_flight, slice, request).await
    }

    /// The median time to read a queue position, one call after the other.
    pub(super) async fn position(&self, count: usize) -> Result<Duration> {
        let mut line = Line::to(self.child.url()).await?;
        let mut took = Vec::new();
        for _ in 0..count {
            let (request, start) = (self.status_of_one(usize::MAX), Instant::now());
            line.call(request).await?;
            took.push(start.elapsed());
        }
        took.sort_unstable();
        took.get(count / 2).copied().context("nothing was asked")
    }

    /// A status call of any of the newest requests.
    fn status_of_one(&self, newest: usize) -> Request {
        let ids = self.ids.borrow();
        let ids = &ids[ids.len().saturating_sub(newest)..];
        let id = ids.choose(&mut *self.random.borrow_mut()).copied().unwrap_or_default();
        Request::get(&self.keys[0], &format!("/v1/requests/{id}/status"))
    }

    /// Its resident memory, in bytes.
    pub(super) fn memory(&mut self) -> Result<u64> {
        self.child.memory()
    }

    /// Stops and starts it; says how long the start took, and its memory then.
    pub(super) fn restart(self) -> Result<(Duration, u64)> {
        drop(self.child);
        let start = Instant::now();
        let mut child = Child::queue(&self.program, self.data.path())?;
        Ok((start.elapsed(), child.memory()?))
    }
}
