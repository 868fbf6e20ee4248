//! `clipia webhooks`.

mod check;
mod send;

use crate::arguments::Server;
use crate::output::{age, facts, table, time};
use clap::{ArgGroup, Args, Subcommand};
use clipia_admin::types::{
    DeliveryDetails, DeliveryListing, DeliveryState, ListDeliveriesQuery, RotationOrder, SecretsListing,
};
use jiff::{SpanRelativeTo, Timestamp};
use serde::Serialize;
use std::time::Duration;
use uuid::Uuid;

/// Checks a receiver of webhooks; lists and replays the deliveries of a server on this machine, and rotates the secrets that sign them
#[derive(Args)]
#[command(after_help = "\
Examples:
  clipia webhooks check http://localhost:3000/clipia
  clipia webhooks list --failed
  clipia webhooks replay --failed-since 2h")]
pub(crate) struct Options {
    #[command(flatten)]
    server: Server,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    Check(check::Options),
    Send(send::Options),
    #[command(flatten)]
    Administration(Administration),
}

/// What an operator does with the deliveries of a server on this machine.
#[derive(Subcommand)]
enum Administration {
    /// Lists the deliveries of all accounts, newest first
    List {
        /// Only abandoned deliveries, which are not attempted again
        #[arg(long)]
        failed: bool,
        /// Only deliveries held since a restore
        #[arg(long, conflicts_with = "failed")]
        held: bool,
        /// Only deliveries of this account
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// Only the delivery of this request
        #[arg(long, value_name = "ID")]
        request: Option<Uuid>,
        /// The number of deliveries
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: u32,
    },
    /// Shows a delivery and its attempts
    Show {
        /// The delivery's id
        id: Uuid,
    },
    /// Sends deliveries again, now
    #[command(group = ArgGroup::new("which").required(true).args(["id", "failed_since"]))]
    Replay {
        /// The delivery's id
        id: Option<Uuid>,
        /// All deliveries abandoned since: `2h` (ago), `1d 12h` (ago), or 2026-01-31T09:30:00Z
        #[arg(long, value_name = "WHEN", value_parser = since)]
        failed_since: Option<Timestamp>,
    },
    /// Sends the deliveries that are held since a restore
    Resume,
    /// Abandons the deliveries that are held since a restore; `replay` still sends each
    Abandon,
    /// Creates a webhook secret for an account and prints it; the old secret signs too for a while
    #[command(after_help = ROTATION)]
    Rotate {
        /// The account's id, as `clipia accounts list` shows it
        #[arg(long, value_name = "ID")]
        account: String,
        #[command(flatten)]
        times: Times,
    },
    /// Shows when the secrets of an account sign, or changes the times of a rotation that is under way
    #[command(after_help = ROTATION)]
    Rotation {
        /// The account's id, as `clipia accounts list` shows it
        #[arg(long, value_name = "ID")]
        account: String,
        #[command(flatten)]
        times: Times,
    },
}

/// What an operator must know about a rotation.
const ROTATION: &str = "\
A delivery carries one signature for each secret. Many receivers know one secret and check the last signature only: they need
the old secret until the new one signs last, and the new one from then on. Receivers that know both secrets work throughout.";

/// The times of a rotation.
#[derive(Args)]
struct Times {
    /// When the new secret's signature comes last: `now`, `2h` (from now), or 2026-01-31T09:30:00Z; by default when the old one ends
    #[arg(long, value_name = "WHEN", value_parser = until)]
    new_last: Option<Duration>,
    /// When the old secret ends: `now`, `2h` (from now), or 2026-01-31T09:30:00Z; by default in 24 hours
    #[arg(long, value_name = "WHEN", value_parser = until)]
    old_ends: Option<Duration>,
}

impl Times {
    fn order(&self) -> RotationOrder {
        let seconds = |duration: Option<Duration>| duration.map(|duration| duration.as_secs());
        RotationOrder {
            new_last_in_seconds: seconds(self.new_last),
            old_end_in_seconds: seconds(self.old_ends),
        }
    }
}

/// The number of deliveries replayed.
#[derive(Serialize)]
struct Replayed {
    replayed: u64,
}

/// The number of held deliveries that are sent now.
#[derive(Serialize)]
struct Resumed {
    resumed: u64,
}

/// The number of held deliveries that were abandoned.
#[derive(Serialize)]
struct Abandoned {
    abandoned: u64,
}

pub(crate) async fn run(Options { server, action }: Options) -> anyhow::Result<()> {
    match action {
        Action::Check(options) => check::run(&server, options).await,
        Action::Send(options) => send::run(&server, options).await,
        Action::Administration(action) => administer(&server, action).await,
    }
}

async fn administer(server: &Server, action: Administration) -> anyhow::Result<()> {
    let administration = server.administration()?;
    match action {
        Administration::List { failed, held, account, request, limit } => {
            let state = match (failed, held) {
                (true, _) => Some(DeliveryState::Abandoned),
                (_, true) => Some(DeliveryState::Held),
                _ => None,
            };
            let request_id = request.map(|id| id.to_string().into());
            let query = ListDeliveriesQuery { account_id: account, before: None, limit, request_id, state };
            server.print(&administration.deliveries(query).await?, |deliveries| {
                table(
                    ["DELIVERY", "REQUEST", "URL", "STATE", "ATTEMPTS", "ENDED", "NEXT"],
                    deliveries.iter().map(row),
                )
            })
        }
        Administration::Show { id } => server.print(&administration.get_delivery(&id).await?, details),
        Administration::Replay { id: Some(id), .. } => {
            administration.replay_delivery(&id).await?;
            print_replayed(server, 1)
        }
        Administration::Replay { failed_since, .. } => {
            let failed_since = failed_since.unwrap_or(Timestamp::MAX);
            print_replayed(server, administration.replay_failed(failed_since).await?)
        }
        Administration::Resume => {
            let resumed = administration.resume_deliveries().await?.count;
            server.print(&Resumed { resumed }, |_| format!("{resumed} held deliveries are sent now\n"))
        }
        Administration::Abandon => {
            let abandoned = administration.abandon_deliveries().await?.count;
            server.print(&Abandoned { abandoned }, |_| format!("{abandoned} held deliveries are abandoned\n"))
        }
        Administration::Rotate { account, times } => {
            let made = administration.rotate_webhook_secret(&account, &times.order()).await?;
            server.print(&made, |made| {
                let facts = facts([
                    ("account", made.account_id.clone()),
                    ("webhook secret", made.webhook_secret.reveal().to_owned()),
                    ("signs last", format!("from {}", time(Some(made.new_last_from)))),
                    ("old secret", format!("signs too until {}", time(Some(made.old_sign_until)))),
                ]);
                format!(
                    "{facts}\nThe secret is not shown again. Give it to receivers that know one secret when it signs last, and \
                     to others before the old secret ends\n"
                )
            })
        }
        Administration::Rotation { account, times: Times { new_last: None, old_ends: None } } => {
            server.print(&administration.list_webhook_secrets(&account).await?, secrets)
        }
        Administration::Rotation { account, times } => {
            let changed = administration.replan_rotation(&account, &times.order()).await?;
            server.print(&changed, secrets)
        }
    }
}

fn print_replayed(server: &Server, replayed: u64) -> anyhow::Result<()> {
    server.print(&Replayed { replayed }, |_| {
        format!("{replayed} {} sent again\n", if replayed == 1 { "delivery is" } else { "deliveries are" })
    })
}

/// The secrets of an account, the newest first.
fn secrets(listing: &SecretsListing) -> String {
    let rows = listing
        .secrets
        .iter()
        .map(|secret| [time(Some(secret.created_at)), time(secret.last_from), time(secret.ends_at)]);
    table(["CREATED", "SIGNS LAST FROM", "ENDS"], rows)
}

/// The duration from now that `text` names, as a duration or as a time. A time in the past is now.
fn until(text: &str) -> Result<Duration, String> {
    let wrong = "write `now`, a duration such as `2h`, or a time such as `2026-01-31T09:30:00Z`";
    if text == "now" {
        return Ok(Duration::ZERO);
    }
    let left = match text.parse::<Timestamp>() {
        Ok(at) => at.duration_since(Timestamp::now()),
        Err(_) => {
            let span: jiff::Span = text.parse().map_err(|_| wrong)?;
            span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong)?
        }
    };
    Ok(Duration::try_from(left).unwrap_or_default())
}

/// The time that `text` names, as a time or as a duration before now.
pub(crate) fn since(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let wrong = "write a duration such as `2h`, or a time such as `2026-01-31T09:30:00Z`";
    let span: jiff::Span = text.parse().map_err(|_| wrong)?;
    let ago = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong)?;
    Timestamp::now().checked_sub(ago.abs()).map_err(|_| wrong.to_owned())
}

fn row(delivery: &DeliveryListing) -> [String; 7] {
    [
        delivery.id.to_string(),
        delivery.request_id.to_string(),
        delivery.url.clone(),
        state(delivery),
        delivery.attempts.to_string(),
        age(Some(delivery.created_at)),
        time(delivery.next_at),
    ]
}

fn state(delivery: &DeliveryListing) -> String {
    let postponed = if delivery.postponed { " (postponed)" } else { "" };
    format!("{}{postponed}", delivery.state)
}

/// A delivery and its attempts.
pub(super) fn details(details: &DeliveryDetails) -> String {
    let delivery = &details.listing;
    let mut text = facts([
        ("delivery", delivery.id.to_string()),
        ("request", delivery.request_id.to_string()),
        ("url", delivery.url.clone()),
        ("state", state(delivery)),
        ("next attempt", time(delivery.next_at)),
    ]);
    let attempts = details.log.iter().map(|attempt| {
        let number = format!("{}{}", attempt.number, if attempt.replay { " (replay)" } else { "" });
        let status = attempt.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
        let error = attempt.error.clone().unwrap_or_else(|| "-".to_owned());
        [number, time(Some(attempt.at)), status, format!("{} ms", attempt.duration_ms), error]
    });
    text += &format!("\n{}", table(["ATTEMPT", "TIME", "STATUS", "TOOK", "ERROR"], attempts));
    text
}
