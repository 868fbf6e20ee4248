//! Nodes over a database, and the calls that load them.
//!
//! Calls go over HTTP, as those of users do: the nodes and the database share the cores with HTTP, and a pace of the store alone would
//! promise more than users get.

use super::unbatched;
use crate::bench::server::calls::{self, Line, Paced, Request};
use crate::bench::server::child::{Child, INSTANT, MODEL, Part};
use anyhow::{Context, Result};
use axum::body::Bytes;
use clipia_admin::types::{AccountOrder, KeyLimits, KeyOrder, Scopes};
use clipia_admin::{Administration, GRANT_MAX};
use clipia_store_postgres::{Address, migrate};
use clipia_tests_postgres::{Database, Server};
use rand::seq::IndexedRandom;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

/// The pause between two looks whether everything has ended.
const LOOK: Duration = Duration::from_millis(5);

/// The longest wait for that.
const ENDED_WITHIN: Duration = Duration::from_secs(120);

/// A database with a store, and what its nodes need.
pub(super) struct Shared {
    pub(super) database: Database,
    /// A session for questions beside the nodes.
    session: Client,
    data: Vec<TempDir>,
    key: String,
}

impl Shared {
    /// A database for at most `nodes` nodes.
    pub(super) async fn new(server: &Server, nodes: usize) -> Result<Self> {
        let database = server.database("template1");
        migrate(&Address::new(&database.url())?).await?;
        unbatched::prepare(&database);
        let data = std::iter::repeat_with(tempfile::tempdir).take(nodes).collect::<std::io::Result<_>>()?;
        let session = session(&database).await?;
        let mut shared = Self { database, session, data, key: String::new() };
        let node = shared.start(1)?;
        let administration = Administration::of(shared.data[0].path())?;
        let account = administration.create_account(&AccountOrder { credits: GRANT_MAX }).await?;
        let limits = KeyLimits { in_flight_max: Some(0), ..KeyLimits::default() };
        let order = KeyOrder {
            account_id: account.account_id,
            sandbox: false,
            scopes: Scopes { generate: true },
            limits,
        };
        shared.key = administration.create_key(&order).await?.key.reveal().to_owned();
        drop(node);
        Ok(shared)
    }

    /// Starts nodes.
    pub(super) fn start(&self, nodes: usize) -> Result<Vec<Child>> {
        let program = std::env::current_exe()?;
        let start = |data: &TempDir| {
            let (data, database_url) = (PathBuf::from(data.path()), self.database.url());
            Child::start(&program, &Part::Node { data, database_url })
        };
        self.data.iter().take(nodes).map(start).collect()
    }

    /// Submits to a queue that only grows, for the time `slice`, `in_flight` at once over all nodes.
    pub(super) async fn submits(&self, nodes: &[Child], in_flight: usize, slice: Duration) -> Result<Paced> {
        let start = Instant::now();
        self.submit_while(nodes, MODEL, in_flight, |_| start.elapsed() < slice).await
    }

    /// Submits so many to a queue that only grows.
    pub(super) async fn fill(&self, nodes: &[Child], in_flight: usize, count: usize) -> Result<()> {
        let each = count / nodes.len();
        self.submit_while(nodes, MODEL, in_flight, |number| number < each).await?;
        Ok(())
    }

    /// Submits `count` generations that do nothing. Returns how many were completed a second, from the first submit to the last end.
    pub(super) async fn generations(&self, nodes: &[Child], in_flight: usize, count: usize) -> Result<f64> {
        let (start, each) = (Instant::now(), count / nodes.len());
        let paced = self.submit_while(nodes, INSTANT, in_flight, |number| number < each).await?;
        let open = format!(
            "SELECT EXISTS (SELECT FROM queue_item WHERE queue = '{INSTANT}') OR EXISTS (SELECT FROM lease)"
        );
        while self.session.query_one(&open, &[]).await?.get(0) {
            anyhow::ensure!(start.elapsed() < ENDED_WITHIN, "the generations do not end");
            tokio::time::sleep(LOOK).await;
        }
        Ok(paced.count() as f64 / start.elapsed().as_secs_f64())
    }

    /// Submits at all nodes at the same time, while `more` returns true for the number of a node's submit.
    async fn submit_while(
        &self,
        nodes: &[Child],
        model: &str,
        in_flight: usize,
        more: impl Fn(usize) -> bool,
    ) -> Result<Paced> {
        let path = format!("/v1/models/{model}");
        let body = Bytes::from_static(br#"{"input": {"prompt": "a red fox in snow"}}"#);
        let request = |_| Request::post(&self.key, &path, &Uuid::new_v4().to_string(), body.clone());
        let start = Instant::now();
        let of_nodes = nodes
            .iter()
            .map(|node| calls::run(node.url(), in_flight / nodes.len(), request, &more, |_| Ok(())));
        let paced = futures_util::future::try_join_all(of_nodes).await?;
        Ok(calls::together(paced, start.elapsed()))
    }

    /// Lets so many requests wait that there are `count`, by a statement: submits would take minutes. They have no content and no
    /// movement, which no position depends on.
    pub(super) async fn let_wait(&self, count: usize) -> Result<()> {
        let fill = format!(
            "WITH first AS MATERIALIZED (
                SELECT r.*, t.tail FROM request r JOIN queue_item i ON i.request = r.id,
                    (SELECT max(ticket) AS tail FROM request WHERE queue = '{MODEL}') t
                WHERE r.queue = '{MODEL}' ORDER BY r.ticket LIMIT 1),
             added AS (
                INSERT INTO request (id, account, api_key, sandbox, model, queue, phase, epoch, rescues, ticket, attempt_max,
                    elsewhere, progress, cost, base_url, created_at, named)
                SELECT bench_id((random() * 1152921504606846975)::bigint), account, api_key, sandbox, model, queue, phase, epoch,
                    rescues, tail + n, attempt_max, elsewhere, progress, cost, base_url, created_at, FALSE
                FROM first, generate_series(1, {count} - (SELECT count(*) FROM queue_item WHERE queue = '{MODEL}')) n
                RETURNING id, queue, ticket, account)
             INSERT INTO queue_item (queue, lane, ticket, account, request) SELECT queue, 1, ticket, account, id FROM added"
        );
        self.session.batch_execute(&fill).await?;
        // As autovacuum would.
        self.session.batch_execute("VACUUM ANALYZE request").await?;
        Ok(self.session.batch_execute("VACUUM ANALYZE queue_item").await?)
    }

    /// The times to read a queue position, one call after the other.
    pub(super) async fn positions(&self, node: &Child, count: usize) -> Result<Paced> {
        let some = format!("SELECT id FROM request WHERE queue = '{MODEL}' LIMIT 100000");
        let ids: Vec<Uuid> = self.session.query(&some, &[]).await?.iter().map(|row| row.get(0)).collect();
        let request = |_| {
            let id = ids.choose(&mut rand::rng()).copied().unwrap_or_default();
            Request::get(&self.key, &format!("/v1/requests/{id}/status"))
        };
        // The first call reads what later ones find.
        Line::to(node.url()).await?.call(request(0)).await.context("a status call")?;
        calls::run(node.url(), 1, request, |number| number < count, |_| Ok(())).await
    }
}

/// Holds a snapshot open: what is dead from now on is not removed, until the session ends.
pub(super) async fn pin(database: &Database) -> Result<Client> {
    let session = session(database).await?;
    session.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM account").await?;
    Ok(session)
}

async fn session(database: &Database) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(&database.url(), NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
