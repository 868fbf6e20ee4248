//! `cargo xtask bench python`: the Python package beside the vendor's.
//!
//! Both packages run the same Python program (`slices.py`), each in a virtual environment of its own, against the same server,
//! which responds at once. They take turns, so that noise of the machine affects both; the figure is the median of the turns.
//! A round is submit, status and result. The program reads all three responses completely, since our package converts values
//! only when they are read, and the vendor's converts all of them. CPU time is that of the whole process, with all threads.
//!
//! The blocking client is measured beside the SDK in Rust too ([`sdk`]), on which it is built.
//!
//! Waiting is measured for our package only (`waiting.py`): the vendor's loses generations on a key with a limit.
//! `--fleet` shows that ours loses none ([`fleet`]).

mod environments;
pub(super) mod fleet;
pub(super) mod sdk;
mod slices;

use super::client::instant::Server;
use super::target::Targets;
use anyhow::{Context, Result};
use comfy_table::{CellAlignment, Table, presets};
use environments::Environments;
use serde::Deserialize;
use slices::{Kind, Sides};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The least pace, in multiples of the vendor's.
const SYNC_MIN: f64 = 3.0;
const ASYNC_MIN: f64 = 20.0;
const VERIFY_MIN: f64 = 3.0;

/// The least share of the pace of the SDK in Rust that the blocking client must reach.
const OF_SDK_MIN: f64 = 0.8;

/// The number of rounds in flight to which `ASYNC_MIN` applies.
const ASYNC_HELD: usize = 64;

/// The most that 10,000 waiting generations may cost: memory in MiB, and CPU as a share of one core.
const WAITING_MEMORY_MAX: f64 = 100.0;
const WAITING_CPU_MAX: f64 = 0.05;

const MIB: f64 = 1024.0 * 1024.0;

/// The output of `waiting.py`.
#[derive(Deserialize)]
struct Waited {
    generations: usize,
    /// Resident memory beyond that of the idle client, in bytes.
    bytes: u64,
    /// The time of the measurement.
    seconds: f64,
    /// The CPU time of the process in that time.
    cpu_seconds: f64,
}

pub(super) fn run(root: &Path) -> Result<()> {
    let environments = Environments::prepare(root)?;
    let mut table = Table::new();
    let ours = format!("clipia_queue {}", env!("CARGO_PKG_VERSION"));
    table.load_style(presets::ASCII_MARKDOWN).set_header(["", &ours, environments::VENDOR, "ratio"]);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut targets = Targets::default();
    let server = Server::instant()?;
    for kind in Kind::ALL {
        eprintln!("{kind}");
        let Sides { ours, vendor, sdk } = slices::measure(root, &environments, kind, server.url())?;
        let pace = ours.pace / vendor.pace;
        let row = |what: &str, of: &dyn Fn(&slices::Measured) -> String, ratio: f64| {
            [format!("{kind}{what}"), of(&ours), of(&vendor), format!("{ratio:.2}")]
        };
        table.add_row(row("", &|side| format!("{:.0} a second", side.pace), pace));
        let cpu = ours.cpu_seconds_each / vendor.cpu_seconds_each;
        table.add_row(row(": CPU a call", &|side| format!("{:.1} µs", 1e6 * side.cpu_seconds_each), cpu));
        let memory = ours.peak as f64 / vendor.peak as f64;
        table.add_row(row(": peak memory", &|side| format!("{:.1} MiB", side.peak as f64 / MIB), memory));
        if let Some(sdk) = sdk {
            let (what, share) = (format!("{kind}: of the SDK in Rust"), ours.pace / sdk.pace);
            let pace = |side: &slices::Measured| format!("{:.0} a second", side.pace);
            table.add_row([what.clone(), pace(&ours), pace(&sdk), format!("{share:.2}")]);
            targets.hold(share >= OF_SDK_MIN, || {
                format!("{what}: {share:.2}; at least {OF_SDK_MIN} must be reached")
            });
        }
        let pace_min = match kind {
            Kind::Sync => SYNC_MIN,
            Kind::Async(ASYNC_HELD) => ASYNC_MIN,
            Kind::Async(_) => continue,
            Kind::Verify => VERIFY_MIN,
        };
        targets.hold(pace >= pace_min, || {
            format!("{kind}: {pace:.2} times the vendor's; at least {pace_min} must be reached")
        });
    }
    let waited = waited(root, &environments)?;
    let (memory, cpu) = (waited.bytes as f64 / MIB, waited.cpu_seconds / waited.seconds);
    let what = format!("{} waiting generations", waited.generations);
    table.add_row([format!("{what}: memory"), format!("{memory:.1} MiB")]);
    table.add_row([format!("{what}: CPU"), format!("{:.2} % of a core", 100.0 * cpu)]);
    targets.hold(memory <= WAITING_MEMORY_MAX, || {
        format!("{what}: {memory:.1} MiB; at most {WAITING_MEMORY_MAX} are allowed")
    });
    targets.hold(cpu <= WAITING_CPU_MAX, || {
        format!("{what}: {:.2} % of a core; at most {} % is allowed", 100.0 * cpu, 100.0 * WAITING_CPU_MAX)
    });
    println!("{table}");
    targets.report();
    Ok(())
}

/// Measures a process that waits, on a server where no generation ends.
fn waited(root: &Path, environments: &Environments) -> Result<Waited> {
    let server = Server::running()?;
    eprintln!("waiting");
    let mut python = Command::new(&environments.ours);
    python.arg(program(root, "waiting.py")).arg(server.url());
    output_of(&mut python)
}

/// One of the programs beside this file.
fn program(root: &Path, name: &str) -> PathBuf {
    root.join("xtask/src/bench/python").join(name)
}

/// Runs a program, and reads its output as JSON.
fn output_of<T: for<'de> Deserialize<'de>>(program: &mut Command) -> Result<T> {
    let output = program.stderr(Stdio::inherit()).output()?;
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{program:?} ended with {}", output.status))
}
