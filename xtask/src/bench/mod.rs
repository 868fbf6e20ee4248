//! `cargo xtask bench`: measures what the project promises. A scenario prints one table, and fails if a target is missed.
//!
//! The scenarios are behind the feature `bench`. Without the feature, this program builds itself again with it, optimised,
//! and runs the result.

#[cfg(feature = "bench")]
mod client;
#[cfg(feature = "bench")]
mod executors;
#[cfg(feature = "bench")]
mod fleet;
#[cfg(feature = "bench")]
mod median;
#[cfg(feature = "bench")]
mod neighbours;
#[cfg(feature = "bench")]
mod postgres;
#[cfg(feature = "bench")]
mod python;
#[cfg(feature = "bench")]
mod report;
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
    /// The Python package beside the vendor's and beside the SDK in Rust, on the same server (4 minutes)
    Python(Python),
    /// Submits and status calls beside bare axum, a long queue, and deliveries (10 minutes)
    Server(Server),
    /// One to three nodes over PostgreSQL beside pgbench, free and with a pinned horizon (6 minutes)
    Postgres,
    /// A quiet account beside noisy ones: how much slower its calls and deliveries are (3 minutes)
    Neighbours,
    /// Programs behind the queue: how many generations they complete, and how soon they start (2 minutes)
    Executors(Executors),
    /// 100,000 generations on a server with retention times of seconds: the size that it reaches (5 minutes)
    Retention(Retention),
}

#[derive(Args)]
pub(crate) struct Retention {
    /// The number of generations
    #[arg(long, hide = true, default_value_t = 100_000)]
    generations: usize,
}

#[derive(Args)]
pub(crate) struct Executors {
    /// Is one of the programs that are measured
    #[cfg(feature = "bench")]
    #[command(subcommand)]
    part: Option<executors::Part>,
}

#[derive(Args)]
pub(crate) struct Fleet {
    /// Runs fleets of these numbers of processes that share one key instead, beside clients that ignore the others: small
    /// ones in real time, large ones simulated (5 minutes)
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', num_args = 0..=1, default_missing_value = "2,4,20")]
    processes: Vec<std::num::NonZeroUsize>,
    /// Runs only these rows, such as `100:lognormal:polling`, `100:polling` or `lognormal`
    #[arg(long, hide = true, conflicts_with = "processes")]
    only: Vec<String>,
    /// Runs as one of these processes, as the task on stdin says
    #[arg(long, hide = true)]
    process: bool,
}

#[derive(Args)]
pub(crate) struct Client {
    /// Runs as the process that waits, on the server with this URL
    #[arg(long, hide = true)]
    waiting: Option<String>,
}

#[derive(Args)]
pub(crate) struct Python {
    /// Runs a fleet on one key with its limits on instead, by asyncio and by threads (2 minutes)
    #[arg(long)]
    fleet: bool,
    /// Runs as the process that measures the SDK, on the server with this URL
    #[arg(long, hide = true)]
    sdk: Option<String>,
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
        Scenario::Fleet(Fleet { process: true, .. }) => fleet::process::run(),
        Scenario::Fleet(Fleet { processes, only, .. }) if processes.is_empty() => fleet::run(&only),
        Scenario::Fleet(Fleet { processes, .. }) => fleet::processes::run(&processes),
        Scenario::Client(Client { waiting: Some(url) }) => client::wait(&url),
        Scenario::Client(Client { waiting: None }) => client::run(),
        Scenario::Python(Python { sdk: Some(url), .. }) => python::sdk::run(&url),
        Scenario::Python(Python { fleet: true, .. }) => python::fleet::run(root),
        Scenario::Python(Python { fleet: false, .. }) => python::run(root),
        Scenario::Server(Server { part: Some(part), .. }) => part.run(),
        Scenario::Server(Server { before: Some(before), .. }) => server::run_beside(&before),
        Scenario::Server(Server { queued, .. }) => server::run(queued),
        Scenario::Postgres => postgres::run(),
        Scenario::Neighbours => neighbours::run(),
        Scenario::Executors(Executors { part: Some(part) }) => part.run(),
        Scenario::Executors(Executors { part: None }) => executors::run(),
        Scenario::Retention(Retention { generations }) => retention::run(generations),
    }
}

/// The program `clipia` that was built together with this one.
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
