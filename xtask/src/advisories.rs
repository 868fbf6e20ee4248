//! `cargo xtask advisories`: whether a fault is known of a crate that is built.
//!
//! The database is a git repository, which not every machine reaches, so this is no step of `cargo xtask test`: a workflow
//! runs it. Where the database cannot be had, nothing was checked, and the task fails.

use crate::test;
use anyhow::{Result, bail, ensure};
use std::path::Path;

/// How to get the tool, in the release that the workflow has.
const INSTALL: &str = "cargo install --locked --version 0.22.2 cargo-audit";

pub(crate) fn run(root: &Path) -> Result<()> {
    let there = test::cargo(root, &["audit", "--version"]).output().is_ok_and(|run| run.status.success());
    ensure!(there, "nothing was checked: cargo-audit is missing\nhint: {INSTALL}");
    let audit = test::cargo(root, &["audit", "--file", "Cargo.lock"]).output()?;
    print!("{}", String::from_utf8_lossy(&audit.stdout));
    let said = String::from_utf8_lossy(&audit.stderr);
    eprint!("{said}");
    if audit.status.success() {
        return Ok(());
    }
    if ["couldn't fetch advisory database", "error loading advisory database"]
        .iter()
        .any(|no| said.contains(no))
    {
        bail!("nothing was checked: the advisory database, a repository of git, could not be had from here");
    }
    bail!("an advisory applies to a crate of Cargo.lock, or it was not read: the lines above say which")
}
