//! `cargo xtask chaos`: disturbs and kills a server under load again and again. The server must keep what it accepted.
//!
//! All rounds use one data directory. In each round the real program starts on it, several clients submit, poll, cancel and
//! repeat submits, and the program is killed as by `kill -9`: at a random moment, or at a named point of its code (the feature
//! `failpoints`), or after a trouble that it must survive (a log or media that cannot be written, a clock that is set, programs
//! that are killed, workers elsewhere that are killed, a stopped process). The workers elsewhere go on through all rounds. No program
//! may outlive its server or its worker. In the end every accepted request must have ended
//! once, been charged once, and been delivered.
//!
//! `cargo xtask chaos --postgres`: several servers over one PostgreSQL, and for each cell the same checks after its disturbance.
//!
//! The code is behind the feature `chaos`. Without the feature, this program builds itself again with it, and the server too.

#[cfg(feature = "chaos")]
mod books;
mod cell;
#[cfg(feature = "chaos")]
mod checks;
#[cfg(feature = "chaos")]
mod client;
#[cfg(feature = "chaos")]
mod disturbance;
#[cfg(feature = "chaos")]
mod nodes;
#[cfg(feature = "chaos")]
mod place;
#[cfg(feature = "chaos")]
mod postgres;
#[cfg(feature = "chaos")]
mod programs;
#[cfg(feature = "chaos")]
mod proxy;
#[cfg(feature = "chaos")]
mod receiver;
#[cfg(feature = "chaos")]
mod rounds;
#[cfg(feature = "chaos")]
mod trouble;
#[cfg(feature = "chaos")]
mod workers;

use anyhow::Result;
use cell::Cell;
use clap::Args;
use std::path::Path;

#[derive(Args)]
pub(crate) struct Options {
    /// The number of times that the server is killed
    #[arg(long, value_name = "N", default_value_t = 200)]
    rounds: u32,
    /// The seed that a run has printed; the same seed makes the same decisions
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Disturbs several servers that share a PostgreSQL instead, in each of the cells (15 minutes)
    #[arg(long, conflicts_with = "rounds")]
    postgres: bool,
    /// Runs only these cells
    #[arg(long, value_name = "NAME", value_enum, requires = "postgres", conflicts_with = "short")]
    cell: Vec<Cell>,
    /// Runs the quickest cells together, in less than a minute
    #[arg(long, requires = "postgres")]
    short: bool,
}

#[cfg(feature = "chaos")]
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let (program, seed) = (crate::test::program(root), options.seed.unwrap_or_else(rand::random));
    match options.postgres {
        true => postgres::run(&program, &Cell::stages(&options.cell, options.short), seed),
        false => rounds::run(&program, options.rounds, seed),
    }
}

#[cfg(not(feature = "chaos"))]
pub(crate) fn run(root: &Path, _: &Options) -> Result<()> {
    crate::again(
        root,
        "debug",
        &["--package", "clipia-cli", "--features", "xtask/chaos,clipia-cli/failpoints"],
    )
}
