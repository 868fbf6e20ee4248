//! `clipia result`.

use crate::output;
use clap::Args;
use clipia::{Clipia, RequestId};

/// Tells what came out of a generation
#[derive(Args)]
pub(crate) struct Options {
    /// The id that the submit answered
    id: RequestId,
}

pub(crate) async fn run(clipia: Clipia, options: Options) -> anyhow::Result<()> {
    output::json(&clipia.result(options.id).await?)
}
