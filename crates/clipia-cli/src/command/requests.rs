//! `clipia requests`.

mod logs;

use super::webhooks;
use crate::arguments::Server;
use crate::output::{age, facts, table, time};
use clap::{Args, Subcommand, ValueEnum};
use clipia::RequestId;
use clipia_admin::Administration;
use clipia_admin::types::{ListRequestsQuery, Occurrence, RequestDetails, RequestListing};
use jiff::Timestamp;
use uuid::Uuid;

/// Lists, shows and cancels the requests of a server on this machine, and shows their log lines
#[derive(Args)]
#[command(after_help = "\
Examples:
  clipia requests list --status failed --since 2h
  clipia requests list --text lighthouse
  clipia requests show 0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de
  clipia requests logs 0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de")]
pub(crate) struct Options {
    #[command(flatten)]
    server: Server,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Lists the requests of all accounts, newest first
    List {
        /// Only requests with this status
        #[arg(long, ignore_case = true)]
        status: Option<Status>,
        /// Only requests of this account
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// Only requests of this model
        #[arg(long)]
        model: Option<String>,
        /// Only requests of this key, by its public name
        #[arg(long, value_name = "ID")]
        key_id: Option<String>,
        /// Only requests accepted since: `2h` (ago), `1d 12h` (ago), or 2026-01-31T09:30:00Z
        #[arg(long, value_name = "WHEN", value_parser = webhooks::since)]
        since: Option<Timestamp>,
        /// Only requests with these words in their input or their error; the last may be the beginning of a word
        #[arg(long, value_name = "WORDS")]
        text: Option<String>,
        /// The number of requests
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: u32,
    },
    /// Shows the history of a request: its attempts with their workers, its credits and its deliveries
    Show {
        /// The request's id
        id: Uuid,
    },
    /// Shows what the attempts at a request logged: the time, the attempt and the line
    Logs(logs::Options),
    /// Cancels a request that has not ended: its credits are returned, and its worker stops
    Cancel {
        /// The request's id
        id: Uuid,
    },
}

/// The statuses of the API, as people type them.
#[derive(Clone, Copy, ValueEnum)]
enum Status {
    #[value(alias = "in_queue")]
    InQueue,
    #[value(alias = "in_progress")]
    InProgress,
    Completed,
    Failed,
    Canceled,
}

impl From<Status> for clipia::Status {
    fn from(status: Status) -> Self {
        match status {
            Status::InQueue => Self::InQueue,
            Status::InProgress => Self::InProgress,
            Status::Completed => Self::Completed,
            Status::Failed => Self::Failed,
            Status::Canceled => Self::Canceled,
        }
    }
}

pub(crate) async fn run(Options { server, action }: Options) -> anyhow::Result<()> {
    let administration = server.administration()?;
    match action {
        Action::List { status, account, model, key_id, since, text, limit } => {
            let status = status.map(clipia::Status::from);
            let query = ListRequestsQuery {
                account_id: account,
                after: None,
                key_id,
                limit,
                model,
                since,
                status,
                text,
            };
            server.print(&administration.requests(query).await?, |requests| {
                table(
                    ["REQUEST", "ACCOUNT", "MODEL", "STATUS", "CREDITS", "CREATED", "ENDED"],
                    requests.iter().map(row),
                )
            })
        }
        Action::Show { id } => server.print(&administration.get_request(&request_id(id)).await?, details),
        Action::Logs(options) => logs::run(&server, &administration, options).await,
        Action::Cancel { id } => cancel(&server, &administration, id).await,
    }
}

/// Cancels a request, and prints what was returned.
pub(crate) async fn cancel(server: &Server, administration: &Administration, id: Uuid) -> anyhow::Result<()> {
    server.print(&administration.cancel_request(&request_id(id)).await?, |canceled| {
        format!(
            "canceled {}: {} credits returned to {}, which has {} available\n",
            canceled.request_id, canceled.returned, canceled.account_id, canceled.available
        )
    })
}

fn request_id(id: Uuid) -> RequestId {
    id.to_string().into()
}

fn row(request: &RequestListing) -> [String; 7] {
    [
        request.request_id.to_string(),
        request.account_id.clone(),
        request.model.clone(),
        status(request),
        request.cost.to_string(),
        age(Some(request.created_at)),
        age(request.completed_at),
    ]
}

/// The status of a request, with its queue position or its progress.
fn status(request: &RequestListing) -> String {
    let status = &request.status;
    match (request.queue_position, request.progress) {
        (Some(ahead), _) => format!("{status} ({ahead} ahead)"),
        (_, Some(progress)) => format!("{status} ({} %)", progress.percent()),
        _ => status.to_string(),
    }
}

/// Whose attempt it is. No worker on another machine has the name of the server's own: names have no spaces.
fn worker(of: &Occurrence) -> String {
    match (&of.worker, of.attempt) {
        (Some(name), _) => name.clone(),
        (None, Some(_)) => "of the server".to_owned(),
        (None, None) => String::new(),
    }
}

fn details(details: &RequestDetails) -> String {
    let request = &details.listing;
    let kind = if request.sandbox { "sandbox, nothing is charged" } else { "live" };
    let mut text = facts([
        ("request", request.request_id.to_string()),
        ("account", request.account_id.clone()),
        ("key", format!("{} ({kind})", request.key_id)),
        ("model", request.model.clone()),
        ("status", status(request)),
        ("credits", request.cost.to_string()),
        ("error", request.error.clone().unwrap_or_else(|| "-".to_owned())),
    ]);
    let timeline = details.timeline.iter().map(|occurrence| {
        let attempt = occurrence.attempt.map(|number| number.to_string()).unwrap_or_default();
        [time(Some(occurrence.at)), occurrence.what.to_string(), attempt, worker(occurrence)]
    });
    text += &format!("\n{}", table(["TIME", "EVENT", "ATTEMPT", "WORKER"], timeline));
    if !details.movements.is_empty() {
        let movements = details.movements.iter().map(|movement| {
            [time(Some(movement.at)), movement.kind.clone(), format!("{:+}", movement.available)]
        });
        text += &format!("\n{}", table(["TIME", "CREDITS", "AVAILABLE"], movements));
    }
    for delivery in &details.deliveries {
        text += &format!("\n{}", webhooks::details(delivery));
    }
    text
}
