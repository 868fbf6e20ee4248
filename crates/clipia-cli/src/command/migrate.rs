//! `clipia migrate`.

use crate::arguments::Database;
use crate::output;
use clap::Args;
use clipia_store_postgres::migrate;
use serde::Serialize;

/// Makes the store in a PostgreSQL database, or brings it up to this version
#[derive(Args)]
#[command(after_help = "\
A server never does this by itself, since several may share the database. Stop them first where a release note says so: a server refuses \
a store of another version. Two migrations at the same time wait for each other, and there is no way back: keep a backup.

Examples:
  clipia migrate --database-url postgres://clipia@db.example.com/clipia")]
pub(crate) struct Options {
    #[command(flatten)]
    database: Database,
    /// Prints JSON; the default if stdout is not a terminal
    #[arg(long)]
    json: bool,
}

/// What a migration did.
#[derive(Serialize)]
struct Report {
    /// The version before; 0 where there was no store.
    from: i64,
    to: i64,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let migrated = migrate(&options.database.address()?).await?;
    let report = Report { from: migrated.from, to: migrated.to };
    output::text_or_json(&report, options.json, |Report { from, to }| match (from, to) {
        (0, to) => format!("made a store of version {to}\n"),
        (from, to) if from == to => format!("the store has version {to} already\n"),
        (from, to) => format!("brought the store from version {from} to {to}\n"),
    })
}
