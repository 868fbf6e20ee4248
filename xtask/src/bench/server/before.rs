//! The server in turn with that of another commit: what a change costs.

use super::queue::Queue;
use super::{DELIVERY_TURNS, HELD_AT, IN_FLIGHT, SLICE, deliveries, each_second};
use crate::bench::median::{median, median_ratio};
use crate::bench::target::Targets;
use anyhow::Result;
use comfy_table::{CellAlignment, Table, presets};
use std::path::Path;

/// What the pace now must be of the pace before.
const PACE_MIN: f64 = 0.97;

/// Turns of either server: medians of as many differ by one in a hundred on a quiet machine.
const TURNS: usize = 31;

/// Requests in the queue before anything is measured: caches and tables are no longer empty.
const FILLED: usize = 3_000;

/// Room for what is submitted while it is measured.
const QUEUED_MAX: usize = 1_000_000;

/// Prints the paces of the server of the `xtask` at `before` and of this one, and fails where this one is slower.
pub(in crate::bench) fn run(before: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut report = Report { table: Table::new(), targets: Targets::default() };
    report.table.load_style(presets::ASCII_MARKDOWN).set_header(["", "before", "now", "ratio", "target", ""]);
    for column in report.table.column_iter_mut().skip(1).take(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    runtime.block_on(measure(&mut report, before))?;
    println!("{}", report.table);
    report.targets.report();
    Ok(())
}

async fn measure(report: &mut Report, before: &Path) -> Result<()> {
    let now = std::env::current_exe()?;
    let (old, new) = (Queue::start(before, QUEUED_MAX).await?, Queue::start(&now, QUEUED_MAX).await?);
    for queue in [&old, &new] {
        queue.fill(FILLED).await?;
    }
    for in_flight in IN_FLIGHT {
        eprintln!("submits, {in_flight} in flight");
        let pace = async |queue: &Queue| anyhow::Ok(queue.submits(in_flight, SLICE).await?.each_second());
        let (before, now) = in_turn(TURNS, async || pace(&old).await, async || pace(&new).await).await?;
        report.row(&format!("durable submits, {in_flight} in flight"), before, now);
    }
    eprintln!("status reads");
    let pace = async |queue: &Queue| anyhow::Ok(queue.statuses(HELD_AT, SLICE).await?.each_second());
    let (before_pace, now_pace) =
        in_turn(TURNS, async || pace(&old).await, async || pace(&new).await).await?;
    report.row(&format!("status reads, {HELD_AT} in flight"), before_pace, now_pace);
    drop((old, new));
    for (what, dead) in [("deliveries to a fast host", false), ("deliveries to it past a dead host", true)] {
        eprintln!("{what}");
        let pace = async |program: &Path| deliveries::pace(program, dead).await;
        let (before, now) =
            in_turn(DELIVERY_TURNS, async || pace(before).await, async || pace(&now).await).await?;
        report.row(what, before, now);
    }
    Ok(())
}

/// What is measured of both, so many times. Each goes first in every second turn: the disk still writes what the one
/// before has left.
async fn in_turn(
    turns: usize,
    before: impl AsyncFn() -> Result<f64>,
    now: impl AsyncFn() -> Result<f64>,
) -> Result<(Vec<f64>, Vec<f64>)> {
    let (mut old, mut new) = (Vec::new(), Vec::new());
    for turn in 0..turns {
        if turn % 2 == 0 {
            old.push(before().await?);
            new.push(now().await?);
        } else {
            new.push(now().await?);
            old.push(before().await?);
        }
    }
    Ok((old, new))
}

/// What is printed and held.
struct Report {
    table: Table,
    targets: Targets,
}

impl Report {
    /// The median of the turns' own ratios is held.
    fn row(&mut self, what: &str, before: Vec<f64>, now: Vec<f64>) {
        let ratio = median_ratio(&now, &before);
        eprintln!("{what}: {ratio:.3} of before");
        let met = ratio >= PACE_MIN;
        self.targets.hold(met, || format!("{what}: {ratio:.3} of before; the target is {PACE_MIN}"));
        self.table.add_row([
            what,
            &each_second(median(before)),
            &each_second(median(now)),
            &format!("{ratio:.3}"),
            &format!("≥ {PACE_MIN}"),
            if met { "met" } else { "missed" },
        ]);
    }
}
