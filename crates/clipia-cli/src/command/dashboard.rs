//! `clipia dashboard`.

use crate::arguments::Server;
use crate::output;
use clap::Args;
use serde::Serialize;

/// Opens the dashboard of a server on this machine in a browser
#[derive(Args)]
#[command(after_help = "\
The address signs one browser in, within a minute, for twelve hours. The dashboard is on the administration's address \
(`admin_listen`). On a server without a screen, print the address and call it through a tunnel:
  ssh -L 43210:127.0.0.1:43210 queue.example.com

Examples:
  clipia dashboard
  clipia dashboard --print --data /var/lib/clipia")]
pub(crate) struct Options {
    #[command(flatten)]
    server: Server,
    /// Prints the address, and opens no browser
    #[arg(long)]
    print: bool,
}

/// What is printed.
#[derive(Serialize)]
struct Opened {
    url: String,
}

pub(crate) async fn run(Options { server, print }: Options) -> anyhow::Result<()> {
    let url = server.administration()?.dashboard_url().await?.reveal().to_owned();
    // A browser that cannot be started is no failure: the address can be called by hand.
    if !print && let Err(error) = open::that_detached(&url) {
        output::say(format_args!("note: cannot start a browser: {error}"));
    }
    server.print(&Opened { url }, |opened| format!("{}\n", opened.url))
}
