//! `cargo xtask bench python`: the Python package beside the vendor's.
//!
//! Both run the same Python program (`slices.py`), each in a virtual environment of its own, against the same server,
//! which answers at once. They take turns, so that noise of the machine hits both, and the median of the turns counts.
//! A round is submit, status and result, and all three answers are read, `data` included, since what ours converts only
//! when it is read the vendor's has converted already. CPU is that of the whole process: for ours, of the threads
//! behind it too.
//!
//! Waiting is measured of ours alone (`waiting.py`): on a key with a limit the vendor's loses what it waits for.
//! `--fleet` shows that ours loses none ([`fleet`]).

mod environments;
pub(super) mod fleet;
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

/// How much faster than the vendor's it must be.
const SYNC_MIN: f64 = 3.0;
const ASYNC_MIN: f64 = 20.0;
const VERIFY_MIN: f64 = 3.0;

/// How many rounds are in flight where `ASYNC_MIN` must be reached.
const ASYNC_HELD: usize = 64;

/// What 10,000 waiting generations may cost: memory in MiB, and CPU as a share of one core.
const WAITING_MEMORY_MAX: f64 = 100.0;
const WAITING_CPU_MAX: f64 = 0.05;

const MIB: f64 = 1024.0 * 1024.0;

/// What `waiting.py` tells.
#[derive(Deserialize)]
struct Waited {
    generations: usize,
    /// Resident memory above that of the client at rest.
    bytes: u64,
    /// How long it was watched.
    seconds: f64,
    /// CPU time that the process took meanwhile.
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
        let Sides { ours, vendor } = slices::measure(root, &environments, kind, server.url())?;
        let pace = ours.pace / vendor.pace;
        let row = |what: &str, of: &dyn Fn(&slices::Measured) -> String, ratio: f64| {
            [format!("{kind}{what}"), of(&ours), of(&vendor), format!("{ratio:.2}")]
        };
        table.add_row(row("", &|side| format!("{:.0} a second", side.pace), pace));
        let cpu = ours.cpu_seconds_each / vendor.cpu_seconds_each;
        table.add_row(row(": CPU a call", &|side| format!("{:.1} µs", 1e6 * side.cpu_seconds_each), cpu));
        let memory = ours.peak as f64 / vendor.peak as f64;
        table.add_row(row(": peak memory", &|side| format!("{:.1} MiB", side.peak as f64 / MIB), memory));
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

/// Has a process wait, on a server where nothing ends.
fn waited(root: &Path, environments: &Environments) -> Result<Waited> {
    let server = Server::running()?;
    eprintln!("waiting");
    let mut python = Command::new(&environments.ours);
    python.arg(program(root, "waiting.py")).arg(server.url());
    answer(&mut python)
}

/// One of the programs beside this file.
fn program(root: &Path, name: &str) -> PathBuf {
    root.join("xtask/src/bench/python").join(name)
}

/// The JSON that a program writes.
fn answer<T: for<'de> Deserialize<'de>>(program: &mut Command) -> Result<T> {
    let output = program.stderr(Stdio::inherit()).output()?;
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{program:?} ended with {}", output.status))
}
