//! What the command line may say.

use crate::command::Command;
use crate::{exit, output};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Parser};
use clipia::{Builder, Clipia};
use clipia_admin::{Administration, AdministrationError};
use clipia_server::Config;
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

/// Whom to talk to, and as whom.
#[derive(Args)]
pub(crate) struct Connection {
    /// The API key [env: CLIPIA_KEY, CLIPIA_API_KEY]
    #[arg(long, global = true)]
    key: Option<String>,
    /// The server; Clipia itself unless told [env: CLIPIA_BASE_URL]
    #[arg(long, global = true, value_name = "URL")]
    base_url: Option<String>,
    /// Allows a server on another machine by http, where nobody else listens [env: CLIPIA_ALLOW_HTTP]
    #[arg(long, global = true)]
    allow_http: bool,
}

impl Connection {
    /// The SDK's client. The environment is read by the SDK, so that all its programs understand it alike.
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

/// Which server to administer, and how to tell its answers.
#[derive(Args)]
pub(crate) struct Server {
    /// The server's data directory
    #[arg(long, global = true, default_value = Config::DATA, value_name = "DIR")]
    data: PathBuf,
    /// Prints JSON, as it does anyway where stdout is no terminal
    #[arg(long, global = true)]
    json: bool,
}

impl Server {
    /// The server's data directory.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// The administration of the server.
    pub(crate) fn administration(&self) -> Result<Administration, AdministrationError> {
        Administration::of(&self.data)
    }

    /// Prints an answer, for people as `text` tells it.
    pub(crate) fn tell<T: Serialize>(
        &self,
        answer: &T,
        text: impl FnOnce(&T) -> String,
    ) -> anyhow::Result<()> {
        output::tell(answer, self.json, text)
    }
}

/// Says what is wrong with the command line, or the help that was asked for.
pub(crate) fn refuse(error: &clap::Error, arguments: &[OsString]) -> u8 {
    if let Some(message) = missing_text(error) {
        output::say(format_args!("error: {message}"));
        let model = model_of(arguments);
        output::say(format_args!("hint: see what the model takes with `clipia models {model}`"));
        return exit::USAGE;
    }
    // Where even this cannot be printed there is nobody to tell.
    let _ = error.print();
    u8::try_from(error.exit_code()).unwrap_or(exit::USAGE)
}

/// `--prompt` without its text, which people leave out most.
fn missing_text(error: &clap::Error) -> Option<&'static str> {
    let named = |kind, text: &str| matches!(error.get(kind), Some(ContextValue::String(value)) if value.starts_with(text));
    let missing = error.kind() == ErrorKind::InvalidValue && named(ContextKind::InvalidArg, "--prompt");
    (missing && named(ContextKind::InvalidValue, "")).then_some("`--prompt` needs a text")
}

/// The model on a command line that could not be parsed, as far as one can see.
fn model_of(arguments: &[OsString]) -> &str {
    let mut words = arguments.iter().filter_map(|argument| argument.to_str());
    words.find(|word| matches!(*word, "generate" | "estimate"));
    words.find(|word| !word.starts_with('-')).unwrap_or_default()
}
