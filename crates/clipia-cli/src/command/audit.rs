//! `clipia audit`.

use crate::arguments::Server;
use crate::output::{table, time};
use clap::Args;
use clipia_server::admin::{Administration, AdministrationError, AuditQuery};
use clipia_server::store::AuditEntry;

/// Lists what operators did to a server on this machine, and how often keys and tokens were refused
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    server: Server,
    /// The number of entries
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: u32,
}

pub(crate) async fn run(Options { server, limit }: Options) -> anyhow::Result<()> {
    server.print(&list(&server.administration()?, limit).await?, |entries| {
        let row = |entry: &AuditEntry| {
            [time(Some(entry.at)), entry.act.clone(), entry.subject.clone(), entry.detail.clone()]
        };
        table(["TIME", "ACT", "SUBJECT", "DETAIL"], entries.iter().map(row))
    })
}

/// The newest `limit` entries, read page by page.
async fn list(
    administration: &Administration,
    mut limit: u32,
) -> Result<Vec<AuditEntry>, AdministrationError> {
    let (mut listed, mut before) = (Vec::new(), None);
    while limit > 0 {
        let page = administration.audit(AuditQuery { before, limit }).await?;
        let Some(last) = page.last() else { break };
        before = Some(last.number);
        limit = limit.saturating_sub(u32::try_from(page.len()).unwrap_or(u32::MAX));
        listed.extend(page);
    }
    Ok(listed)
}
