//! `clipia audit`.

use crate::arguments::Server;
use crate::output::{age, table};
use clap::Args;
use clipia_admin::types::AuditEntry;

/// Lists what operators did to a server on this machine, and how often keys and tokens were refused
#[derive(Args)]
#[command(after_help = "\
Examples:
  clipia audit --limit 50")]
pub(crate) struct Options {
    #[command(flatten)]
    server: Server,
    /// The number of entries
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: u32,
}

pub(crate) async fn run(Options { server, limit }: Options) -> anyhow::Result<()> {
    server.print(&server.administration()?.audit(limit).await?, |entries| {
        let row = |entry: &AuditEntry| {
            [age(Some(entry.at)), entry.act.clone(), entry.subject.clone(), entry.detail.clone()]
        };
        table(["TIME", "ACT", "SUBJECT", "DETAIL"], entries.iter().map(row))
    })
}
