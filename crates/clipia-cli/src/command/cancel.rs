//! `clipia cancel`.

use super::requests;
use crate::arguments::Server;
use clap::Args;
use uuid::Uuid;

/// Cancels a generation of a server on this machine: its credits are returned, and its worker stops
#[derive(Args)]
#[command(after_help = "\
Clipia itself cancels nothing that was submitted. On another server, its operator can.

Examples:
  clipia cancel 0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de")]
pub(crate) struct Options {
    /// The request id that the submit returned
    id: Uuid,
    #[command(flatten)]
    server: Server,
}

pub(crate) async fn run(Options { id, server }: Options) -> anyhow::Result<()> {
    requests::cancel(&server, &server.administration()?, id).await
}
