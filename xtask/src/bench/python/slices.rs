//! The measurement of one kind of work, by both packages in turns, and by the SDK in Rust.

use super::environments::Environments;
use crate::bench::median::median;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The length of a turn.
const SLICE_SECONDS: f64 = 0.5;

/// The kind of work.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Rounds one after another, by the blocking client.
    Sync,
    /// Concurrent rounds, by asyncio.
    Async(usize),
    /// The verification of webhook signatures.
    Verify,
}

impl Kind {
    pub(super) const ALL: [Self; 5] =
        [Self::Sync, Self::Async(1), Self::Async(64), Self::Async(1_000), Self::Verify];

    /// The name of the kind in `slices.py`.
    fn argument(self) -> String {
        match self {
            Self::Sync => "sync".to_owned(),
            Self::Async(in_flight) => format!("async:{in_flight}"),
            Self::Verify => "verify".to_owned(),
        }
    }

    /// The number of calls in one unit of work.
    fn calls(self) -> f64 {
        if matches!(self, Self::Verify) { 1.0 } else { 3.0 }
    }

    /// The number of turns of each side. A thousand concurrent rounds take the vendor's package longer than a turn.
    fn turns(self) -> usize {
        if matches!(self, Self::Async(1_000)) { 3 } else { 30 }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sync => f.write_str("submit + status + result, sync"),
            Self::Async(in_flight) => write!(f, "submit + status + result, async, {in_flight} in flight"),
            Self::Verify => f.write_str("verify_signature"),
        }
    }
}

/// The figures of one side.
pub(super) struct Measured {
    /// Units of work a second, the median of the turns.
    pub(super) pace: f64,
    /// The CPU time of a call.
    pub(super) cpu_seconds_each: f64,
    /// The peak of resident memory, in bytes.
    pub(super) peak: u64,
}

/// The figures of all sides.
pub(super) struct Sides {
    pub(super) ours: Measured,
    pub(super) vendor: Measured,
    /// The SDK in Rust, which makes its calls one after another.
    pub(super) sdk: Option<Measured>,
}

pub(super) fn measure(root: &Path, environments: &Environments, kind: Kind, url: &str) -> Result<Sides> {
    let python = |interpreter: &Path, package: &str| {
        let mut command = Command::new(interpreter);
        command.arg(super::program(root, "slices.py")).args([package, &kind.argument(), url]);
        Side::start(command)
    };
    let mut sides =
        vec![python(&environments.ours, "clipia_queue")?, python(&environments.vendor, "clipia")?];
    if matches!(kind, Kind::Sync) {
        let mut sdk = Command::new(std::env::current_exe()?);
        sdk.args(["bench", "python", "--sdk", url]);
        sides.push(Side::start(sdk)?);
    }
    // The first turns, in which connections are made, do not count.
    for side in &mut sides {
        side.turn()?;
    }
    let mut turns: Vec<Vec<Turn>> = sides.iter().map(|_| Vec::new()).collect();
    for number in 0..kind.turns() {
        // Each side goes first in turn.
        for place in 0..sides.len() {
            let side = (number + place) % sides.len();
            turns[side].push(sides[side].turn()?);
        }
    }
    let mut measured = sides.into_iter().zip(turns).map(|(side, turns)| side.end(kind, &turns));
    let mut next = || measured.next().transpose();
    let missing = "a side was not measured";
    Ok(Sides { ours: next()?.context(missing)?, vendor: next()?.context(missing)?, sdk: next()? })
}

/// The output of `slices.py` after a turn.
#[derive(Deserialize)]
struct Turn {
    done: u64,
    seconds: f64,
    cpu_seconds: f64,
}

/// The output of `slices.py` at the end.
#[derive(Deserialize)]
struct End {
    peak: u64,
}

/// A running `slices.py`, or the SDK's counterpart, which sleeps between its turns.
struct Side {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Side {
    fn start(mut command: Command) -> Result<Self> {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().context("its output is not captured")?);
        Ok(Self { process, input, output })
    }

    fn turn(&mut self) -> Result<Turn> {
        writeln!(self.input.as_mut().context("its input is closed")?, "{SLICE_SECONDS}")?;
        self.read_line()
    }

    fn end(mut self, kind: Kind, turns: &[Turn]) -> Result<Measured> {
        self.input = None;
        let End { peak } = self.read_line()?;
        let pace = median(turns.iter().map(|turn| turn.done as f64 / turn.seconds).collect());
        let done: u64 = turns.iter().map(|turn| turn.done).sum();
        let cpu_seconds: f64 = turns.iter().map(|turn| turn.cpu_seconds).sum();
        let cpu_seconds_each = cpu_seconds / (done as f64 * kind.calls());
        Ok(Measured { pace, cpu_seconds_each, peak })
    }

    fn read_line<T: for<'de> Deserialize<'de>>(&mut self) -> Result<T> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        serde_json::from_str(&line).context("`slices.py` ended too early")
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // The program ends when its input does.
        self.input = None;
        let _ = self.process.wait();
    }
}
