//! pgbench, with the transaction that the store sends for one submit, and no other submit in it.
//!
//! Its statements go in one pipeline, as those of the store do: what differs is only that submits do not share a transaction.

use anyhow::{Context, Result, ensure};
use clipia_tests_postgres::{Database, Server};
use std::io::Write;
use std::process::Command;
use std::time::Duration;

/// The statements of a submit. As the store does, they name the tables of the month: `MONTH` stands for it.
const SUBMIT: &str = include_str!("submit.sql");

/// Makes what the statements need beside the store.
const PREPARE: &str = include_str!("prepare.sql");

/// Makes a database with a store ready.
pub(super) fn prepare(database: &Database) {
    database.run(PREPARE);
}

/// The submits a second of pgbench with so many clients.
pub(super) fn pace(server: &Server, database: &Database, clients: usize, slice: Duration) -> Result<f64> {
    let mut script = tempfile::NamedTempFile::new()?;
    let month = database.number("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYYMM')::bigint");
    let month = format!("{}_{:02}", month / 100, month % 100);
    script.write_all(SUBMIT.replace("MONTH", &month).as_bytes())?;
    let mut pgbench = Command::new("pgbench");
    pgbench.args(["-n", "-M", "extended", "-c", &clients.to_string(), "-T", &slice.as_secs().to_string()]);
    pgbench.arg("-f").arg(script.path()).args(["-h", server.directory(), "-U", "clipia", database.name()]);
    let output = pgbench.output().context("running pgbench, which is installed with PostgreSQL")?;
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "pgbench ended with {}: {errors}", output.status);
    let pace = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next());
    pace.with_context(|| format!("pgbench says no pace: {said}"))?.parse().context("the pace of pgbench")
}
