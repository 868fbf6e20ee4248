//! `clipia serve`.

use crate::arguments::DATA;
use clap::Args;
use clipia_server::{Config, Credits, FirstKeys, RateLimit, Service};
use serde::Serialize;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use tracing_subscriber::EnvFilter;

#[derive(Args)]
pub(crate) struct Options {
    /// Where to listen; port 0 is any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4747")]
    listen: SocketAddr,
    /// Where everything is kept
    #[arg(long, value_name = "DIR", default_value = DATA)]
    data: PathBuf,
    /// Prints one line of JSON on stdout when ready
    #[arg(long)]
    json: bool,
    /// Allows webhooks and images on this machine and without TLS
    #[arg(long)]
    dev: bool,
    /// Requests a minute of a key; 0 lifts the limit
    #[arg(long, value_name = "N", default_value_t = 120)]
    rpm: u32,
    /// Credits of the first account, at the first start
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    credits: u32,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .init();
    // Heard from the start: a signal during it must not be lost.
    let mut signals = Signals::new()?;
    let service = Service::start(Config {
        listen: options.listen,
        dev: options.dev,
        limit: RateLimit::per_minute(options.rpm),
        credits: Credits::new(options.credits.into()),
        ..Config::new(&options.data)
    })
    .await?;
    if options.json {
        tell_json(&service)?
    } else {
        tell(&service, &options)?
    }
    signals.next().await;
    tokio::select! {
        () = service.stop() => {}
        () = signals.next() => anyhow::bail!("stopped before what runs had ended; the next start takes it up"),
    }
    Ok(())
}

fn tell_json(service: &Service) -> anyhow::Result<()> {
    #[derive(Serialize)]
    struct Ready<'a> {
        url: &'a str,
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
        live_key: keys.map(|keys| keys.live_key.as_str()),
        test_key: keys.map(|keys| keys.test_key.as_str()),
        webhook_secret: keys.map(|keys| keys.webhook_secret.as_str()),
    };
    let mut stdout = std::io::stdout().lock();
    serde_json::to_writer(&mut stdout, &ready)?;
    writeln!(stdout)?;
    stdout.flush()?;
    Ok(())
}

fn tell(service: &Service, options: &Options) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    let (url, data) = (service.url(), options.data.display());
    writeln!(stdout, "  url             {url}")?;
    writeln!(stdout, "  data            {data}")?;
    match service.first_keys() {
        Some(FirstKeys { live_key, test_key, webhook_secret }) => {
            writeln!(stdout, "  live key        {live_key}")?;
            writeln!(stdout, "  test key        {test_key}")?;
            writeln!(stdout, "  webhook secret  {webhook_secret}")?;
            writeln!(stdout, "\nKeys are shown this once: keep them. In another terminal:")?;
            writeln!(stdout, "  export CLIPIA_BASE_URL={url} CLIPIA_KEY={live_key}")?;
        }
        None => {
            writeln!(stdout, "\nThe keys were shown at the first start; `clipia keys create` makes others:")?;
            writeln!(stdout, "  export CLIPIA_BASE_URL={url} CLIPIA_KEY=<your key>")?;
        }
    }
    writeln!(stdout, "  clipia generate nano-banana-2 -p \"a lighthouse in a storm\" -o out")?;
    stdout.flush()?;
    Ok(())
}

/// The signals that ask a program to stop.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())? })
    }

    #[cfg(not(unix))]
    fn new() -> std::io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}
