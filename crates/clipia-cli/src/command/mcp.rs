//! `clipia mcp`.

mod clients;
mod edit;
mod install;

use crate::connection::Connection;
use crate::log;
use crate::signals::Signals;
use anyhow::Context;
use clap::{Args, Subcommand};
use clients::Client;
use clipia::Credits;
use clipia_mcp::{Kind, serve_stdio};
use clipia_server::LogFormat;
use std::path::PathBuf;
use tokio_util::sync::CancellationToken;

/// Serves tools to an agent over stdin and stdout (Model Context Protocol)
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
An agent starts this command itself: `clipia mcp install CLIENT` tells it to. The key and the server come from the environment, as for every \
command.
A generation that costs more than `--confirm-above`, or more than a tenth of the balance, is submitted once the person has agreed.
Files are read and written only inside `--allow-dir` and `--save-to`.

Examples:
  clipia mcp install claude-code
  clipia mcp --save-to art --confirm-above 20 --tools image,video"
)]
pub(crate) struct Options {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    action: Option<Action>,
}

/// The options of the tools.
#[derive(Args)]
struct Settings {
    /// Leaves out the tools that submit generations
    #[arg(long)]
    read_only: bool,
    /// Saves the files of every completed generation in this directory
    #[arg(long, value_name = "DIR")]
    save_to: Option<PathBuf>,
    /// A directory whose files may be inputs, and in which a call may save files; may be repeated
    #[arg(long, value_name = "DIR")]
    allow_dir: Vec<PathBuf>,
    /// Asks the person before a generation that costs more
    #[arg(long, value_name = "CREDITS", default_value_t = 50)]
    confirm_above: u64,
    /// The kinds that there are tools for: image, video, audio, music; by default all
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    tools: Vec<Kind>,
}

#[derive(Subcommand)]
enum Action {
    /// Adds these tools to a client's own configuration: shows what changes, and asks
    Install {
        client: Client,
        /// Writes without asking
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        connection: Connection,
    },
}

impl From<Settings> for clipia_mcp::Settings {
    fn from(options: Settings) -> Self {
        let Settings { read_only, save_to, allow_dir, confirm_above, tools } = options;
        let kinds = if tools.is_empty() { Kind::ALL.to_vec() } else { tools };
        Self { read_only, save_to, allowed: allow_dir, confirm_above: Credits::new(confirm_above), kinds }
    }
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    match options.action {
        Some(Action::Install { client, yes, connection }) => install::run(&connection, client, yes),
        None => serve(options.connection, options.settings).await,
    }
}

async fn serve(connection: Connection, settings: Settings) -> anyhow::Result<()> {
    // Stdout belongs to the protocol. A panic of a tool is an event of the log too.
    let _log = log::start_quiet(LogFormat::Text)?;
    // The handlers are set before the start, so that no signal during the start is lost.
    let mut signals = Signals::new()?;
    let (clipia, key) = connection.client_and_key()?;
    let stop = CancellationToken::new();
    let serving = serve_stdio(clipia, &key, settings.into(), stop.clone());
    tokio::pin!(serving);
    let served = tokio::select! {
        served = &mut serving => served,
        () = signals.next() => {
            stop.cancel();
            serving.await
        }
    };
    served.context("serving the tools")
}
