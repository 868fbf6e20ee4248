//! `clipia estimate`.

use crate::input::What;
use crate::output;
use clap::Args;
use clipia::Clipia;

/// Shows what an input would cost
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    what: What,
}

pub(crate) async fn run(clipia: Clipia, options: Options) -> anyhow::Result<()> {
    let input = options.what.input_to_estimate()?;
    output::json(&clipia.estimate(&options.what.model, input).await?)
}
