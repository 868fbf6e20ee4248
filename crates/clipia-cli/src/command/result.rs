//! `clipia result`.

use crate::connection::Connection;
use crate::ending::{self, Open};
use crate::format::Format;
use clap::Args;
use clipia::RequestId;
use std::path::PathBuf;

/// Shows the result of a generation, and saves its files with `--output`
#[derive(Args)]
#[command(after_help = "\
Examples:
  clipia result 0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de
  clipia result 0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de -o out --open")]
pub(crate) struct Options {
    /// The request id that the submit returned
    id: RequestId,
    /// Saves the files in this directory; exit code 5 if the generation has not ended
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    #[command(flatten)]
    open: Open,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    connection: Connection,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let clipia = options.connection.client()?;
    let Some(directory) = options.output else {
        return ending::print(&clipia.result(options.id).await?, None, options.format, options.open);
    };
    let outcome = clipia.generation(options.id).outcome().await?;
    let saved = ending::save(&outcome, Some(&directory)).await;
    ending::print(outcome.response(), saved, options.format, options.open)?;
    outcome.completed()?;
    Ok(())
}
