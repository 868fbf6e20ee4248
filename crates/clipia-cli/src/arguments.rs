//! The arguments that commands share, and what is printed for a command line that is wrong.

use crate::command::Command;
use crate::exit::Usage;
use crate::{exit, output, store};
use anyhow::ensure;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Args, Parser};
use clipia::{Builder, Clipia};
use clipia_admin::{Administration, AdministrationError};
use clipia_server::{Config, DatabaseUrl, DatabaseUrlInvalid};
use clipia_store_postgres::Address;
use serde::Serialize;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Images, video and audio from an asynchronous queue: the client and the server
#[derive(Parser)]
#[command(name = "clipia", version, after_help = exit::CODES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The heading in the help under which every command has the options of its connection.
const CONNECTION: &str = "Connection";

/// The server to call, and the key to call it with.
#[derive(Args)]
pub(crate) struct Connection {
    /// The API key [env: CLIPIA_KEY, CLIPIA_API_KEY]
    #[arg(long, global = true, help_heading = CONNECTION)]
    key: Option<String>,
    /// The server's URL; by default that of Clipia [env: CLIPIA_BASE_URL]
    #[arg(long, global = true, value_name = "URL", help_heading = CONNECTION)]
    base_url: Option<String>,
    /// Allows plain http to another machine, for a network where nobody else listens [env: CLIPIA_ALLOW_HTTP]
    #[arg(long, global = true, help_heading = CONNECTION)]
    allow_http: bool,
}

impl Connection {
    /// Whether plain http to another machine is allowed, by the option or by the variable that the SDK reads.
    pub(crate) fn allows_http(&self) -> bool {
        let said = std::env::var("CLIPIA_ALLOW_HTTP").unwrap_or_default();
        self.allow_http || matches!(said.trim().to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on")
    }

    /// The key, for what has to follow from it. The client reads it by itself.
    pub(crate) fn key(&self) -> Option<String> {
        self.key.clone().or_else(|| set("CLIPIA_KEY")).or_else(|| set("CLIPIA_API_KEY"))
    }

    /// The server's URL, if one is named.
    pub(crate) fn base_url(&self) -> Option<String> {
        self.base_url.clone().or_else(|| set("CLIPIA_BASE_URL"))
    }

    /// The SDK's client. The SDK reads the environment, so that all programs built on it read the same variables.
    pub(crate) fn client(self) -> Result<Clipia, clipia::Error> {
        let mut builder = Builder::from_env().user_agent(concat!("clipia-cli/", env!("CARGO_PKG_VERSION")));
        if let Some(key) = self.key {
            builder = builder.key(key);
        }
        if let Some(url) = self.base_url {
            builder = builder.base_url(url);
        }
        if self.allow_http {
            builder = builder.allow_http(true);
        }
        builder.build()
    }
}

/// The value of an environment variable that is not blank.
fn set(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.trim().is_empty())
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
    #[arg(long, global = true, default_value = Config::DATA, value_name = "DIR")]
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
