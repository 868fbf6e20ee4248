//! `clipia backup`.

use crate::arguments::Server;
use anyhow::Context;
use clipia_server::admin::BackupOrder;
use std::path::Path;

pub(crate) async fn run(server: &Server, file: &Path) -> anyhow::Result<()> {
    let path = std::path::absolute(file).with_context(|| format!("cannot use `{}`", file.display()))?;
    let made = server.administration()?.back_up(&BackupOrder { path }).await?;
    server.tell(&made, |made| format!("saved {} ({} bytes)\n", made.path.display(), made.bytes))
}
