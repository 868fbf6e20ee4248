//! `clipia webhooks`.

use crate::arguments::Server;
use crate::output::{facts, table, time};
use clap::{ArgGroup, Subcommand};
use clipia_server::RequestId;
use clipia_server::admin::{Administration, AdministrationError, DeliveryQuery, ReplayOrder};
use clipia_server::store::{AccountId, DeliveryDetails, DeliveryListing, DeliveryState};
use jiff::{SpanRelativeTo, Timestamp};
use serde::Serialize;
use uuid::Uuid;

#[derive(Subcommand)]
pub(crate) enum Action {
    /// Lists deliveries of every account, the newest first
    List {
        /// Only those that were given up
        #[arg(long)]
        failed: bool,
        /// Only those that wait since a restore
        #[arg(long, conflicts_with = "failed")]
        held: bool,
        /// Only those of this account
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// Only that of this request
        #[arg(long, value_name = "ID")]
        request: Option<RequestId>,
        /// How many
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: u32,
    },
    /// Tells the attempts at a delivery, and how they went
    Show {
        /// The delivery's id
        id: Uuid,
    },
    /// Has deliveries attempted once more, now
    #[command(group = ArgGroup::new("which").required(true).args(["id", "failed_since"]))]
    Replay {
        /// The delivery's id
        id: Option<Uuid>,
        /// All that were given up since then: `2h` ago, `1d 12h` ago, or at 2026-01-31T09:30:00Z
        #[arg(long, value_name = "WHEN", value_parser = since)]
        failed_since: Option<Timestamp>,
    },
    /// Sends the deliveries that came with a restored backup, which wait for this word
    Resume,
    /// Gives up the deliveries that came with a restored backup; `replay` still sends each
    Abandon,
    /// Makes an account another secret to sign with, and prints it this once; the old one signs too for a while
    Rotate {
        /// The account, as `clipia accounts list` tells it
        #[arg(long, value_name = "ID")]
        account: String,
    },
}

/// What was replayed.
#[derive(Serialize)]
struct Count {
    replayed: u64,
}

/// What was held and is sent.
#[derive(Serialize)]
struct Resumed {
    resumed: u64,
}

/// What was held and is given up.
#[derive(Serialize)]
struct Abandoned {
    abandoned: u64,
}

pub(crate) async fn run(server: &Server, action: Action) -> anyhow::Result<()> {
    let administration = server.administration()?;
    match action {
        Action::List { failed, held, account, request, limit } => {
            let state = match (failed, held) {
                (true, _) => Some(DeliveryState::Abandoned),
                (_, true) => Some(DeliveryState::Held),
                _ => None,
            };
            let account = account.map(AccountId);
            let query = DeliveryQuery { state, account, request, before: None, limit };
            server.tell(&list(&administration, query).await?, |deliveries| {
                table(
                    ["DELIVERY", "REQUEST", "URL", "STATE", "ATTEMPTS", "ENDED", "NEXT"],
                    deliveries.iter().map(row),
                )
            })
        }
        Action::Show { id } => server.tell(&administration.delivery(id).await?, details),
        Action::Replay { id: Some(id), .. } => {
            administration.replay(id).await?;
            tell_count(server, 1)
        }
        Action::Replay { failed_since, .. } => {
            let failed_since = failed_since.unwrap_or(Timestamp::MAX);
            tell_count(server, replay_failed(&administration, failed_since).await?)
        }
        Action::Resume => {
            let resumed = administration.resume_deliveries().await?.count;
            server.tell(&Resumed { resumed }, |_| format!("{resumed} held deliveries are sent now\n"))
        }
        Action::Abandon => {
            let abandoned = administration.abandon_deliveries().await?.count;
            server.tell(&Abandoned { abandoned }, |_| format!("{abandoned} held deliveries are given up\n"))
        }
        Action::Rotate { account } => {
            let made = administration.rotate_webhook_secret(&AccountId(account)).await?;
            server.tell(&made, |made| {
                let until = time(Some(made.old_signs_until));
                let facts = facts([
                    ("account", made.account_id.to_string()),
                    ("webhook secret", made.webhook_secret.clone()),
                    ("old secret", format!("signs too until {until}")),
                ]);
                format!("{facts}\nThe secret is shown this once: give it to the receivers before the old one ends\n")
            })
        }
    }
}

fn tell_count(server: &Server, replayed: u64) -> anyhow::Result<()> {
    server.tell(&Count { replayed }, |_| {
        format!(
            "{replayed} {} attempted once more\n",
            if replayed == 1 { "delivery is" } else { "deliveries are" }
        )
    })
}

/// As many deliveries as the query wants, a page after the other.
async fn list(
    administration: &Administration,
    mut query: DeliveryQuery,
) -> Result<Vec<DeliveryListing>, AdministrationError> {
    let mut listed = Vec::new();
    while query.limit > 0 {
        let page = administration.deliveries(&query).await?;
        let Some(last) = page.last() else { break };
        query.before = Some(last.id);
        query.limit = query.limit.saturating_sub(u32::try_from(page.len()).unwrap_or(u32::MAX));
        listed.extend(page);
    }
    Ok(listed)
}

/// Replays all that were given up since then; tells how many.
async fn replay_failed(
    administration: &Administration,
    mut failed_since: Timestamp,
) -> Result<u64, AdministrationError> {
    let mut count = 0;
    loop {
        let replayed = administration.replay_failed(&ReplayOrder { failed_since }).await?;
        count += replayed.count;
        match replayed.next {
            Some(next) => failed_since = next,
            None => return Ok(count),
        }
    }
}

/// A time, or how long ago.
fn since(text: &str) -> Result<Timestamp, String> {
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
        time(Some(delivery.created_at)),
        time(delivery.next_at),
    ]
}

fn state(delivery: &DeliveryListing) -> String {
    let postponed = if delivery.postponed { " (postponed)" } else { "" };
    format!("{}{postponed}", delivery.state.name())
}

/// A delivery and its attempts.
pub(super) fn details(details: &DeliveryDetails) -> String {
    let delivery = &details.delivery;
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
