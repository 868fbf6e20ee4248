//! `clipia wait`.

use crate::connection::Connection;
use crate::duration::duration;
use crate::ending::{self, Open, Saved};
use crate::exit::Interrupted;
use crate::format::Format;
use crate::progress::Board;
use crate::shell::word;
use clap::Args;
use clipia::{Clipia, Error, Outcome, RequestId};
use futures_util::future::join_all;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Waits for generations, and shows their results
#[derive(Args)]
#[command(after_help = "\
Each result is printed when all have ended, in the order of the ids. The exit code is that of the first that has no output.

Examples:
  clipia wait 0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de -o out
  clipia wait 0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de 0198c2f1-6a71-7e02-9d3c-2b7f0e4c5a11 --timeout 10m")]
pub(crate) struct Options {
    /// The request ids that the submits returned
    #[arg(required = true, value_name = "ID")]
    ids: Vec<RequestId>,
    /// Saves the files in this directory
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Gives up after so long, as `90s` or `10m`, with exit code 5; the generations go on
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    #[command(flatten)]
    open: Open,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    connection: Connection,
}

/// A generation that has ended, and where its files were saved.
struct Ended {
    outcome: Outcome,
    saved: Saved,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let clipia = options.connection.client()?;
    let board = Board::new();
    let waits =
        options.ids.iter().map(|id| wait(&clipia, &board, id, options.timeout, options.output.as_deref()));
    let ended = tokio::select! {
        ended = join_all(waits) => ended,
        // The branch is disabled if the system has no such signal.
        Ok(()) = tokio::signal::ctrl_c() => {
            let ids: Vec<_> = options.ids.iter().map(|id| word(id.as_str())).collect();
            return Err(Interrupted::new(format!("the generations go on; `clipia wait {}` waits again", ids.join(" "))).into());
        }
    };
    let mut first = None;
    for ended in ended {
        let said = match ended {
            Ok(Ended { outcome, saved }) => {
                ending::print(outcome.response(), saved, options.format, options.open)
                    .and_then(|()| outcome.completed().map(|_| ()).map_err(Into::into))
            }
            Err(error) => Err(error.into()),
        };
        if let Err(error) = said {
            first.get_or_insert(error);
        }
    }
    first.map_or(Ok(()), Err)
}

async fn wait(
    clipia: &Clipia,
    board: &Board,
    id: &RequestId,
    timeout: Option<Duration>,
    directory: Option<&Path>,
) -> Result<Ended, Error> {
    let mut line = board.line(id.as_str());
    let outcome = line.follow(&clipia.generation(id), timeout).await?;
    line.end(outcome.response().status.as_str());
    let saved = ending::save(&outcome, directory).await;
    Ok(Ended { outcome, saved })
}
