//! `cargo xtask advisories`: checks the dependencies for known vulnerabilities.
//!
//! The advisory database is a git repository that not every machine can reach. Therefore the check is not a step of `cargo xtask
//! test`: a workflow runs it. If the database cannot be reached, nothing was checked, and the task fails.

use crate::deny;
use anyhow::{Result, bail};
use std::path::Path;

pub(crate) fn run(root: &Path) -> Result<()> {
    let checked = deny::command(root)?.args(["check", "advisories"]).output()?;
    print!("{}", String::from_utf8_lossy(&checked.stdout));
    let findings = String::from_utf8_lossy(&checked.stderr);
    eprint!("{findings}");
    if checked.status.success() {
        return Ok(());
    }
    if ["failed to fetch advisory database", "failed to load advisory database", "failed to fetch crates"]
        .iter()
        .any(|message| findings.contains(message))
    {
        bail!("nothing was checked: the advisory database, a git repository, could not be reached from here");
    }
    bail!("an advisory applies to a crate of `Cargo.lock`: see the lines above")
}
