//! `clipia credits`.

use crate::arguments::Server;
use clap::{Args, Subcommand, value_parser};
use clipia_server::Credits;
use clipia_server::admin::{GRANT_MAX, GrantOrder};
use clipia_server::store::AccountId;

/// Grants credits to the accounts of a server on this machine
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    server: Server,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Grants credits to an account
    Grant {
        /// The account's id, as `clipia accounts list` shows it
        account: String,
        /// The number of credits, a billion at most
        #[arg(value_name = "N", value_parser = value_parser!(u64).range(1..=GRANT_MAX.get()))]
        credits: u64,
    },
}

pub(crate) async fn run(Options { server, action }: Options) -> anyhow::Result<()> {
    let administration = server.administration()?;
    match action {
        Action::Grant { account, credits } => {
            let order = GrantOrder { credits: Credits::new(credits) };
            server.print(&administration.grant(&AccountId(account), &order).await?, |made| {
                format!(
                    "granted {} credits to {}, which has {} available\n",
                    made.granted, made.account_id, made.available
                )
            })
        }
    }
}
