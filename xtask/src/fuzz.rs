//! `cargo xtask fuzz`: the parsers of outside data, with more cases than a test run has time for.
//!
//! The targets are the property tests whose names begin with `any_`, one for each kind of outside data: responses,
//! signature headers, API keys, bodies, webhook URLs, `Retry-After`, pictures, catalogues, inputs, names of downloads,
//! configurations. `cargo test` runs each with a few hundred cases. This task runs them optimised, a million times each by
//! default.

use anyhow::{Result, bail};
use clap::Args;
use std::path::Path;

/// The crates that parse outside data.
const CRATES: [&str; 6] =
    ["clipia", "clipia-api", "clipia-queue", "clipia-render", "clipia-server", "clipia-webhook"];

#[derive(Args)]
pub(crate) struct Options {
    /// The number of cases of each target
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    runs: u32,
    /// Only the targets whose names contain this
    #[arg(value_name = "TARGET", default_value = "any_")]
    only: String,
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let mut cargo = crate::test::cargo(root, &["test", "--release", "--locked", "--lib", "--test", "fuzz"]);
    for name in CRATES {
        cargo.args(["--package", name]);
    }
    cargo.args([&options.only, "--", "--nocapture"]).env("PROPTEST_CASES", options.runs.to_string());
    let status = cargo.status()?;
    if !status.success() {
        bail!("a target failed: the smallest failing case is printed above");
    }
    Ok(())
}
