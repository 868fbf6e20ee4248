//! `clipia queues`.

use crate::arguments::Server;
use crate::output::{age, table};
use clap::{Args, Subcommand};
use clipia_admin::types::QueueListing;

/// Lists, pauses and resumes the queues of a server on this machine
#[derive(Args)]
#[command(after_help = "\
Examples:
  clipia queues list
  clipia queues pause gpu
  clipia queues resume gpu")]
pub(crate) struct Options {
    #[command(flatten)]
    server: Server,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Lists the queues, one for each executor
    List,
    /// Pauses a queue, also over restarts: it takes submits, running requests end, and no other one starts
    Pause {
        /// The queue's name, as `clipia queues list` shows it
        name: String,
    },
    /// Resumes a queue
    Resume {
        /// The queue's name, as `clipia queues list` shows it
        name: String,
    },
}

pub(crate) async fn run(Options { server, action }: Options) -> anyhow::Result<()> {
    let administration = server.administration()?;
    match action {
        Action::List => server.print(&administration.list_queues().await?, |queues| {
            table(
                ["QUEUE", "ORDER", "WAITING", "RUNNING", "ACCOUNTS", "PAUSED SINCE"],
                queues.0.iter().map(row),
            )
        }),
        Action::Pause { name } => server.print(&administration.pause_queue(&name).await?, |queue| {
            let (waiting, running) = (queue.waiting, queue.running);
            format!("{} is paused: {waiting} requests wait, and {running} still run\n", queue.queue)
        }),
        Action::Resume { name } => server.print(&administration.resume_queue(&name).await?, |queue| {
            format!("{} goes on: {} requests wait\n", queue.queue, queue.waiting)
        }),
    }
}

fn row(queue: &QueueListing) -> [String; 6] {
    [
        queue.queue.clone(),
        queue.order.to_string(),
        queue.waiting.to_string(),
        queue.running.to_string(),
        queue.accounts.to_string(),
        age(queue.paused_at),
    ]
}
