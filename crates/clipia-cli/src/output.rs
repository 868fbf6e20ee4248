//! What goes to stdout: JSON, and nothing else.

use serde::Serialize;
use std::io::Write;

/// Prints `value` on stdout.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut stdout, value)?;
    writeln!(stdout)?;
    stdout.flush()?;
    Ok(())
}
