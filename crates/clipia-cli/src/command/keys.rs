//! `clipia keys`.

use crate::arguments::Server;
use crate::output::{self, age, facts, table};
use clap::{Args, Subcommand, ValueEnum};
use clipia_admin::Administration;
use clipia_admin::GRANT_MAX;
use clipia_admin::types::{BudgetPeriod, CreditBudget, KeyLimits, KeyListing, KeyOrder, Scopes};
use std::num::NonZeroU32;

/// Creates, lists and revokes the keys of a server on this machine
#[derive(Args)]
#[command(after_help = "\
Examples:
  clipia keys create --rpm 600
  clipia keys create --credits 500 --per month
  clipia keys create --test
  clipia keys list
  clipia keys revoke key_0a1b2c3d")]
pub(crate) struct Options {
    #[command(flatten)]
    server: Server,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Creates a key and prints it; it is not shown again
    Create {
        /// The key's account; by default that of the server's first key
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// Creates a sandbox key: its generations are samples that cost nothing
        #[arg(long)]
        test: bool,
        /// What the key may do; every key may read
        #[arg(long, value_delimiter = ',', default_value = "generate,read")]
        scope: Vec<Scope>,
        /// Requests a minute, 0 for no limit; by default the server's limit
        #[arg(long, value_name = "N")]
        rpm: Option<u32>,
        /// Generations queued or running at once, 0 for no limit; by default the server's limit
        #[arg(long, value_name = "N")]
        in_flight: Option<u32>,
        /// Credits that the key may spend in each day or month by UTC; by default as many as its account has
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=GRANT_MAX))]
        credits: Option<u64>,
        /// The period of --credits, after which as many can be spent again
        #[arg(long, value_name = "PERIOD", default_value = "day", requires = "credits")]
        per: Per,
    },
    /// Lists the keys; of each only its kind and its last characters are shown
    List,
    /// Revokes a key at once
    Revoke {
        /// The key's id, as `clipia keys list` shows it
        id: String,
    },
}

/// The periods of the calendar that a budget may have.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Per {
    Day,
    Month,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scope {
    Generate,
    Read,
}

pub(crate) async fn run(Options { server, action }: Options) -> anyhow::Result<()> {
    let administration = server.administration()?;
    match action {
        Action::Create { account, test, scope, rpm, in_flight, credits, per } => {
            let account_id = match account {
                Some(id) => id,
                None => first_account(&administration).await?,
            };
            let scopes = Scopes { generate: scope.contains(&Scope::Generate) };
            let per = match per {
                Per::Day => BudgetPeriod::Day,
                Per::Month => BudgetPeriod::Month,
            };
            let budget = |max: u64| max.try_into().map(|max| CreditBudget { max, per });
            let credits = credits.map(budget).transpose()?;
            let limits = KeyLimits { requests_per_minute: rpm, in_flight_max: in_flight, credits };
            let order = KeyOrder { account_id, sandbox: test, scopes, limits };
            server.print(&administration.create_key(&order).await?, |made| {
                let facts = facts([("id", made.id.clone()), ("key", made.key.reveal().to_owned())]);
                format!("{facts}\nThe key is not shown again: keep it\n")
            })
        }
        Action::List => server.print(&administration.keys().await?, |keys| {
            table(
                ["ID", "ACCOUNT", "KEY", "SCOPES", "RPM", "IN FLIGHT", "CREDITS", "CREATED", "REVOKED"],
                keys.iter().map(row),
            )
        }),
        Action::Revoke { id } => {
            administration.revoke_key(&id).await?;
            output::say(format_args!("revoked {id}"));
            Ok(())
        }
    }
}

fn row(key: &KeyListing) -> [String; 9] {
    [
        key.id.clone(),
        key.account_id.clone(),
        key.hint.clone(),
        (if key.scopes.generate { "generate,read" } else { "read" }).to_owned(),
        limit(key.limits.requests_per_minute),
        limit(key.limits.in_flight_max),
        spent(key),
        age(Some(key.created_at)),
        age(key.revoked_at),
    ]
}

/// A limit that one key has of its own, as a table cell.
fn limit(own: Option<u32>) -> String {
    match own {
        None => "-".to_owned(),
        Some(0) => "none".to_owned(),
        Some(limit) => limit.to_string(),
    }
}

/// What a key has spent of its credit budget, as a table cell.
fn spent(key: &KeyListing) -> String {
    match (&key.limits.credits, &key.spent) {
        (Some(budget), Some(spent)) => format!("{} of {} a {}", spent.credits, budget.max, budget.per),
        _ => "-".to_owned(),
    }
}

async fn first_account(administration: &Administration) -> anyhow::Result<String> {
    let first = administration.list_keys(None, Some(NonZeroU32::MIN)).await?.keys.pop();
    first.map(|key| key.account_id).ok_or_else(|| anyhow::anyhow!("the server has no account yet"))
}
