//! `cargo xtask bench server`: the pace of submits, status calls and deliveries of the queue, beside bare axum.
//!
//! Each server is a process of its own. This process makes the calls, and they are the same for both.

mod bare;
mod before;
pub(super) mod calls;
pub(super) mod child;
mod deliveries;
mod queue;

use super::median::{median, median_ratio};
use super::report::Report;
use crate::serve::{self, Serving};
use anyhow::{Context, Result};
use calls::{Paced, Request};
use child::Child;
use queue::Queue;
use std::time::{Duration, Instant};

pub(super) use before::run as run_beside;
pub(super) use child::Part;

/// The numbers of submits under way at once.
const IN_FLIGHT: [usize; 3] = [1, 64, 256];

/// The least pace, as a share of bare axum's, with 64 calls under way.
const SUBMITS_MIN: f64 = 0.4;
const STATUS_MIN: f64 = 0.7;
const HELD_AT: usize = 64;

/// The largest p99 of a submit, with 64 under way.
const SUBMIT_P99_MAX: Duration = Duration::from_millis(20);

/// The number of queued requests at the first measurement of a queue position.
const FEW: usize = 1_000;

/// The longest time to read a queue position from the full queue, in multiples of the time with [`FEW`].
const POSITION_MAX: f64 = 1.5;

/// The largest resident memory of a server with the full queue, in MiB.
const MEMORY_MAX: f64 = 100.0;

/// The longest time from the start of the program until it takes calls.
const START_MAX: Duration = Duration::from_millis(50);

/// The largest share of the pace of deliveries that a dead host may cost.
const SLOWDOWN_MAX: f64 = 0.05;

/// The number of turns. The servers take turns, so that noise of the machine affects both. The figure is the median of the turns;
/// for a ratio, the median of the turns' ratios.
const TURNS: usize = 11;
const SLICE: Duration = Duration::from_secs(1);

/// The number of turns of deliveries, whose pace differs by a tenth from one turn to the next.
const DELIVERY_TURNS: usize = 41;

/// The number of queue positions that are read, one after the other.
const POSITIONS: usize = 3_000;

/// The number of measured starts.
const STARTS: usize = 7;

pub(super) fn run(queued: usize) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut report = Report::of("the queue", "bare axum");
    let start = cold_start()?;
    report.row(
        "cold start to ready, empty",
        ms(start),
        "",
        held(start < START_MAX, format!("< {}", ms(START_MAX))),
    );
    runtime.block_on(measure(&mut report, queued))?;
    report.print();
    Ok(())
}

async fn measure(report: &mut Report, queued: usize) -> Result<()> {
    let program = std::env::current_exe()?;
    let bare = Child::start(&program, &Part::Bare)?;
    let mut queue = Queue::start(&program, queued).await?;
    eprintln!("position with {FEW} in line");
    queue.fill(FEW).await?;
    let few = queue.position(POSITIONS).await?;
    report.row(&format!("queue position, {FEW} queued: p50"), us(few), "", None);
    for in_flight in IN_FLIGHT {
        eprintln!("submits, {in_flight} in flight");
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            theirs.push(calls::pace(bare.url(), in_flight, SLICE, |_| queue::submit("no-key")).await?);
            ours.push(queue.submits(in_flight, SLICE).await?);
        }
        report.submits(in_flight, ours, theirs);
    }
    eprintln!("status calls");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        theirs.push(
            calls::pace(bare.url(), HELD_AT, SLICE, |_| Request::get("no-key", bare::STATUS_PATH)).await?,
        );
        ours.push(queue.statuses(HELD_AT, SLICE).await?);
    }
    report.statuses(ours, theirs);
    drop(bare);

    eprintln!("filling the queue up to {queued}");
    queue.fill(queued).await?;
    let many = queue.position(POSITIONS).await?;
    let (in_queue, ratio) = (queue.queued(), many.as_secs_f64() / few.as_secs_f64());
    report.row(&format!("queue position, {in_queue} queued: p50"), us(many), "", None);
    report.row(
        "queue position, ratio",
        format!("{ratio:.2}"),
        "",
        held(ratio <= POSITION_MAX, format!("≤ {POSITION_MAX}")),
    );
    let memory = queue.memory()? as f64 / 1024.0 / 1024.0;
    let target = held(memory <= MEMORY_MAX, format!("≤ {MEMORY_MAX} MiB"));
    report.row(&format!("memory, {in_queue} queued"), format!("{memory:.0} MiB"), "", target);
    let (restarted, memory) = queue.restart()?;
    report.row(&format!("start to ready, {in_queue} queued"), ms(restarted), "", None);
    let memory = format!("{:.0} MiB", memory as f64 / 1024.0 / 1024.0);
    report.row(&format!("memory after that, {in_queue} queued"), memory, "", None);

    eprintln!("deliveries");
    let (mut fast, mut past) = (Vec::new(), Vec::new());
    for turn in 0..DELIVERY_TURNS {
        // Each goes first in its turn: the disk still writes what the one before has left.
        for dead in [turn % 2 == 1, turn % 2 == 0] {
            let pace = deliveries::pace(&program, dead).await?;
            if dead { past.push(pace) } else { fast.push(pace) }
        }
    }
    let slowdown = 1.0 - median_ratio(&past, &fast);
    let (fast, past) = (median(fast), median(past));
    report.row("deliveries to a fast host", each_second(fast), "", None);
    report.row("deliveries to it beside a dead host", each_second(past), "", None);
    let target = held(slowdown < SLOWDOWN_MAX, format!("< {:.0} %", 100.0 * SLOWDOWN_MAX));
    report.row("slowdown by a dead host", format!("{:.1} %", 100.0 * slowdown), "", target);
    Ok(())
}

/// A target, and whether it is met.
fn held(met: bool, target: String) -> Option<(bool, String)> {
    Some((met, target))
}

impl Report {
    fn submits(&mut self, in_flight: usize, ours: Vec<Paced>, theirs: Vec<Paced>) {
        let ratio = calls::ratio(&ours, &theirs);
        let (ours, theirs) = (calls::median(ours), calls::median(theirs));
        let what = format!("durable submits, {in_flight} in flight");
        let hold = in_flight == HELD_AT;
        self.row(&what, each_second(ours.each_second()), &each_second(theirs.each_second()), None);
        let target = hold.then(|| (ratio >= SUBMITS_MIN, format!("≥ {SUBMITS_MIN}")));
        self.row(&format!("{what}: ratio"), format!("{ratio:.2}"), "", target);
        self.row(&format!("{what}: p50"), us(ours.quantile(0.5)), &us(theirs.quantile(0.5)), None);
        let p99 = ours.quantile(0.99);
        let target = hold.then(|| (p99 < SUBMIT_P99_MAX, format!("< {}", ms(SUBMIT_P99_MAX))));
        self.row(&format!("{what}: p99"), us(p99), &us(theirs.quantile(0.99)), target);
    }

    fn statuses(&mut self, ours: Vec<Paced>, theirs: Vec<Paced>) {
        let ratio = calls::ratio(&ours, &theirs);
        let (ours, theirs) = (calls::median(ours), calls::median(theirs));
        let what = format!("status calls of queued requests, {HELD_AT} in flight");
        self.row(&what, each_second(ours.each_second()), &each_second(theirs.each_second()), None);
        let target = held(ratio >= STATUS_MIN, format!("≥ {STATUS_MIN}"));
        self.row(&format!("{what}: ratio"), format!("{ratio:.2}"), "", target);
    }
}

/// The time from the start of the program until it takes calls, on a new data directory each time.
fn cold_start() -> Result<Duration> {
    eprintln!("cold starts");
    let program = super::program()?;
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let data = tempfile::tempdir()?;
        let mut command = serve::command(&program, data.path());
        command.stderr(std::process::Stdio::null());
        let start = Instant::now();
        Serving::spawn(command)?.ready()?;
        starts.push(start.elapsed());
    }
    starts.sort_unstable();
    starts.get(STARTS / 2).copied().context("nothing was started")
}

pub(super) fn each_second(pace: f64) -> String {
    format!("{pace:.0} a second")
}

fn ms(duration: Duration) -> String {
    format!("{:.1} ms", 1e3 * duration.as_secs_f64())
}

fn us(duration: Duration) -> String {
    format!("{:.0} µs", 1e6 * duration.as_secs_f64())
}
