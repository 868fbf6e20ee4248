//! The memory that something costs a process, beyond what it has when idle.

use anyhow::{Context, Result};
use std::fs;

/// The memory of a process at a moment.
pub(super) struct Memory {
    process: u32,
    /// Its resident memory at the moment, in bytes.
    before: u64,
}

impl Memory {
    /// The memory of a process now. Its peak is forgotten: a peak of its start would hide what comes.
    pub(super) fn of(process: u32) -> Result<Self> {
        // See proc(5).
        fs::write(format!("/proc/{process}/clear_refs"), "5").context("forgetting the peak of a process")?;
        Ok(Self { process, before: status(process, "VmRSS:")? })
    }

    /// By how many bytes the peak since that moment lies above the memory at it.
    pub(super) fn cost(&self) -> Result<u64> {
        Ok(status(self.process, "VmHWM:")?.saturating_sub(self.before))
    }
}

/// A field of the status of a process, in bytes.
fn status(process: u32, field: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))
        .context("this system does not report the memory of a process")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .with_context(|| format!("there is no {field}"))?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(1024 * kibibytes)
}
