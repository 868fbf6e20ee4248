//! `clipia credits`.

use crate::arguments::Server;
use clap::{Args, Subcommand, value_parser};
use clipia_admin::GRANT_MAX;
use clipia_admin::types::GrantOrder;

/// Grants credits to the accounts of a server on this machine
#[derive(Args)]
#[command(after_help = "\
Examples:
  clipia credits grant acct_0a1b2c3d 500")]
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
        #[arg(value_name = "N", value_parser = value_parser!(u64).range(1..=GRANT_MAX))]
        credits: u64,
    },
}

pub(crate) async fn run(Options { server, action }: Options) -> anyhow::Result<()> {
    let administration = server.administration()?;
    match action {
        Action::Grant { account, credits } => {
            let order = GrantOrder { credits: credits.try_into()? };
            server.print(&administration.grant_credits(&account, &order).await?, |made| {
                format!(
                    "granted {} credits to {}, which has {} available\n",
                    made.granted, made.account_id, made.available
                )
            })
        }
    }
}
