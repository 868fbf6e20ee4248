//! `clipia accounts`.

use crate::output;
use clap::Subcommand;
use clipia_server::Credits;
use clipia_server::admin::{AccountOrder, Administration};
use std::path::Path;

#[derive(Subcommand)]
pub(crate) enum Action {
    /// Makes an account; `clipia keys create --account` gives it keys
    Create {
        /// Its first credits
        #[arg(long, value_name = "N", default_value_t = 0)]
        credits: u32,
    },
}

pub(crate) async fn run(data: &Path, action: Action) -> anyhow::Result<()> {
    let server = Administration::of(data)?;
    match action {
        Action::Create { credits } => {
            let order = AccountOrder { credits: Credits::new(credits.into()) };
            output::json(&server.create_account(&order).await?)
        }
    }
}
