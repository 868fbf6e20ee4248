//! `cargo xtask bench postgres`: the pace of one to three nodes over a PostgreSQL, beside pgbench with the transaction of one submit, and
//! all of it while a long transaction pins the horizon.
//!
//! Each node is a process of its own, and all share one machine with the database. What is committed is on the disk.

mod nodes;
mod unbatched;

use super::median::{median, median_ratio};
use super::report::Report;
use super::server::calls::{Paced, together};
use super::server::each_second;
use anyhow::{Context, Result};
use clipia_tests_postgres::Server;
use nodes::{Shared, pin};
use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};
use tokio_postgres::Client;

/// The most nodes.
const NODES: usize = 3;

/// The number of submits under way at once, over all nodes, and the number of pgbench's clients. Each of two nodes has as many as share a
/// transaction, as one node has.
const IN_FLIGHT: usize = 128;

/// The number of turns. Both databases take turns, so that noise of the machine affects both. A figure is the median of the turns; a
/// ratio, the median of the turns' ratios.
const TURNS: usize = 3;
const SLICE: Duration = Duration::from_secs(2);

/// The number of generations of a turn.
const GENERATIONS: usize = 1_500;

/// The requests that wait when positions are read.
const FEW: usize = 1_000;
const MANY: usize = 1_000_000;

/// The number of positions that are read.
const POSITIONS: usize = 3_000;

/// The number of flushes that are timed.
const FLUSHES: usize = 200;

/// The least pace of submits, in multiples of pgbench's.
const SUBMITS_MIN: f64 = 2.0;

/// The least pace under a pinned horizon, as a share of the free one.
const PINNED_MIN: f64 = 0.8;

/// The least pace of two nodes, in multiples of one node's.
const TWO_MIN: f64 = 1.0;

/// The longest time to read a position where many wait, in multiples of that where few do.
const POSITION_MAX: f64 = 1.5;

/// The paces of a database, turn by turn.
struct Side {
    shared: Shared,
    /// The session that pins the horizon.
    _pin: Option<Client>,
    unbatched: Vec<f64>,
    /// By the number of nodes less one.
    submits: [Vec<Paced>; NODES],
    generations: [Vec<f64>; NODES],
}

impl Side {
    async fn new(server: &Server, pinned: bool) -> Result<Self> {
        let shared = Shared::new(server, NODES).await?;
        let pin = if pinned { Some(pin(&shared.database).await?) } else { None };
        let (submits, generations) = Default::default();
        Ok(Self { shared, _pin: pin, unbatched: Vec::new(), submits, generations })
    }

    async fn turn(&mut self, server: &Server) -> Result<()> {
        self.unbatched.push(unbatched::pace(server, &self.shared.database, IN_FLIGHT, SLICE)?);
        for count in 1..=NODES {
            let nodes = self.shared.start(count)?;
            self.submits[count - 1].push(self.shared.submits(&nodes, IN_FLIGHT, SLICE).await?);
            let generations = self.shared.generations(&nodes, IN_FLIGHT, GENERATIONS).await?;
            self.generations[count - 1].push(generations);
        }
        Ok(())
    }

    fn submits(&self, nodes: usize) -> Vec<f64> {
        self.submits[nodes - 1].iter().map(Paced::each_second).collect()
    }
}

pub(super) fn run() -> Result<()> {
    // The database has room for a million requests, and no checkpoint is forced by the size of the log.
    let settings = ["fsync = on", "shared_buffers = 512MB", "max_wal_size = 4GB"];
    let server = Server::start(&settings).context("there is nothing to measure")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut report = Report::of("free", "pinned");
    report.row("a flush of the disk: p50", ms(flush()?), "", None);
    runtime.block_on(measure(&server, &mut report))?;
    // The targets may end this process, and the server's files are removed before.
    drop(server);
    report.print();
    Ok(())
}

async fn measure(server: &Server, report: &mut Report) -> Result<()> {
    let (mut free, mut pinned) = (Side::new(server, false).await?, Side::new(server, true).await?);
    for turn in 1..=TURNS {
        eprintln!("turn {turn} of {TURNS}");
        free.turn(server).await?;
        pinned.turn(server).await?;
    }
    report.paces(free, pinned);
    // What follows takes minutes.
    eprintln!("{report}");
    eprintln!("positions");
    let deep = Shared::new(server, 1).await?;
    let [node] = &deep.start(1)?[..] else { anyhow::bail!("there is no node") };
    deep.fill(std::slice::from_ref(node), IN_FLIGHT, FEW).await?;
    let few = deep.positions(node, POSITIONS).await?;
    let submits_few = deep.submits(std::slice::from_ref(node), IN_FLIGHT, SLICE).await?;
    deep.let_wait(MANY).await?;
    let many = deep.positions(node, POSITIONS).await?;
    let submits_many = deep.submits(std::slice::from_ref(node), IN_FLIGHT, SLICE).await?;
    let _pin = pin(&deep.database).await?;
    let submits_pinned = deep.submits(std::slice::from_ref(node), IN_FLIGHT, SLICE).await?;
    let many_pinned = deep.positions(node, POSITIONS).await?;
    report.positions(&few, &many, &many_pinned);
    report.row(&format!("submits a second, {FEW} waiting"), each_second(submits_few.each_second()), "", None);
    report.row(
        &format!("submits a second, {MANY} waiting"),
        each_second(submits_many.each_second()),
        &each_second(submits_pinned.each_second()),
        None,
    );
    Ok(())
}

impl Report {
    fn at_least(&mut self, what: &str, ratio: f64, least: f64) {
        self.row(what, format!("{ratio:.2}"), "", Some((ratio >= least, format!("≥ {least}"))));
    }

    fn paces(&mut self, free: Side, pinned: Side) {
        let of = |all: &[f64]| each_second(median(all.to_vec()));
        self.row(
            &format!("pgbench, a transaction a submit, {IN_FLIGHT} clients"),
            of(&free.unbatched),
            &of(&pinned.unbatched),
            None,
        );
        for nodes in 1..=NODES {
            let (ours, theirs) = (free.submits(nodes), pinned.submits(nodes));
            self.row(&format!("durable submits, {}", named(nodes)), of(&ours), &of(&theirs), None);
            self.at_least(
                &format!("durable submits, {}: pinned of free", named(nodes)),
                median_ratio(&theirs, &ours),
                PINNED_MIN,
            );
        }
        for nodes in 1..=NODES {
            let (ours, theirs) = (&free.generations[nodes - 1], &pinned.generations[nodes - 1]);
            self.row(&format!("completed generations, {}", named(nodes)), of(ours), &of(theirs), None);
            self.at_least(
                &format!("completed generations, {}: pinned of free", named(nodes)),
                median_ratio(theirs, ours),
                PINNED_MIN,
            );
        }
        let one = free.submits(1);
        self.at_least(
            "durable submits, 1 node: multiple of pgbench",
            median_ratio(&one, &free.unbatched),
            SUBMITS_MIN,
        );
        self.at_least("durable submits: 2 nodes of 1", median_ratio(&free.submits(2), &one), TWO_MIN);
        let [alone, two, _] = &free.generations;
        self.at_least("completed generations: 2 nodes of 1", median_ratio(two, alone), TWO_MIN);
        for (nodes, (ours, theirs)) in (1..).zip(free.submits.into_iter().zip(pinned.submits)) {
            let p99 = |all| ms(together(all, SLICE).quantile(0.99));
            self.row(&format!("durable submits, {}: p99", named(nodes)), p99(ours), &p99(theirs), None);
        }
    }

    fn positions(&mut self, few: &Paced, many: &Paced, pinned: &Paced) {
        for (share, name) in [(0.5, "p50"), (0.99, "p99"), (1.0, "longest")] {
            let of = |paced: &Paced| ms(paced.quantile(share));
            self.row(&format!("position, {FEW} waiting: {name}"), of(few), "", None);
            self.row(&format!("position, {MANY} waiting: {name}"), of(many), &of(pinned), None);
        }
        // The mean holds what a call costs that reads the queue for all that follow.
        for (name, of) in [
            ("p50", (|paced| paced.quantile(0.5).as_secs_f64()) as fn(&Paced) -> f64),
            ("mean", |paced| 1.0 / paced.each_second()),
        ] {
            let ratio = of(many) / of(few);
            let target = Some((ratio <= POSITION_MAX, format!("≤ {POSITION_MAX}")));
            let pinned = format!("{:.2}", of(pinned) / of(few));
            self.row(
                &format!("position, {MANY} waiting of {FEW}: {name}"),
                format!("{ratio:.2}"),
                &pinned,
                target,
            );
        }
    }
}

/// The median time to write a page and flush it.
fn flush() -> Result<Duration> {
    let directory = tempfile::tempdir()?;
    let mut file = File::create(directory.path().join("flushed"))?;
    let mut took = Vec::new();
    for _ in 0..FLUSHES {
        let start = Instant::now();
        file.write_all(&[0; 8192])?;
        file.sync_data()?;
        took.push(start.elapsed());
    }
    took.sort_unstable();
    Ok(took[FLUSHES / 2])
}

fn named(nodes: usize) -> String {
    if nodes == 1 { "1 node".to_owned() } else { format!("{nodes} nodes") }
}

fn ms(duration: Duration) -> String {
    format!("{:.2} ms", 1e3 * duration.as_secs_f64())
}
