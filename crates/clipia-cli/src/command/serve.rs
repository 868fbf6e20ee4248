//! `clipia serve`.

use crate::exit::{Hint, Usage};
use crate::settings::Settings;
use crate::{log, output, shell};
use anyhow::Context;
use clap::Args;
use clipia_server::clock::SystemClock;
use clipia_server::{Config, ConfigError, ConfigKey, FirstKeys, Service};
use clipia_store_sqlite::SqliteStore;
use serde::Serialize;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The place in the help that `--data` has too. Options in one place are in alphabetical order.
const BEHIND_DATA: usize = 3;

/// Runs the queue on this machine
#[derive(Args)]
#[command(after_help = "\
Each option but `--config`, `--json` and `--print-config` is also a key of the file, whose reference the first start leaves \
in the data directory.
The command line goes before the environment, and the environment before the file.")]
pub(crate) struct Options {
    /// The file that says how to run; `clipia.toml` of the data directory unless told
    #[arg(long, value_name = "FILE", env = "CLIPIA_SERVE_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
    /// Prints one line of JSON on stdout when ready
    #[arg(long, display_order = BEHIND_DATA)]
    json: bool,
    /// Prints what is in force, as a file would say it, and starts nothing
    #[arg(long, display_order = BEHIND_DATA)]
    print_config: bool,
}

impl Options {
    /// What is in force: the file under the environment under the command line. (The parser reads the last two.)
    fn settings(&self) -> anyhow::Result<Config> {
        refuse_unknown_variables()?;
        let read = match &self.config {
            Some(path) => Config::read(path),
            None => Config::read_in(&self.settings.over(Config::default())?.data),
        };
        Ok(self.settings.over(read.map_err(explain)?)?)
    }
}

/// A misspelt variable would leave a default in force, unnoticed.
fn refuse_unknown_variables() -> anyhow::Result<()> {
    let command = Options::augment_args(clap::Command::new("serve"));
    let known: Vec<&str> =
        command.get_arguments().filter_map(|argument| argument.get_env()?.to_str()).collect();
    let unknown = std::env::vars_os().find_map(|(name, _)| {
        let name = name.into_string().ok()?;
        (name.starts_with(ConfigKey::VARIABLES) && !known.contains(&name.as_str())).then_some(name)
    });
    match unknown {
        Some(name) => Err(Usage::new(format!("the environment sets `{name}`, which is no option")))
            .context(Hint::new(format!("there are {}", known.join(", ")))),
        None => Ok(()),
    }
}

/// An error of the file, with what was most likely meant.
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
    let log = log::write(config.log_format)?;
    take_files();
    // Heard from the start: a signal during it must not be lost.
    let mut signals = Signals::new()?;
    let data = config.data.clone();
    let store = Arc::new(SqliteStore::open(&data, Arc::new(SystemClock))?);
    let service = Service::builder(config).store(store).render().log(&log).start().await?;
    if options.config.is_none() {
        Config::leave_reference(&data).context("leaving the reference of `clipia.toml`")?;
    }
    let program = shell::program(typed);
    tell(if options.json { ready_json(&service)? } else { ready(&service, &data, &program) });
    signals.next().await;
    tokio::select! {
        () = service.stop() => {}
        () = signals.next() => anyhow::bail!("stopped before what runs had ended; the next start takes it up"),
    }
    Ok(())
}

/// Takes as many open files as the system gives: the usual 1,024 are for programs that serve nobody. Where it gives no more,
/// the server makes do.
fn take_files() {
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

/// Prints what a server says that is ready. It runs on where nobody reads that, and does not wait for a reader.
fn tell(text: String) {
    tokio::task::spawn_blocking(move || {
        if let Err(error) = output::print(&text) {
            tracing::warn!(
                %error,
                "cannot print on stdout that the server is ready; keys that were not seen are made anew by `clipia keys create`"
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

fn ready(service: &Service, data: &Path, program: &str) -> String {
    let url = service.url();
    let mut text = format!("  url             {url}\n  metrics         {}/metrics\n", service.admin_url());
    text += &format!("  data            {}\n", data.display());
    match service.first_keys() {
        Some(FirstKeys { live_key, test_key, webhook_secret }) => {
            text += &format!("  live key        {live_key}\n  test key        {test_key}\n");
            text += &format!("  webhook secret  {webhook_secret}\n");
            text += "\nKeys are shown this once: keep them. In another terminal:\n";
            text += &format!("  export CLIPIA_BASE_URL={url} CLIPIA_KEY={live_key}\n");
        }
        None => {
            text +=
                &format!("\nThe keys were shown at the first start; `{program} keys create` makes others:\n");
            text += &format!("  export CLIPIA_BASE_URL={url} CLIPIA_KEY=<your key>\n");
        }
    }
    text + &format!("  {program} generate nano-banana-2 -p \"a lighthouse in a storm\" -o out\n")
}

/// The signals that ask a program to stop.
struct Signals {
    #[cfg(unix)]
    terminate: Signal,
    #[cfg(unix)]
    interrupt: Signal,
    /// Of a terminal that is closed; not where whoever started the program has it ignored, as `nohup` does.
    #[cfg(unix)]
    hangup: Option<Signal>,
}

impl Signals {
    #[cfg(unix)]
    fn new() -> std::io::Result<Self> {
        let hangup = (!is_hangup_ignored()).then(|| signal(SignalKind::hangup())).transpose()?;
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup,
        })
    }

    #[cfg(not(unix))]
    fn new() -> std::io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = hangup => {}
        }
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// Whether SIGHUP was ignored when the program started. Only Linux tells it to a program that has no unsafe code; elsewhere
/// it counts as not ignored.
#[cfg(unix)]
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // SIGHUP is signal 1, which the lowest bit stands for.
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}
