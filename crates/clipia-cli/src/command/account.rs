//! `clipia account`.

use crate::connection::Connection;
use crate::format::Format;
use crate::output::facts;
use clap::Args;
use clipia::Account;

/// Shows the credits of the key's account, and those spent in the last 30 days
#[derive(Args)]
#[command(after_help = "Examples:\n  clipia account\n  clipia account --profile work")]
pub(crate) struct Options {
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    connection: Connection,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let account = options.connection.client()?.account().await?;
    options.format.print(&account, text)
}

fn text(account: &Account) -> String {
    let mut rows = Vec::new();
    rows.extend(account.account_id.clone().map(|id| ("account", id)));
    rows.push(("credits", account.balance.credits.to_string()));
    if let Some(usage) = &account.usage_30d {
        rows.push(("spent in 30 days", usage.credits_spent.to_string()));
        rows.push(("requests in 30 days", usage.requests.to_string()));
    }
    facts(rows)
}
