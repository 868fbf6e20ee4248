//! `clipia keys`.

use crate::output;
use clap::{Subcommand, ValueEnum};
use clipia_server::admin::{Administration, KeyOrder};
use clipia_server::store::{AccountId, Scopes};
use std::path::Path;

#[derive(Subcommand)]
pub(crate) enum Action {
    /// Makes a key, and prints it this once
    Create {
        /// Whose it will be; that of the server's first key unless told
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// Makes a sandbox key: its generations are samples that cost nothing
        #[arg(long)]
        test: bool,
        /// What it may do
        #[arg(long, value_delimiter = ',', default_value = "generate,read")]
        scopes: Vec<Scope>,
    },
    /// Lists the keys, without the keys themselves
    List,
    /// Takes a key out of force at once
    Revoke {
        /// The key's id, as `clipia keys list` tells it
        id: String,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scope {
    Generate,
    Read,
}

pub(crate) async fn run(data: &Path, action: Action) -> anyhow::Result<()> {
    let server = Administration::of(data)?;
    match action {
        Action::Create { account, test, scopes } => {
            let account_id = match account {
                Some(id) => AccountId(id),
                None => first_account(&server).await?,
            };
            let scopes =
                Scopes { generate: scopes.contains(&Scope::Generate), read: scopes.contains(&Scope::Read) };
            let order = KeyOrder { account_id, sandbox: test, scopes };
            output::json(&server.create_key(&order).await?)
        }
        Action::List => output::json(&server.keys().await?),
        Action::Revoke { id } => {
            server.revoke_key(&id).await?;
            eprintln!("revoked {id}");
            Ok(())
        }
    }
}

async fn first_account(server: &Administration) -> anyhow::Result<AccountId> {
    let first = server.keys().await?.into_iter().next();
    first.map(|key| key.account).ok_or_else(|| anyhow::anyhow!("the server has no account yet"))
}
