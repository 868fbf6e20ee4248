//! `clipia log-level`.

use crate::arguments::Server;
use clap::Args;
use clipia_admin::types::LogLevelOrder;

/// Changes what a server on this machine logs, until its next start
#[derive(Args)]
#[command(after_help = "\
At the start, RUST_LOG says what is logged.

Examples:
  clipia log-level debug
  clipia log-level info,clipia_server::deliveries=trace")]
pub(crate) struct Options {
    /// A level, and levels for parts of the server
    filter: String,
    #[command(flatten)]
    server: Server,
}

pub(crate) async fn run(Options { filter, server }: Options) -> anyhow::Result<()> {
    let level = LogLevelOrder { filter: filter.try_into()? };
    server.print(&server.administration()?.set_log_level(&level).await?, |level| {
        format!("the server logs {}\n", level.filter)
    })
}
