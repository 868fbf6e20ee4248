//! `clipia export`.

use crate::arguments::Server;
use crate::figures;
use crate::output::say;
use clap::Args;
use clipia_server::clock::SystemClock;
use clipia_server::store::transfer::Figures;
use clipia_store_sqlite::export;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;

/// Writes the store of a stopped server to a file, to import it into a PostgreSQL database
#[derive(Args)]
#[command(after_help = "\
The file is for its owner only: it has the secrets of webhooks, prompts and outputs. Afterwards no server starts on the store in the data \
directory, since it would do what the other store does too. To go back, remove `clipia.moved` from the directory.

Examples:
  clipia export clipia.export --data /var/lib/clipia")]
pub(crate) struct Options {
    #[command(flatten)]
    server: Server,
    /// The file to write, which must not exist
    file: PathBuf,
}

/// What was exported.
#[derive(Serialize)]
struct Report {
    file: PathBuf,
    rules: u64,
    figures: Figures,
}

pub(crate) async fn run(Options { server, file }: Options) -> anyhow::Result<()> {
    let exported = export(server.data(), &file, Arc::new(SystemClock)).await?;
    let report = Report { file, rules: exported.checked.rules, figures: exported.figures };
    server.print(&report, |report| figures::text(&report.figures, report.rules))?;
    let (data, file) = (server.data().display(), report.file.display());
    say(format_args!(
        "Next: `clipia migrate` makes a store in the database, `clipia import {file}` fills it, and `clipia serve --database-url …` runs \
         on it. Then remove the file: it has secrets."
    ));
    say(format_args!(
        "Media are not in the file. They stay where they are, in `{data}` unless the key `media` says otherwise, and so do \
         `clipia.toml` and `models.toml`: start the server on the same directory, or copy them."
    ));
    say(format_args!(
        "No server starts on the store in `{data}` any more. To go back to it instead, remove `clipia.moved` from there."
    ));
    Ok(())
}
