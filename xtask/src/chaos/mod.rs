//! `cargo xtask chaos`: a server is killed again and again under load, and must keep what it acknowledged.
//!
//! One data directory lives through all rounds. In each the real program starts on it, several clients submit, poll,
//! cancel and repeat, and it is ended as by `kill -9`: at a random moment, or at a named point of its code (the feature
//! `failpoints`). At the end all that was acknowledged must have ended once, be paid once, and have been told of.
//!
//! Behind the feature `chaos`; without it this program builds and runs itself again with it.

#[cfg(feature = "chaos")]
mod books;
#[cfg(feature = "chaos")]
mod client;
#[cfg(feature = "chaos")]
mod kill;
#[cfg(feature = "chaos")]
mod receiver;
#[cfg(feature = "chaos")]
mod rounds;

use anyhow::Result;
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(crate) struct Options {
    /// How often the server is killed
    #[arg(long, value_name = "N", default_value_t = 200)]
    rounds: u32,
    /// Makes the same decisions as the run that printed it
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Kills this program, built with `failpoints`, in place of building one
    #[arg(long, value_name = "PATH")]
    program: Option<PathBuf>,
}

#[cfg(feature = "chaos")]
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let program = match &options.program {
        Some(program) => program.clone(),
        None => build(root)?,
    };
    rounds::run(&program, options.rounds, options.seed.unwrap_or_else(rand::random))
}

/// Builds the program that can be ended at named points.
#[cfg(feature = "chaos")]
fn build(root: &Path) -> Result<PathBuf> {
    let mut cargo =
        crate::test::cargo(root, &["build", "--package", "clipia-cli", "--features", "failpoints"]);
    let status = cargo.arg("--locked").status()?;
    anyhow::ensure!(status.success(), "`clipia` does not build");
    Ok(crate::test::program(root))
}

#[cfg(not(feature = "chaos"))]
pub(crate) fn run(root: &Path, _: &Options) -> Result<()> {
    crate::again(root, &["--features", "chaos"])
}
