//! `clipia serve`.

use crate::dev_server::DevServer;
use crate::exit::{Hint, Usage};
use crate::settings::Settings;
use crate::signals::{Asked, Signals};
use crate::{log, output, programs, shell, store};
use anyhow::Context;
use clap::Args;
use clipia_server::{Config, ConfigError, ConfigKey, FirstKeys, Service};
use serde::Serialize;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The position of `--data` in the help. Options at one position are sorted by name.
const BEHIND_DATA: usize = 3;

/// Runs a server on this machine
#[derive(Args)]
#[command(after_help = "\
Each option but `--config`, `--json` and `--print-config` is also a key of the configuration file. The first start writes a \
commented `clipia.toml` to the data directory.
The command line overrides the environment, and the environment overrides the file.

Examples:
  clipia serve --dev
  clipia serve --listen 0.0.0.0:4747 --data /var/lib/clipia
  clipia serve --database-url postgres://clipia@db.example.com/clipia --roles api,deliveries")]
pub(crate) struct Options {
    /// The configuration file; by default `clipia.toml` in the data directory
    #[arg(long, value_name = "FILE", env = "CLIPIA_SERVE_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
    /// Prints one line of JSON on stdout once the server is ready
    #[arg(long, display_order = BEHIND_DATA)]
    json: bool,
    /// Prints the configuration in force in the form of the file, and starts nothing
    #[arg(long, display_order = BEHIND_DATA)]
    print_config: bool,
}

impl Options {
    /// The configuration in force. Values of the file are overridden by the environment and the command line, which the
    /// parser has merged.
    fn settings(&self) -> anyhow::Result<Config> {
        refuse_unknown_variables()?;
        let read = match &self.config {
            Some(path) => Config::read(path),
            None => Config::read_in(&self.settings.over(Config::default())?.data),
        };
        Ok(self.settings.over(read.map_err(explain)?)?)
    }
}

/// Refuses environment variables that look like options of the server but are none. A misspelt variable would otherwise
/// leave a default in force, unnoticed.
fn refuse_unknown_variables() -> anyhow::Result<()> {
    let command = Options::augment_args(clap::Command::new("serve"));
    let known: Vec<&str> =
        command.get_arguments().filter_map(|argument| argument.get_env()?.to_str()).collect();
    let unknown = std::env::vars_os().find_map(|(name, _)| {
        let name = name.into_string().ok()?;
        (name.starts_with(ConfigKey::VARIABLES) && !known.contains(&name.as_str())).then_some(name)
    });
    match unknown {
        Some(name) => Err(Usage::new(format!("the environment sets `{name}`, which is not an option")))
            .context(Hint::new(format!("the options are {}", known.join(", ")))),
        None => Ok(()),
    }
}

/// An error in the configuration file, with the key that was most likely meant as a hint.
fn explain(error: ConfigError) -> anyhow::Error {
    let hint = match &error {
        ConfigError::Invalid { suggestion: Some(key), .. } => Some(format!("did you mean `{key}`?")),
        _ => None,
    };
    let error = anyhow::Error::new(error);
    match hint {
        Some(hint) => error.context(Hint::new(hint)),
        None => error,
    }
}

pub(crate) async fn run(options: Options, typed: &OsStr) -> anyhow::Result<()> {
    let config = options.settings()?;
    if options.print_config {
        output::print(&config.to_toml()?)?;
        return Ok(());
    }
    let log = log::start(config.log_format)?;
    raise_file_limit();
    // The handlers are set before the start, so that no signal during the start is lost.
    let mut signals = Signals::new()?;
    let (data, dev) = (config.data.clone(), config.dev);
    let database = config.database_url.shown();
    let opened = store::open(&config).await?;
    let mcp = config.mcp;
    let mut builder = programs::server(config).store(Arc::clone(&opened.store)).log(&log);
    if mcp {
        builder = builder.mount(clipia_mcp::router);
    }
    let service = builder.start().await?;
    if options.config.is_none() {
        Config::leave_reference(&data).context("leaving the reference of `clipia.toml`")?;
    }
    if dev {
        DevServer::keep(&service, &data)?;
    }
    let program = shell::program(typed);
    print_ready(if options.json {
        ready_json(&service)?
    } else {
        ready(&service, &data, &database, mcp, &program)
    });
    while signals.asked().await == Asked::Reload {
        match service.reload_models().await {
            Ok(models) => tracing::info!(models, "`models.toml` was read again"),
            Err(refused) => tracing::error!("the models stay as they were: {refused}"),
        }
    }
    tokio::select! {
        () = service.stop() => {}
        () = signals.next() => anyhow::bail!("stopped before the running generations had ended; the next start runs them again"),
    }
    Ok(())
}

/// Raises the limit of open files to what the system allows: each connection takes one, and the usual 1,024 are too few for
/// a server. If the limit cannot be raised, the server runs with the one it has.
fn raise_file_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::debug!(%error, "cannot raise the limit of open files");
        }
    }
}

/// Prints that the server is ready. The server does not wait for a reader of stdout, and runs on without one.
fn print_ready(text: String) {
    tokio::task::spawn_blocking(move || {
        if let Err(error) = output::print(&text) {
            tracing::warn!(
                %error,
                "cannot print on stdout that the server is ready; if its keys were not read, create others with `clipia keys create`"
            );
        }
    });
}

fn ready_json(service: &Service) -> anyhow::Result<String> {
    #[derive(Serialize)]
    struct Ready<'a> {
        url: &'a str,
        admin_url: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        live_key: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        test_key: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        webhook_secret: Option<&'a str>,
    }
    let keys = service.first_keys();
    let ready = Ready {
        url: service.url(),
        admin_url: service.admin_url(),
        live_key: keys.map(|keys| keys.live_key.as_str()),
        test_key: keys.map(|keys| keys.test_key.as_str()),
        webhook_secret: keys.map(|keys| keys.webhook_secret.as_str()),
    };
    Ok(serde_json::to_string(&ready)? + "\n")
}

fn ready(service: &Service, data: &Path, database: &str, mcp: bool, program: &str) -> String {
    let url = service.url();
    let mut text = format!("  url             {url}\n  metrics         {}/metrics\n", service.admin_url());
    if service.has_dashboard() {
        text += &format!("  dashboard       {program} dashboard\n");
    }
    if mcp {
        text += &format!("  agents          {url}{}\n", clipia_mcp::PATH);
    }
    text += &format!("  data            {}\n", data.display());
    if !database.is_empty() {
        text += &format!("  database        {database}\n");
    }
    match service.first_keys() {
        Some(FirstKeys { live_key, test_key, webhook_secret }) => {
            text += &format!("  live key        {live_key}\n  test key        {test_key}\n");
            text += &format!("  webhook secret  {webhook_secret}\n");
            text += "\nThe keys and the secret are not shown again: keep them. In another terminal:\n";
            text += &format!("  export CLIPIA_BASE_URL={url} CLIPIA_KEY={live_key}\n");
        }
        None => {
            text += &format!(
                "\nThe keys were shown at the first start; `{program} keys create` creates others. In another terminal:\n"
            );
            text += &format!("  export CLIPIA_BASE_URL={url} CLIPIA_KEY=<your key>\n");
        }
    }
    text + &format!("  {program} generate nano-banana-2 -p \"a lighthouse in a storm\" -o out\n")
}
