//! `clipia credits`.

use crate::arguments::Server;
use clap::{Args, Subcommand, value_parser};
use clipia_admin::GRANT_MAX;
use clipia_admin::types::{GrantOrder, WithdrawalOrder};

/// Grants credits to the accounts of a server on this machine, and takes them back
#[derive(Args)]
#[command(after_help = "\
Examples:
  clipia credits grant acct_0a1b2c3d 500
  clipia credits take acct_0a1b2c3d 120")]
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
    /// Takes credits back that an account can spend; what is held for its requests is not touched
    Take {
        /// The account's id, as `clipia accounts list` shows it
        account: String,
        /// The number of credits
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
        Action::Take { account, credits } => {
            let order = WithdrawalOrder { credits: credits.try_into()? };
            server.print(&administration.withdraw_credits(&account, &order).await?, |taken| {
                format!(
                    "took {} credits back from {}, which has {} available\n",
                    taken.withdrawn, taken.account_id, taken.available
                )
            })
        }
    }
}
