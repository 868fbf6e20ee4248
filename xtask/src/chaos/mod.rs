//! `cargo xtask chaos`: a server is troubled and killed again and again under load, and must keep what it acknowledged.
//!
//! One data directory lives through all rounds. In each the real program starts on it, several clients submit, poll,
//! cancel and repeat, and it is ended as by `kill -9`: at a random moment, or at a named point of its code (the feature
//! `failpoints`), or after a trouble that it must go on through: a log or media that cannot be written, a clock that is
//! set, a stop. At the end all that was acknowledged must have ended once, be paid once, and have been told of.
//!
//! Behind the feature `chaos`; without it this program builds and runs itself again with it, and the server beside it.

#[cfg(feature = "chaos")]
mod books;
#[cfg(feature = "chaos")]
mod client;
#[cfg(feature = "chaos")]
mod place;
#[cfg(feature = "chaos")]
mod receiver;
#[cfg(feature = "chaos")]
mod rounds;
#[cfg(feature = "chaos")]
mod trouble;

use anyhow::Result;
use clap::Args;
use std::path::Path;

#[derive(Args)]
pub(crate) struct Options {
    /// How often the server is killed
    #[arg(long, value_name = "N", default_value_t = 200)]
    rounds: u32,
    /// Makes the same decisions as the run that printed it
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

#[cfg(feature = "chaos")]
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    rounds::run(&crate::test::program(root), options.rounds, options.seed.unwrap_or_else(rand::random))
}

#[cfg(not(feature = "chaos"))]
pub(crate) fn run(root: &Path, _: &Options) -> Result<()> {
    crate::again(
        root,
        "debug",
        &["--package", "clipia-cli", "--features", "xtask/chaos,clipia-cli/failpoints"],
    )
}
