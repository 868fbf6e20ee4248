//! `clipia status`.

use crate::connection::Connection;
use crate::format::Format;
use crate::output::facts;
use clap::Args;
use clipia::{RequestId, StatusResponse};

/// Shows the status of a generation
#[derive(Args)]
#[command(after_help = "Examples:\n  clipia status 0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de")]
pub(crate) struct Options {
    /// The request id that the submit returned
    id: RequestId,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    connection: Connection,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let status = options.connection.client()?.status(options.id).await?;
    options.format.print(&status, text)
}

fn text(status: &StatusResponse) -> String {
    let mut rows = vec![("request", status.request_id.to_string()), ("status", status.status.to_string())];
    rows.extend(status.queue_position.map(|ahead| ("queue", format!("{ahead} ahead"))));
    rows.extend(status.progress.map(|progress| ("progress", format!("{} %", progress.percent()))));
    facts(rows)
}
