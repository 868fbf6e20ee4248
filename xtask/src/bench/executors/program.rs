//! The measured programs.

use anyhow::{Context, Result};
use clap::Subcommand;
use serde::Deserialize;
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The field of the output with the time at which the program got the job, in microseconds since 1970.
pub(super) const STARTED: &str = "started_us";

/// A warm program.
#[derive(Clone, Debug, Subcommand)]
pub(in crate::bench) enum Part {
    /// Makes no file
    Nothing,
    /// Makes one file of so many bytes
    File { bytes: u64 },
}

#[derive(Deserialize)]
struct Job {
    out: PathBuf,
    events: PathBuf,
}

impl Part {
    /// Does jobs until stdin ends.
    pub(in crate::bench) fn run(&self) -> Result<()> {
        let own = std::env::var_os("CLIPIA_EVENTS").context("no queue has started this program")?;
        append(own.as_ref(), "{\"ready\": true, \"protocol\": 1}\n")?;
        for line in std::io::stdin().lock().lines() {
            let Ok(Job { out, events }) = serde_json::from_str(&line?) else { continue };
            let output = json!({"output": {(STARTED): now()}});
            if let Self::File { bytes } = self {
                write(&out.join("large.bin"), *bytes)?;
            }
            append(&events, &format!("{output}\n{{\"done\": true}}\n"))?;
        }
        Ok(())
    }
}

/// Writes a file of so many bytes, none of which is a hole.
fn write(path: &Path, bytes: u64) -> Result<()> {
    let (mut file, mut left) = (File::create(path)?, bytes);
    while left > 0 {
        let part = left.min(1 << 20);
        let number = u8::try_from((left >> 20) % 251)?;
        file.write_all(&vec![number + 1; usize::try_from(part)?])?;
        left -= part;
    }
    Ok(())
}

fn append(events: &Path, lines: &str) -> Result<()> {
    Ok(OpenOptions::new().append(true).create(true).open(events)?.write_all(lines.as_bytes())?)
}

/// The time, in microseconds since 1970.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
