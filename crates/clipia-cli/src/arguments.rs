//! The command line, the arguments that the commands of the administration share, and what is printed for a command line that
//! is wrong.

use crate::command::Command;
use crate::exit::Usage;
use crate::{exit, output, store};
use anyhow::ensure;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Args, Parser};
use clipia_admin::{Administration, AdministrationError};
use clipia_server::{Config, DatabaseUrl, DatabaseUrlInvalid};
use clipia_store_postgres::Address;
use serde::Serialize;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Images, video and audio from an asynchronous queue: the client and the server
#[derive(Parser)]
#[command(name = "clipia", version = env!("CLIPIA_VERSION"), after_help = exit::CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// A PostgreSQL database.
#[derive(Args)]
pub(crate) struct Database {
    /// The PostgreSQL database, such as postgres://clipia@db.example.com/clipia?sslmode=require
    #[arg(long, value_name = "URL", env = "CLIPIA_DATABASE_URL", hide_env_values = true)]
    database_url: String,
}

impl Database {
    /// The address of the database.
    pub(crate) fn address(&self) -> anyhow::Result<Address> {
        // Parsed here, since the parser of the command line would print a wrong value, and with it a password.
        let url: DatabaseUrl = self
            .database_url
            .parse()
            .map_err(|error: DatabaseUrlInvalid| Usage::new(format!("`--database-url`: {error}")))?;
        ensure!(url.is_set(), Usage::new("`--database-url` names no database".to_owned()));
        store::address(&url, &DatabaseUrl::default())
    }
}

/// The server to administer, and the format of what is printed.
#[derive(Args)]
pub(crate) struct Server {
    /// The server's data directory
    #[arg(long, global = true, default_value = Config::DATA, value_name = "DIR", env = "CLIPIA_SERVE_DATA")]
    data: PathBuf,
    /// Prints JSON; the default if stdout is not a terminal
    #[arg(long, global = true)]
    json: bool,
}

impl Server {
    /// The server's data directory.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// A client of the server's administration.
    pub(crate) fn administration(&self) -> Result<Administration, AdministrationError> {
        Administration::of(&self.data)
    }

    /// Whether stdout gets JSON.
    pub(crate) fn prints_json(&self) -> bool {
        output::is_json(self.json)
    }

    /// Prints `value` on stdout: as `text` writes it for people, or as JSON.
    pub(crate) fn print<T: Serialize>(
        &self,
        value: &T,
        text: impl FnOnce(&T) -> String,
    ) -> anyhow::Result<()> {
        output::text_or_json(value, self.json, text)
    }
}

/// An option that other commands have. Here it is refused with `hint`, and not in the help.
pub(crate) fn not_of_this_command(id: &'static str, long: &'static str, hint: &'static str) -> Arg {
    Arg::new(id).long(long).hide(true).value_parser(move |_: &str| Err::<String, _>(hint))
}

/// Prints what is wrong with the command line, or the help if it was asked for. Returns the exit code.
pub(crate) fn refuse(error: &clap::Error, arguments: &[OsString]) -> u8 {
    if let Some(message) = missing_text(error) {
        output::say(format_args!("error: {message}"));
        let model = model_of(arguments);
        output::say(format_args!("hint: see what the model takes with `clipia models {model}`"));
        return exit::USAGE;
    }
    // If stderr is broken, the exit code alone reports the error.
    let _ = error.print();
    u8::try_from(error.exit_code()).unwrap_or(exit::USAGE)
}

/// The message for `--prompt` without a text, the most frequent mistake.
fn missing_text(error: &clap::Error) -> Option<&'static str> {
    let named = |kind, text: &str| matches!(error.get(kind), Some(ContextValue::String(value)) if value.starts_with(text));
    let missing = error.kind() == ErrorKind::InvalidValue && named(ContextKind::InvalidArg, "--prompt");
    (missing && named(ContextKind::InvalidValue, "")).then_some("`--prompt` needs a text")
}

/// The model named on a command line that could not be parsed; empty if none is found.
fn model_of(arguments: &[OsString]) -> &str {
    let mut words = arguments.iter().filter_map(|argument| argument.to_str());
    words.find(|word| matches!(*word, "generate" | "estimate"));
    words.find(|word| !word.starts_with('-')).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// The words of a command line, as a shell splits it.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut quote, mut word) = (Vec::new(), None, None::<String>);
        for c in line.chars() {
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (None, '"' | '\'') => (quote, word) = (Some(c), Some(word.unwrap_or_default())),
                (None, ' ') => words.extend(word.take()),
                _ => word.get_or_insert_default().push(c),
            }
        }
        words.extend(word);
        words
    }

    #[test]
    fn every_command_has_examples_and_each_of_them_parses() {
        for command in Arguments::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let name = command.get_name();
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let (_, examples) =
                help.split_once("Examples:\n").unwrap_or_else(|| panic!("`clipia {name}` has no examples"));
            for line in examples.lines() {
                let line = line.trim().split(" > ").next().unwrap();
                let parsed = Arguments::try_parse_from(words(line));
                assert!(
                    line.starts_with(&format!("clipia {name}")) || line.starts_with("clipia generate"),
                    "{line}"
                );
                assert!(parsed.is_ok(), "{line}: {}", parsed.err().unwrap());
            }
        }
    }
}
