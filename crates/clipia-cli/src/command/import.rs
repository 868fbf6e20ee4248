//! `clipia import`.

use crate::arguments::Database;
use crate::figures;
use crate::output::{self, say};
use clap::Args;
use clipia_server::store::transfer::Figures;
use clipia_store_postgres::import;
use jiff::Timestamp;
use serde::Serialize;
use std::path::PathBuf;

/// Fills an empty store in a PostgreSQL database from a file of `clipia export`
#[derive(Args)]
#[command(after_help = "\
`clipia migrate` makes the empty store. All is imported in one transaction, then read again and compared with the store that was exported, \
and examined as by `clipia doctor`. Where anything differs, nothing is imported.
Requests that wait keep their order, and deliveries that are pending are sent once a server runs.

Examples:
  clipia import clipia.export --database-url postgres://clipia@db.example.com/clipia")]
pub(crate) struct Options {
    #[command(flatten)]
    database: Database,
    /// The file of `clipia export`
    file: PathBuf,
    /// Prints JSON; the default if stdout is not a terminal
    #[arg(long)]
    json: bool,
}

/// What was imported.
#[derive(Serialize)]
struct Report {
    exported_at: Timestamp,
    rules: u64,
    figures: Figures,
}

pub(crate) async fn run(Options { database, file, json }: Options) -> anyhow::Result<()> {
    let imported = import(&database.address()?, &file).await?;
    let report = Report {
        exported_at: imported.header.exported_at,
        rules: imported.checked.rules,
        figures: imported.figures,
    };
    output::text_or_json(&report, json, |report| figures::text(&report.figures, report.rules))?;
    say(format_args!(
        "Every row of the database is that of the store that was exported. Remove `{}`: it has secrets.",
        file.display()
    ));
    Ok(())
}
