//! The program `clipia` as a library. [`run`] is the whole program: the binary and the Python package call it. [`Pause`] reads
//! a pause of the SDK from its trace event, so that the program and the Python package report pauses in the same words.
//!
//! Data go to stdout: as JSON, or as tables and sentences if stdout is a terminal. Messages go to stderr. Each command is one file in `command/`.

// All text is printed by `output`, which escapes control characters: text of a server must not control the terminal.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod arguments;
mod command;
mod connection;
mod delivery;
mod dev_server;
mod duration;
mod ending;
mod exit;
mod figures;
mod format;
mod input;
mod keyring;
mod log;
mod output;
mod pauses;
mod profiles;
mod programs;
mod progress;
mod settings;
mod shell;
mod signals;
mod store;
mod suggestion;
mod whole_file;

pub use pauses::Pause;

use arguments::Arguments;
use clap::Parser;
#[cfg(unix)]
use command::Command;
use std::ffi::{OsStr, OsString};
use std::io::Write;

/// Runs the program with the command line `arguments`, and returns its exit code. The first argument is the name that the
/// program was called by.
///
/// The program needs a process of its own: it may set the global tracing subscriber, and it handles signals.
pub fn run(arguments: &[OsString]) -> u8 {
    match Arguments::try_parse_from(arguments) {
        Ok(parsed) => start(parsed, arguments.first().map_or(OsStr::new(""), |typed| typed)),
        Err(error) => {
            let code = arguments::refuse(&error, arguments);
            // Python ends its process without flushing this buffer. If stdout is broken, the exit code alone reports it.
            let _ = std::io::stdout().flush();
            code
        }
    }
}

fn start(arguments: Arguments, typed: &OsStr) -> u8 {
    // The keeper of a program is started for each job: it does without a runtime.
    #[cfg(unix)]
    if let Command::ExecJob(options) = &arguments.command {
        return command::exec_job::run(options);
    }
    let runtime = match clipia_server::runtime() {
        Ok(runtime) => runtime,
        Err(error) => return exit::report(&error.into()),
    };
    let code = match runtime.block_on(arguments.command.run(typed)) {
        Ok(()) => exit::DONE,
        Err(error) => exit::report(&error),
    };
    log::finish();
    // The command has waited for all that matters. The runtime does not wait for renderings that still run.
    runtime.shutdown_background();
    code
}
