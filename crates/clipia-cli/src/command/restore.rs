//! `clipia restore`.

use crate::arguments::Server;
use crate::output::{facts, say, time};
use clap::Args;
use clipia_store_sqlite::{Restored, restore};
use std::path::PathBuf;

/// Puts a backup in the place of the store, where no server runs on it
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    server: Server,
    /// The backup, which stays where it is
    file: PathBuf,
}

pub(crate) fn run(Options { server, file }: Options) -> anyhow::Result<()> {
    let restored = restore(&file, server.data())?;
    server.tell(&restored, text)?;
    say(format_args!(
        "The media, `clipia.toml` and `models.toml` are in no backup and are as they were: outputs are there as far as their \
         files are."
    ));
    say(format_args!(
        "What was done since the backup is gone: requests, grants and idempotency keys. Keys that were revoked since are in \
         force again."
    ));
    if restored.deliveries_held > 0 {
        say(format_args!(
            "Its deliveries wait: once the server runs, `clipia webhooks resume` sends them and `clipia webhooks abandon` \
             gives them up."
        ));
    }
    Ok(())
}

fn text(restored: &Restored) -> String {
    let replaced =
        restored.replaced.as_ref().map_or_else(|| "-".to_owned(), |path| path.display().to_string());
    let unfinished = match restored.requests_unfinished {
        0 => String::new(),
        some => format!(", of which {some} go on at the next start"),
    };
    facts([
        ("store", restored.store.display().to_string()),
        ("as it was at", time(restored.backup_at)),
        ("newest request", time(restored.newest_request_at)),
        ("accounts", restored.accounts.to_string()),
        ("requests", format!("{}{unfinished}", restored.requests)),
        ("deliveries held", restored.deliveries_held.to_string()),
        ("old store", replaced),
    ])
}
