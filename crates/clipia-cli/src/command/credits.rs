//! `clipia credits`.

use crate::arguments::Server;
use clap::{Args, Subcommand, value_parser};
use clipia_admin::GRANT_MAX;
use clipia_admin::types::GrantOrder;

/// Gives credits to the accounts of a server that runs on this machine
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    server: Server,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Gives an account credits
    Grant {
        /// The account, as `clipia accounts list` tells it
        account: String,
        /// How many, a billion at most
        #[arg(value_name = "N", value_parser = value_parser!(u64).range(1..=GRANT_MAX))]
        credits: u64,
    },
}

pub(crate) async fn run(Options { server, action }: Options) -> anyhow::Result<()> {
    let administration = server.administration()?;
    match action {
        Action::Grant { account, credits } => {
            let order = GrantOrder { credits: credits.try_into()? };
            server.tell(&administration.grant_credits(&account, &order).await?, |made| {
                format!(
                    "granted {} credits to {}, which has {} to spend\n",
                    made.granted, made.account_id, made.available
                )
            })
        }
    }
}
