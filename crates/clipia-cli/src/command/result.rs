//! `clipia result`.

use crate::output;
use clap::Args;
use clipia::{Clipia, RequestId};

/// Shows the result of a generation
#[derive(Args)]
pub(crate) struct Options {
    /// The request id that the submit returned
    id: RequestId,
}

pub(crate) async fn run(clipia: Clipia, options: Options) -> anyhow::Result<()> {
    output::json(&clipia.result(options.id).await?)
}
