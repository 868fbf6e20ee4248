//! `cargo xtask bench`: what the project promises, measured. A scenario prints one table, and fails where a target is
//! missed.
//!
//! The scenarios are behind the feature `bench`. Without it this program builds and runs itself again with it,
//! optimised.

#[cfg(feature = "bench")]
mod client;
#[cfg(feature = "bench")]
mod fleet;
#[cfg(feature = "bench")]
mod median;
#[cfg(feature = "bench")]
mod neighbours;
#[cfg(feature = "bench")]
mod python;
#[cfg(feature = "bench")]
mod retention;
#[cfg(feature = "bench")]
mod server;
#[cfg(feature = "bench")]
mod target;

use anyhow::Result;
use clap::{Args, Subcommand};
use std::path::Path;

#[derive(Subcommand)]
pub(crate) enum Scenario {
    /// 5 to 500 concurrent generations on one key with its limits on: what is lost, and how long it takes (9 minutes)
    Fleet(Fleet),
    /// The SDK beside bare reqwest, and 10,000 waiting generations (2 minutes)
    Client(Client),
    /// The Python package beside the vendor's, on the same server (4 minutes)
    Python(Python),
    /// Durable submits and status reads beside bare axum, a long line, and deliveries (10 minutes)
    Server(Server),
    /// A quiet account beside noisy ones: how much slower its calls and deliveries get (3 minutes)
    Neighbours,
    /// 100,000 generations on a server that keeps everything for seconds: what it comes to keep (5 minutes)
    Retention(Retention),
}

#[derive(Args)]
pub(crate) struct Retention {
    /// Generations in all
    #[arg(long, hide = true, default_value_t = 100_000)]
    generations: usize,
}

#[derive(Args)]
pub(crate) struct Fleet {
    /// Runs only these rows, such as `100:lognormal:polling`, `100:polling` or `lognormal`
    #[arg(long, hide = true)]
    only: Vec<String>,
}

#[derive(Args)]
pub(crate) struct Client {
    /// Is the process that waits, on the server of this address
    #[arg(long, hide = true)]
    waiting: Option<String>,
}

#[derive(Args)]
pub(crate) struct Python {
    /// Runs a fleet on one key with its limits on instead, by asyncio and by threads (2 minutes)
    #[arg(long)]
    fleet: bool,
}

#[derive(Args)]
pub(crate) struct Server {
    /// Requests in the long line
    #[arg(long, hide = true, default_value_t = 1_000_000)]
    queued: usize,
    /// Measures the server in turn with that of another commit instead: the `xtask` that was built there with
    /// `cargo build --release --package xtask --features bench`
    #[arg(long, value_name = "PROGRAM")]
    before: Option<std::path::PathBuf>,
    /// Is one of the processes that are measured
    #[cfg(feature = "bench")]
    #[command(subcommand)]
    part: Option<server::Part>,
}

#[cfg(feature = "bench")]
pub(crate) fn run(root: &Path, scenario: Scenario) -> Result<()> {
    match scenario {
        Scenario::Fleet(options) => fleet::run(&options.only),
        Scenario::Client(Client { waiting: Some(url) }) => client::wait(&url),
        Scenario::Client(Client { waiting: None }) => client::run(),
        Scenario::Python(Python { fleet: true }) => python::fleet::run(root),
        Scenario::Python(Python { fleet: false }) => python::run(root),
        Scenario::Server(Server { part: Some(part), .. }) => part.run(),
        Scenario::Server(Server { before: Some(before), .. }) => server::run_beside(&before),
        Scenario::Server(Server { queued, .. }) => server::run(queued),
        Scenario::Neighbours => neighbours::run(),
        Scenario::Retention(Retention { generations }) => retention::run(generations),
    }
}

/// The server's program beside this one, which was built with it.
#[cfg(feature = "bench")]
fn program() -> Result<std::path::PathBuf> {
    let program = std::env::current_exe()?.with_file_name(format!("clipia{}", std::env::consts::EXE_SUFFIX));
    anyhow::ensure!(program.is_file(), "there is no {}; `cargo xtask bench` builds it", program.display());
    Ok(program)
}

#[cfg(not(feature = "bench"))]
pub(crate) fn run(root: &Path, _: Scenario) -> Result<()> {
    crate::again(root, "release", &["--package", "clipia-cli", "--features", "xtask/bench"])
}
