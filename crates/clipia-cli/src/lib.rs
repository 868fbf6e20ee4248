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
mod settings;
mod shell;

pub use pauses::Pause;

use arguments::Arguments;
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
    let code = match runtime.block_on(arguments.command.run(arguments.connection, typed)) {
        Ok(()) => exit::DONE,
        Err(error) => exit::report(&error),
    };
    log::finish();
    // Whatever is still being drawn is not waited for: the command has waited for what mattered.
    runtime.shutdown_background();
    code
}
