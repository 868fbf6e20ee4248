//! What the command line may say.

use crate::input::What;
use crate::{command, exit, output};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Parser, Subcommand};
use clipia::{Builder, Clipia, RequestId};
use clipia_server::admin::{Administration, AdministrationError};
use serde::Serialize;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where a server keeps everything unless told.
pub(crate) const DATA: &str = "clipia-data";

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

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Shows the whole system at work: no key, no network, nothing to set up
    Demo(command::demo::Options),
    /// Runs the queue on this machine
    Serve(command::serve::Options),
    /// Submits a generation, and waits for it if told
    Generate(command::generate::Options),
    /// Tells how far a generation is
    Status {
        /// The id that the submit answered
        id: RequestId,
    },
    /// Tells what came out of a generation
    Result {
        /// The id that the submit answered
        id: RequestId,
    },
    /// Tells what an input would cost
    Estimate(What),
    /// Lists the models, or tells all about one
    Models {
        /// The model
        slug: Option<String>,
    },
    /// Tells the credits left and those spent in the last 30 days
    Account,
    /// Makes, lists and revokes the keys of a server that runs on this machine
    Keys {
        #[command(flatten)]
        server: Server,
        #[command(subcommand)]
        action: command::keys::Action,
    },
    /// Makes and lists the accounts of a server that runs on this machine
    Accounts {
        #[command(flatten)]
        server: Server,
        #[command(subcommand)]
        action: command::accounts::Action,
    },
    /// Gives credits to the accounts of a server that runs on this machine
    Credits {
        #[command(flatten)]
        server: Server,
        #[command(subcommand)]
        action: command::credits::Action,
    },
    /// Lists, shows and cancels the requests of a server that runs on this machine
    Requests {
        #[command(flatten)]
        server: Server,
        #[command(subcommand)]
        action: command::requests::Action,
    },
    /// Lists and replays the deliveries of a server that runs on this machine, and changes what they are signed with
    Webhooks {
        #[command(flatten)]
        server: Server,
        #[command(subcommand)]
        action: command::webhooks::Action,
    },
    /// Tells what operators did to a server that runs on this machine, and how often tokens were refused
    Audit {
        #[command(flatten)]
        server: Server,
        #[command(flatten)]
        options: command::audit::Options,
    },
    /// Proves that the books and the requests of a server that runs on this machine are in order
    Doctor {
        #[command(flatten)]
        server: Server,
    },
    /// Copies the store of a server that runs on this machine to a file, as it stands at one moment
    Backup {
        #[command(flatten)]
        server: Server,
        /// The file, which must not exist; the media are copied apart
        file: PathBuf,
    },
    /// Puts a backup in the place of the store, where no server runs on it
    Restore {
        #[command(flatten)]
        server: Server,
        /// The backup, which stays where it is
        file: PathBuf,
    },
}

/// Which server to administer, and how to tell its answers.
#[derive(Args)]
pub(crate) struct Server {
    /// The server's data directory
    #[arg(long, global = true, default_value = DATA, value_name = "DIR")]
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
