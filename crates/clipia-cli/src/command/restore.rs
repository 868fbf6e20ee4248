//! `clipia restore`.

use crate::arguments::Server;
use crate::output::{facts, say, time};
use clap::Args;
use clipia_store_sqlite::{Restored, restore};
use std::path::PathBuf;

/// Replaces the store of a stopped server with a backup
#[derive(Args)]
#[command(after_help = "\
Examples:
  clipia restore clipia-2026-11-30.db --data /var/lib/clipia")]
pub(crate) struct Options {
    #[command(flatten)]
    server: Server,
    /// The backup; the file itself is not changed
    file: PathBuf,
}

pub(crate) fn run(Options { server, file }: Options) -> anyhow::Result<()> {
    let restored = restore(&file, server.data())?;
    server.print(&restored, text)?;
    say(format_args!(
        "A backup has no media, no `clipia.toml` and no `models.toml`: those of the data directory were left as they are. An \
         output can be downloaded if its file is there."
    ));
    say(format_args!(
        "Requests, grants and idempotency keys from after the backup are gone. Keys that were revoked after it are in force \
         again."
    ));
    if restored.deliveries_held > 0 {
        say(format_args!(
            "Its pending deliveries are held. Once the server runs, send them with `clipia webhooks resume`, or abandon them \
             with `clipia webhooks abandon`."
        ));
    }
    Ok(())
}

fn text(restored: &Restored) -> String {
    let replaced =
        restored.replaced.as_ref().map_or_else(|| "-".to_owned(), |path| path.display().to_string());
    let unfinished = match restored.requests_unfinished {
        0 => String::new(),
        some => format!(", of which {some} have not ended and go on at the next start"),
    };
    facts([
        ("store", restored.store.display().to_string()),
        ("time of backup", time(restored.backup_at)),
        ("newest request", time(restored.newest_request_at)),
        ("accounts", restored.accounts.to_string()),
        ("requests", format!("{}{unfinished}", restored.requests)),
        ("deliveries held", restored.deliveries_held.to_string()),
        ("old store", replaced),
    ])
}
