//! The program `clipia`: generate from the command line, run the queue, see it all in a demo. A library so that the
//! Python package has the program too: [`run`] is all of it. [`Pause`] is what that package tells of alike.
//!
//! Data go to stdout, as JSON unless people look at them; everything else to stderr. One command, one file, in `command/`.

// Text goes by `output`, which takes out of it what a terminal would obey.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod arguments;
mod command;
mod exit;
mod input;
mod log;
mod output;
mod pauses;
mod progress;
mod shell;

pub use pauses::Pause;

use arguments::{Arguments, Command};
use clap::Parser;
use std::ffi::{OsStr, OsString};
use std::io::Write;

/// Runs the program to its end with the command line `arguments`, whose first is the name it was called by. Returns the
/// exit code.
///
/// It is for a process of its own: it may set what traces go to, and hears its signals.
pub fn run(arguments: &[OsString]) -> u8 {
    match Arguments::try_parse_from(arguments) {
        Ok(parsed) => start(parsed, arguments.first().map_or(OsStr::new(""), |typed| typed)),
        Err(error) => {
            let code = arguments::refuse(&error, arguments);
            // Nobody else does in a process that Python ends. Where it cannot be done there is nobody to tell.
            let _ = std::io::stdout().flush();
            code
        }
    }
}

fn start(arguments: Arguments, typed: &OsStr) -> u8 {
    let runtime = match clipia_server::runtime() {
        Ok(runtime) => runtime,
        Err(error) => return exit::report(&error.into()),
    };
    let code = match runtime.block_on(execute(arguments, typed)) {
        Ok(()) => exit::DONE,
        Err(error) => exit::report(&error),
    };
    log::finish();
    // Whatever is still being drawn is not waited for: `execute` has waited for what mattered.
    runtime.shutdown_background();
    code
}

async fn execute(arguments: Arguments, typed: &OsStr) -> anyhow::Result<()> {
    let connection = arguments.connection;
    if !matches!(arguments.command, Command::Demo(_) | Command::Serve(_)) {
        pauses::tell();
    }
    match arguments.command {
        Command::Demo(options) => command::demo::run(options, typed).await,
        Command::Serve(options) => command::serve::run(options, typed).await,
        Command::Generate(options) => command::generate::run(connection.client()?, options).await,
        Command::Status { id } => output::json(&connection.client()?.status(id).await?),
        Command::Result { id } => output::json(&connection.client()?.result(id).await?),
        Command::Estimate(what) => {
            let input = what.input()?;
            output::json(&connection.client()?.estimate(&what.model, input).await?)
        }
        Command::Models { slug: None } => output::json(&connection.client()?.models().await?),
        Command::Models { slug: Some(slug) } => output::json(&connection.client()?.model(&slug).await?),
        Command::Account => output::json(&connection.client()?.account().await?),
        Command::Keys { server, action } => command::keys::run(&server, action).await,
        Command::Accounts { server, action } => command::accounts::run(&server, action).await,
        Command::Credits { server, action } => command::credits::run(&server, action).await,
        Command::Requests { server, action } => command::requests::run(&server, action).await,
        Command::Webhooks { server, action } => command::webhooks::run(&server, action).await,
        Command::Audit { server, options } => command::audit::run(&server, options).await,
        Command::Doctor { server } => command::doctor::run(&server).await,
        Command::Backup { server, file } => command::backup::run(&server, &file).await,
        Command::Restore { server, file } => command::restore::run(&server, &file),
    }
}
