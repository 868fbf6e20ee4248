//! The disturbances of the cells.

use super::books::Books;
use super::cell::Cell;
use super::client::Caller;
use super::nodes::Nodes;
use super::proxy::Proxy;
use anyhow::{Context, Result};
use clipia_tests_postgres::{Server, Stop};
use rand::RngExt;
use rand::rngs::StdRng;
use std::time::{Duration, Instant};
use tokio_postgres::{Client, NoTls};

/// The time in which a killed or paused server loses its leases, and others take over.
const LEASES_LOST: Duration = Duration::from_secs(40);

/// The time in which a server that goes on writes what is too late.
const LATE: Duration = Duration::from_secs(10);

/// The mean delay of a round trip to a slow database, and how long it is slow.
const SLOW_BY: Duration = Duration::from_millis(200);
const SLOW_FOR: Duration = Duration::from_secs(60);

/// How long a snapshot is kept open.
const PINNED_FOR: Duration = Duration::from_secs(120);

/// How long no session is to be had: longer than a command waits for one.
const EXHAUSTED_FOR: Duration = Duration::from_secs(9);

/// The most sessions that the database takes.
pub(super) const SESSIONS_MAX: usize = 80;

/// The number of generations of seconds that a server may have when it is paused.
const LONG_ONES: usize = 12;

/// The counter of a server's writes that came too late: their lease had expired, or their request was canceled.
pub(super) const LATE_WRITES: &str = "clipia_stale_writes_refused_total";

/// What a disturbance acts on.
pub(super) struct Disturbed<'a> {
    pub(super) server: &'a Server,
    /// The database of the servers, reached without the proxy.
    pub(super) database_url: String,
    pub(super) proxy: &'a Proxy,
    pub(super) nodes: &'a mut Nodes,
    pub(super) books: &'a Books,
    pub(super) caller: &'a Caller,
    pub(super) random: &'a mut StdRng,
    pub(super) short: bool,
}

impl Disturbed<'_> {
    /// Causes a disturbance. It is over when this returns.
    pub(super) async fn by(&mut self, cell: Cell) -> Result<()> {
        match cell {
            Cell::Restarted => self.restart().await,
            Cell::Terminated => self.terminate().await,
            Cell::Exhausted => self.exhaust().await,
            Cell::Killed => self.kill().await,
            Cell::KilledAgain => self.kill_again().await,
            Cell::Paused => self.pause().await,
            Cell::Slow => {
                self.proxy.delay(SLOW_BY);
                tokio::time::sleep(SLOW_FOR).await;
                self.proxy.delay(Duration::ZERO);
                Ok(())
            }
            Cell::Pinned => {
                let session = self.session().await?;
                let pin = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM account";
                session.batch_execute(pin).await?;
                tokio::time::sleep(PINNED_FOR).await;
                Ok(session.batch_execute("COMMIT").await?)
            }
        }
    }

    async fn restart(&mut self) -> Result<()> {
        for _ in 0..if self.short { 1 } else { 4 } {
            let server = self.server.clone();
            tokio::task::spawn_blocking(move || server.restart(Stop::Immediate)).await?;
            self.rest(3_000).await;
        }
        Ok(())
    }

    async fn terminate(&mut self) -> Result<()> {
        let session = self.session().await?;
        for _ in 0..if self.short { 3 } else { 12 } {
            terminate(&session).await?;
            self.rest(2_000).await;
        }
        Ok(())
    }

    async fn exhaust(&mut self) -> Result<()> {
        let locking = self.session().await?;
        // Every submit and every end locks a row of it first, so nobody waits for this session with what it waits for.
        locking.batch_execute("BEGIN; LOCK TABLE account IN ACCESS EXCLUSIVE MODE").await?;
        tokio::time::sleep(EXHAUSTED_FOR).await;
        locking.batch_execute("ROLLBACK").await?;
        self.rest(3_000).await;
        // A session that was terminated makes room for one of ours, or for one more of the servers.
        let (start, mut ours) = (Instant::now(), Vec::new());
        while start.elapsed() < EXHAUSTED_FOR {
            while let Ok(session) = self.session().await {
                ours.push(session);
            }
            terminate(&locking).await?;
        }
        Ok(())
    }

    async fn kill(&mut self) -> Result<()> {
        let killed = self.nodes.draw(self.random);
        self.nodes.kill(killed, self.books).await;
        if !self.short {
            tokio::time::sleep(LEASES_LOST).await;
        }
        self.nodes.start_all().await
    }

    async fn kill_again(&mut self) -> Result<()> {
        for round in 0..15 {
            // Every fifth time nothing is left.
            let killed = match round % 5 {
                4 => (0..self.nodes.count()).collect(),
                _ => vec![self.nodes.draw(self.random)],
            };
            for node in killed {
                self.nodes.kill(node, self.books).await;
            }
            self.rest(1_000).await;
            self.nodes.start_all().await?;
            self.rest(2_000).await;
        }
        Ok(())
    }

    async fn pause(&mut self) -> Result<()> {
        for _ in 0..LONG_ONES {
            self.caller.submit_long().await.context("a long generation was refused")?;
        }
        let paused = self.nodes.draw(self.random);
        let before = self.nodes.counter(paused, LATE_WRITES).await?;
        self.nodes.pause(paused, LEASES_LOST).await?;
        let start = Instant::now();
        while start.elapsed() < LATE {
            if self.nodes.counter(paused, LATE_WRITES).await? > before {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.books
            .violation("a server went on after its leases, and nothing that it wrote was refused".into());
        Ok(())
    }

    /// A session of the database that does not belong to a server.
    async fn session(&self) -> Result<Client> {
        let (client, connection) = tokio_postgres::connect(&self.database_url, NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    async fn rest(&mut self, most: u64) {
        tokio::time::sleep(Duration::from_millis(self.random.random_range(most / 2..most))).await;
    }
}

/// Terminates the sessions of all servers.
async fn terminate(session: &Client) -> Result<()> {
    let terminate =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'clipia'";
    Ok(session.batch_execute(terminate).await?)
}
