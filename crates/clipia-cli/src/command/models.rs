//! `clipia models`.

use crate::output;
use clap::Args;
use clipia::Clipia;

/// Lists the models, or shows one
#[derive(Args)]
pub(crate) struct Options {
    /// The model to show
    slug: Option<String>,
}

pub(crate) async fn run(clipia: Clipia, options: Options) -> anyhow::Result<()> {
    match options.slug {
        None => output::json(&clipia.models().await?),
        Some(slug) => output::json(&clipia.model(&slug).await?),
    }
}
