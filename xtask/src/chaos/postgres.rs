//! The stages of `cargo xtask chaos --postgres`: each has servers and a database of its own, and the checks at its end.

use super::books::{Books, Seen};
use super::cell::Stage;
use super::checks;
use super::client::{Caller, Canceler, Client};
use super::disturbance::{Disturbed, LATE_WRITES, SESSIONS_MAX};
use super::nodes::Nodes;
use super::place::fork;
use super::proxy::Proxy;
use super::receiver::{REFUSED, Receiver};
use super::workers::Workers;
use anyhow::Result;
use clipia_tests_postgres::{Database, Server};
use comfy_table::{CellAlignment, Table, presets};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The number of clients at once.
const CLIENTS: usize = 6;

/// The credits of the account: more than a stage can spend.
const CREDITS: u64 = 1_000_000_000;

/// The time before a disturbance, in which the pace without one is measured.
const BEFORE: Duration = Duration::from_secs(10);
const BEFORE_SHORT: Duration = Duration::from_secs(2);

/// The longest wait for the work to go on after a disturbance. The machine may be busy.
const GOES_ON_WITHIN: Duration = Duration::from_secs(60);

/// The pause between two looks at that.
const LOOK: Duration = Duration::from_millis(20);

pub(super) fn run(program: &Path, stages: &[Stage], seed: u64) -> Result<()> {
    let program = std::path::absolute(program)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    // What is acknowledged must be on the disk, as it is for users.
    let settings = ["fsync = on", &format!("max_connections = {SESSIONS_MAX}")];
    let Some(server) = Server::start(&settings) else {
        return Ok(());
    };
    eprintln!("the seed is {seed}");
    let (mut rows, mut kept) = (Vec::new(), Vec::new());
    for stage in stages {
        let directory = tempfile::tempdir()?;
        let database = server.database("template1");
        // A cell makes the same decisions when it runs alone.
        let random = StdRng::seed_from_u64(seed);
        let row = runtime.block_on(Row::of(&program, &server, &database, &directory, stage, random))?;
        if row.violations > 0 {
            kept.push(directory.keep());
        }
        eprintln!("{}: {} violations", row.name, row.violations);
        rows.push(row);
    }
    println!("{}", table(&rows));
    for directory in &kept {
        println!("the directory of the servers is kept: {}", directory.display());
    }
    // A server is ended before this process: its files are removed then.
    drop(server);
    if !kept.is_empty() {
        // The lines above must be the last; an error of `main` would print another.
        std::process::exit(1);
    }
    Ok(())
}

/// A row of the table: the figures of a stage.
struct Row {
    name: String,
    accepted: usize,
    /// Submits without a response, or with that of a server that cannot reach the database, and that were repeated.
    repeated: u64,
    completed: usize,
    failed: usize,
    canceled: usize,
    /// Attempts whose lease expired.
    lost: i64,
    /// Late writes of servers that ran in the end.
    stale: u64,
    /// Completed generations a second before the disturbance, and in it.
    before: f64,
    within: f64,
    /// From the end of the disturbance until everything had ended.
    settled: Duration,
    violations: usize,
}

impl Row {
    /// Runs a stage.
    async fn of(
        program: &Path,
        server: &Server,
        database: &Database,
        directory: &TempDir,
        stage: &Stage,
        mut random: StdRng,
    ) -> Result<Self> {
        let name = stage.cells.iter().map(|cell| cell.name()).collect::<Vec<_>>().join(", ");
        eprintln!("{name}");
        let proxy = Proxy::start(server.directory())?;
        let (mut nodes, secrets) =
            Nodes::start(program, directory.path(), &proxy, database.name(), CREDITS).await?;
        let mut workers = Workers::new(program, nodes.first_url(), directory.path());
        workers.start(&nodes.data()[0]).await?;
        let books = Arc::<Books>::default();
        // A delivery that was refused is attempted again half a minute later.
        let refused = if stage.short { 0.0 } else { REFUSED };
        let receiver =
            Receiver::listen(&secrets.webhook_secret, Arc::clone(&books), fork(&mut random), refused).await?;
        let caller = Caller::new(
            nodes.urls(),
            Arc::clone(&books),
            secrets.live_key.clone(),
            secrets.test_key.clone(),
        )?;
        let (stop, mut clients) = (watch::Sender::new(false), JoinSet::new());
        for _ in 0..CLIENTS {
            let canceler = Canceler { program: program.to_owned(), data: nodes.data() };
            let client = Client::new(caller.clone(), fork(&mut random), receiver.url.clone(), Some(canceler));
            clients.spawn(client.run(stop.subscribe()));
        }
        let started = micros();
        tokio::time::sleep(if stage.short { BEFORE_SHORT } else { BEFORE }).await;
        let disturbed = micros();
        for cell in &stage.cells {
            let (server, proxy, database_url) = (server, &proxy, database.url());
            let (nodes, books, caller, random) = (&mut nodes, &*books, &caller, &mut random);
            let mut all =
                Disturbed { server, database_url, proxy, nodes, books, caller, random, short: stage.short };
            all.by(*cell).await?;
        }
        let over = micros();
        goes_on(&books).await;
        stop.send_replace(true);
        clients.join_all().await;
        nodes.look(&books)?;
        workers.look(&books)?;
        let start = Instant::now();
        checks::settle(&books, &caller).await;
        let settled = start.elapsed();
        checks::compare(&books, &caller, CREDITS).await;
        checks::doctor(&books, program, &nodes.data()[0])?;
        for log in nodes.logs().chain([workers.log()]) {
            checks::read_log(&books, log, "panicked at");
        }
        let mut stale = 0;
        for node in 0..nodes.count() {
            stale += nodes.counter(node, LATE_WRITES).await?;
        }
        let completed_between = |from, to| {
            let query = format!(
                "SELECT count(*) FROM request WHERE phase = 'completed' AND NOT sandbox AND completed_at BETWEEN {from} AND {to}"
            );
            database.number(&query) as f64 / ((to - from) as f64 / 1e6)
        };
        let lost = database.number("SELECT count(*) FROM attempt WHERE ending = 'lost'");
        let (before, within) = (completed_between(started, disturbed), completed_between(disturbed, over));
        Ok(books.with(|seen| Self {
            name,
            accepted: seen.requests.len(),
            repeated: seen.figures.unanswered,
            completed: seen.ended("COMPLETED"),
            failed: seen.ended("FAILED"),
            canceled: seen.ended("CANCELED"),
            lost,
            stale,
            before,
            within,
            settled,
            violations: seen.violations.len(),
        }))
    }
}

/// Waits until a submit is accepted and a generation has ended. Records a violation if neither happens.
async fn goes_on(books: &Books) {
    let progress = |seen: &mut Seen| {
        let ended = seen.requests.values().filter(|known| known.ended.is_some());
        (seen.requests.len(), ended.count())
    };
    let ((accepted, ended), start) = (books.with(progress), Instant::now());
    loop {
        let (more_accepted, more_ended) = books.with(progress);
        if more_accepted > accepted && more_ended > ended {
            return;
        }
        if start.elapsed() > GOES_ON_WITHIN {
            let (submits, ends) = (more_accepted - accepted, more_ended - ended);
            let within = GOES_ON_WITHIN.as_secs();
            books.violation(format!(
                "{submits} submits accepted and {ends} generations ended in {within} s after it"
            ));
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The time of the clock that the database of this machine has, too.
fn micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header([
        "three nodes over PostgreSQL",
        "submits accepted",
        "unanswered, repeated",
        "completed",
        "failed",
        "canceled",
        "attempts lost",
        "late writes refused",
        "completed a second before",
        "within",
        "all ended after",
        "violations",
    ]);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for row in rows {
        table.add_row([
            row.name.clone(),
            row.accepted.to_string(),
            row.repeated.to_string(),
            row.completed.to_string(),
            row.failed.to_string(),
            row.canceled.to_string(),
            row.lost.to_string(),
            row.stale.to_string(),
            format!("{:.1}", row.before),
            format!("{:.1}", row.within),
            format!("{:.0} s", row.settled.as_secs_f64()),
            row.violations.to_string(),
        ]);
    }
    table
}
