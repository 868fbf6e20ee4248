//! `clipia backup`.

use crate::arguments::Server;
use anyhow::{Context, anyhow};
use clap::Args;
use clipia_admin::types::BackupOrder;
use std::path::PathBuf;

/// Copies the store of a server on this machine to a file, as of one moment
#[derive(Args)]
#[command(after_help = "\
Examples:
  clipia backup clipia-2026-11-30.db")]
pub(crate) struct Options {
    #[command(flatten)]
    server: Server,
    /// The file to write, which must not exist; it does not hold the media
    file: PathBuf,
}

pub(crate) async fn run(Options { server, file }: Options) -> anyhow::Result<()> {
    let path = std::path::absolute(&file).with_context(|| format!("cannot use `{}`", file.display()))?;
    let path = path.into_os_string().into_string();
    let path = path.map_err(|path| anyhow!("cannot use `{}`: its name is not UTF-8", path.display()))?;
    let made = server.administration()?.back_up(&BackupOrder { path }).await?;
    server.print(&made, |made| format!("saved {} ({} bytes)\n", made.path, made.bytes))
}
