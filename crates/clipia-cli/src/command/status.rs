//! `clipia status`.

use crate::output;
use clap::Args;
use clipia::{Clipia, RequestId};

/// Tells how far a generation is
#[derive(Args)]
pub(crate) struct Options {
    /// The id that the submit answered
    id: RequestId,
}

pub(crate) async fn run(clipia: Clipia, options: Options) -> anyhow::Result<()> {
    output::json(&clipia.status(options.id).await?)
}
