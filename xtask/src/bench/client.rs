//! `cargo xtask bench client`: the pace of the SDK beside bare reqwest, and the cost of waiting.

pub(super) mod instant;
mod pace;
mod waiting;

use super::target::Targets;
use anyhow::{Context, Result};
use comfy_table::{CellAlignment, Table, presets};
use instant::Server;
use std::process::Command;
use waiting::Waited;

pub(super) use pace::of_sdk;
pub(super) use waiting::wait;

/// The numbers of rounds under way at once.
const IN_FLIGHT: [usize; 2] = [1, 64];

/// The share of bare reqwest's pace that the SDK must reach.
const PACE_MIN: f64 = 0.9;

pub(super) fn run() -> Result<()> {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(["", "the SDK", "bare reqwest", "ratio"]);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut targets = Targets::default();
    let server = Server::instant()?;
    for in_flight in IN_FLIGHT {
        eprintln!("submit, status and result, {in_flight} in flight");
        let pace = pace::measure(server.url(), in_flight)?;
        let what = format!("submit + status + result, {in_flight} in flight");
        table.add_row([
            what.clone(),
            format!("{:.0} a second", pace.sdk),
            format!("{:.0} a second", pace.bare),
            format!("{:.2}", pace.sdk / pace.bare),
        ]);
        targets.hold(pace.sdk >= PACE_MIN * pace.bare, || {
            format!(
                "{what}: {:.2} of bare reqwest; at least {PACE_MIN} must be reached",
                pace.sdk / pace.bare
            )
        });
    }
    let Waited { generations, bytes, seconds, cpu_seconds } = waited()?;
    let what = format!("{generations} waiting generations");
    let each = format!("{:.0} bytes", bytes as f64 / generations as f64);
    table.add_row([format!("{what}: memory of each"), each]);
    table.add_row([format!("{what}: memory in all"), format!("{:.1} MiB", bytes as f64 / 1024.0 / 1024.0)]);
    table.add_row([format!("{what}: CPU"), format!("{:.2} % of a core", 100.0 * cpu_seconds / seconds)]);
    println!("{table}");
    targets.report();
    Ok(())
}

/// Measures waiting in a process of its own, whose memory is used for nothing else.
fn waited() -> Result<Waited> {
    let server = Server::running()?;
    let program = std::env::current_exe()?;
    let output = Command::new(program)
        .args(["bench", "client", "--waiting", server.url()])
        .stderr(std::process::Stdio::inherit())
        .output()?;
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("the process that waits ended with {}", output.status))
}
