//! `clipia serve`.

use crate::arguments::DATA;
use crate::exit::{Hint, Usage};
use crate::{log, output, shell};
use anyhow::Context;
use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum, value_parser};

use clipia_server::admin::GRANT_MAX;
use clipia_server::clock::SystemClock;
use clipia_server::outbound::IpNet;
use clipia_server::{Config, ConfigError, Credits, FirstKeys, Keep, LogFormat, RateLimit, Service};
use clipia_store_sqlite::SqliteStore;
use serde::Serialize;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What each variable of the environment begins with that sets an option. It is longer than `CLIPIA_`, so that one that
/// there is not can be refused: clients and orchestrators have variables of their own with the shorter one.
const VARIABLES: &str = "CLIPIA_SERVE_";

#[derive(Args)]
#[command(after_help = "\
Each option but `--config`, `--json` and `--print-config` is also a key of the file, whose reference the first start leaves \
in the data directory.
The command line goes before the environment, and the environment before the file.")]
pub(crate) struct Options {
    /// The file that says how to run; `clipia.toml` of the data directory unless told
    #[arg(long, value_name = "FILE", env = "CLIPIA_SERVE_CONFIG")]
    config: Option<PathBuf>,
    /// Where to listen, 127.0.0.1:4747 unless told; port 0 is any free one
    #[arg(long, value_name = "ADDR", env = "CLIPIA_SERVE_LISTEN")]
    listen: Option<SocketAddr>,
    /// Where administration and `/metrics` listen, any free port of this machine unless told
    #[arg(long, value_name = "ADDR", env = "CLIPIA_SERVE_ADMIN_LISTEN")]
    admin_listen: Option<SocketAddr>,
    /// Where everything is kept, clipia-data unless told
    #[arg(long, value_name = "DIR", env = "CLIPIA_SERVE_DATA")]
    data: Option<PathBuf>,
    /// Prints one line of JSON on stdout when ready
    #[arg(long)]
    json: bool,
    /// Prints what is in force, as a file would say it, and starts nothing
    #[arg(long)]
    print_config: bool,
    /// Allows webhooks and images on this machine and without TLS
    #[arg(
        long,
        env = "CLIPIA_SERVE_DEV",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = BoolishValueParser::new()
    )]
    dev: Option<bool>,
    /// Addresses that webhooks and images may be at besides public ones, such as 10.0.0.0/8
    #[arg(long, value_name = "RANGE", env = "CLIPIA_SERVE_ALLOW", value_delimiter = ',')]
    allow: Option<Vec<IpNet>>,
    /// Requests a minute of a key, 120 unless told; 0 lifts the limit, as does `--dev`
    #[arg(long, value_name = "N", env = "CLIPIA_SERVE_RPM")]
    rpm: Option<u32>,
    /// Credits of the first account at the first start, 10000 unless told
    #[arg(
        long,
        value_name = "N",
        env = "CLIPIA_SERVE_CREDITS",
        value_parser = value_parser!(u64).range(0..=GRANT_MAX.get())
    )]
    credits: Option<u64>,
    /// Seconds that generations may go on once the server is told to stop, 8 unless told
    #[arg(long, value_name = "N", env = "CLIPIA_SERVE_DRAIN_SECONDS")]
    drain_seconds: Option<u32>,
    /// How long requests that ended are kept, such as 90d, 12h or forever; 90d unless told
    #[arg(long, value_name = "TIME", env = "CLIPIA_SERVE_KEEP_REQUESTS")]
    keep_requests: Option<Keep>,
    /// How long their files are kept, 30d unless told
    #[arg(long, value_name = "TIME", env = "CLIPIA_SERVE_KEEP_MEDIA")]
    keep_media: Option<Keep>,
    /// How long their inputs are kept, 90d unless told
    #[arg(long, value_name = "TIME", env = "CLIPIA_SERVE_KEEP_INPUTS")]
    keep_inputs: Option<Keep>,
    /// How long attempts at them and their webhooks are kept, 90d unless told
    #[arg(long, value_name = "TIME", env = "CLIPIA_SERVE_KEEP_ATTEMPTS")]
    keep_attempts: Option<Keep>,
    /// The log on stderr: text on a terminal and JSON elsewhere unless told
    #[arg(long, value_name = "FORMAT", env = "CLIPIA_SERVE_LOG_FORMAT")]
    log_format: Option<Format>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Auto,
    Text,
    Json,
}

impl Options {
    /// What is in force: the file under the environment under the command line. (The parser reads the last two.)
    fn settings(&self) -> anyhow::Result<Config> {
        refuse_unknown_variables()?;
        let read = match &self.config {
            Some(path) => Config::read(path),
            None => Config::read_in(self.data.as_deref().unwrap_or(DATA.as_ref())),
        };
        let file = read.map_err(explain)?;
        Ok(Config {
            listen: self.listen.unwrap_or(file.listen),
            admin_listen: self.admin_listen.unwrap_or(file.admin_listen),
            data: self.data.clone().unwrap_or(file.data),
            dev: self.dev.unwrap_or(file.dev),
            allow: self.allow.clone().unwrap_or(file.allow),
            limit: self.rpm.map(RateLimit::per_minute).or(file.limit),
            credits: self.credits.map_or(file.credits, Credits::new),
            drain: self.drain_seconds.map_or(file.drain, |seconds| Duration::from_secs(seconds.into())),
            keep_requests: self.keep_requests.unwrap_or(file.keep_requests),
            keep_media: self.keep_media.unwrap_or(file.keep_media),
            keep_inputs: self.keep_inputs.unwrap_or(file.keep_inputs),
            keep_attempts: self.keep_attempts.unwrap_or(file.keep_attempts),
            log_format: self.log_format.map_or(file.log_format, |format| match format {
                Format::Auto => LogFormat::Auto,
                Format::Text => LogFormat::Text,
                Format::Json => LogFormat::Json,
            }),
        })
    }
}

/// A misspelt variable would leave a default in force, unnoticed.
fn refuse_unknown_variables() -> anyhow::Result<()> {
    let command = Options::augment_args(clap::Command::new("serve"));
    let known: Vec<&str> =
        command.get_arguments().filter_map(|argument| argument.get_env()?.to_str()).collect();
    let unknown = std::env::vars_os().find_map(|(name, _)| {
        let name = name.into_string().ok()?;
        (name.starts_with(VARIABLES) && !known.contains(&name.as_str())).then_some(name)
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
        ConfigError::Invalid { meant: Some(meant), .. } => Some(format!("did you mean `{meant}`?")),
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
    let service = Service::builder(config).store(store).log(&log).start().await?;
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
