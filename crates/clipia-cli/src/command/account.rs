//! `clipia account`.

use crate::output;
use clap::Args;
use clipia::Clipia;

/// Shows the credits of the key's account, and those spent in the last 30 days
#[derive(Args)]
pub(crate) struct Options {}

pub(crate) async fn run(clipia: Clipia, _: Options) -> anyhow::Result<()> {
    output::json(&clipia.account().await?)
}
