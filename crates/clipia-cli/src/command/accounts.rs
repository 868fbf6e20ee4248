//! `clipia accounts`.

use crate::arguments::Server;
use crate::output::{age, facts, table};
use clap::{Args, Subcommand};
use clipia_admin::types::AccountOrder;

/// Creates and lists the accounts of a server on this machine
#[derive(Args)]
#[command(after_help = "\
Examples:
  clipia accounts create --credits 5000
  clipia accounts list")]
pub(crate) struct Options {
    #[command(flatten)]
    server: Server,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Creates an account; `clipia keys create --account` adds keys to it
    Create {
        /// The credits that the account starts with
        #[arg(long, value_name = "N", default_value_t = 0)]
        credits: u32,
    },
    /// Lists the accounts and their credits
    List,
}

pub(crate) async fn run(Options { server, action }: Options) -> anyhow::Result<()> {
    let administration = server.administration()?;
    match action {
        Action::Create { credits } => {
            let order = AccountOrder { credits: credits.into() };
            server.print(&administration.create_account(&order).await?, |made| {
                let facts = facts([
                    ("account", made.account_id.clone()),
                    ("webhook secret", made.webhook_secret.reveal().to_owned()),
                ]);
                format!("{facts}\nThe secret is not shown again: keep it\n")
            })
        }
        Action::List => server.print(&administration.accounts().await?, |accounts| {
            let rows = accounts.iter().map(|account| {
                [
                    account.account_id.clone(),
                    account.available.to_string(),
                    account.held.to_string(),
                    account.keys.to_string(),
                    age(Some(account.created_at)),
                ]
            });
            table(["ACCOUNT", "AVAILABLE", "RESERVED", "KEYS", "CREATED"], rows)
        }),
    }
}
