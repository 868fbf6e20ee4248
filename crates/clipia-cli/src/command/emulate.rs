//! `clipia emulate`.

use crate::exit::{Ended, Usage};
use crate::signals::Signals;
use crate::{log, output};
use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use clipia_emulator::{
    Emulator, FaultRule, Finding, LIVE_KEY, Pace, Scenario, Settings, TEST_KEY, WEBHOOK_SECRET,
};
use clipia_server::{KeyLimits, LogFormat};
use serde::Serialize;
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitStatus;
use tokio::process::{Child, Command};

/// The port of an emulator that stays.
const PORT: u16 = 4747;

/// The vendor's limits of a key: requests a minute, and generations in flight.
const VENDOR_RPM: u32 = 120;
const VENDOR_IN_FLIGHT: u32 = 10;

/// Runs a server for tests: words in prompts say what happens, and time passes as you like
#[derive(Args)]
#[command(after_help = "\
With a command, the emulator runs as long as the command, on a port of its own, and exits with its code. The command gets \
CLIPIA_BASE_URL, CLIPIA_KEY, CLIPIA_API_KEY and CLIPIA_WEBHOOK_SECRET. Without one, it stays until Ctrl-C.
Nothing is kept, nothing leaves this machine, and no account is needed: every key that begins with clipia_live_ or clipia_test_ is an \
account of its own.

Words of a prompt say what happens to its request: `@fail` (or `@fail=content_policy:\"why\"`), `@takes=5m`, `@polls=3`, and others that the \
guide for tests has. A word that does not exist is refused with the one that was meant.

Examples:
  clipia emulate -- pytest -q
  clipia emulate -- clipia generate nano-banana-2 -p \"@fail a fox\" --wait
  clipia emulate --clock auto --strict -- npm test
  clipia emulate --fault 'submit 503 x2' --fault 'status slow=2s 10%' --seed 7 -- ./my-test")]
pub(crate) struct Options {
    /// The port [default: 4747; with a command, any that is free]
    #[arg(long, value_name = "PORT", conflicts_with = "listen")]
    port: Option<u16>,
    /// The address; by default only this machine reaches the emulator
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// How time passes: `real`; `x60`, so many times as fast; `manual`, when it is advanced; `auto`, to the next event at once
    #[arg(long, value_name = "CLOCK", default_value_t)]
    clock: Pace,
    /// Makes two runs alike: request ids, faults by chance and, with a clock that stands, times
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// A fault on calls, such as 'status 503 x5', 'submit drop 10%' or 'any slow=2s after 10'; may be repeated
    #[arg(long, value_name = "FAULT")]
    fault: Vec<FaultRule>,
    /// A TOML file of faults, scripts and accounts
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// The limits and prices of a vendor
    #[arg(long, value_name = "VENDOR")]
    like: Option<Vendor>,
    /// Requests a minute of each key; by default there is no limit
    #[arg(long, value_name = "N")]
    rpm: Option<u32>,
    /// Keeps everything in this directory; by default it is gone at the end
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Exits with 1 if a caller or a receiver did something wrong
    #[arg(long)]
    strict: bool,
    /// Prints one line of JSON on stdout once the emulator is ready
    #[arg(long, conflicts_with = "command")]
    json: bool,
    /// Prints the variables for a shell, and starts nothing
    #[arg(long, conflicts_with_all = ["command", "json"])]
    print_env: bool,
    /// The command to run, and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Whose limits and prices an emulator has.
#[derive(Clone, Copy, ValueEnum)]
enum Vendor {
    /// 120 requests a minute, 10 generations in flight, and the public prices
    Clipia,
}

impl Options {
    fn address(&self) -> SocketAddr {
        let port = self.port.unwrap_or(if self.command.is_empty() { PORT } else { 0 });
        self.listen.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }

    fn settings(&self) -> anyhow::Result<Settings> {
        let scenario = match &self.scenario {
            None => Scenario::default(),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("cannot read `{}`", path.display()))?;
                let read: Result<Scenario, _> = text.parse();
                read.map_err(|mistakes| Usage::new(format!("`{}`: {mistakes}", path.display())))?
            }
        };
        let (rpm, in_flight) = match self.like {
            Some(Vendor::Clipia) => (VENDOR_RPM, VENDOR_IN_FLIGHT),
            None => (0, 0),
        };
        Ok(Settings {
            listen: self.address(),
            pace: self.clock,
            seed: self.seed,
            faults: self.fault.clone(),
            scenario,
            limits: KeyLimits {
                requests_per_minute: Some(self.rpm.unwrap_or(rpm)),
                in_flight_max: Some(in_flight),
                credits: None,
            },
            vendor_prices: self.like.is_some(),
            data: self.data.clone(),
        })
    }
}

/// The variables that clients and receivers read.
fn variables(url: &str) -> [(&'static str, &str); 4] {
    [
        ("CLIPIA_BASE_URL", url),
        ("CLIPIA_KEY", LIVE_KEY),
        ("CLIPIA_API_KEY", LIVE_KEY),
        ("CLIPIA_WEBHOOK_SECRET", WEBHOOK_SECRET),
    ]
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    if options.print_env {
        let url = format!("http://{}", options.address());
        let exports = variables(&url).map(|(name, value)| format!("export {name}={value}\n"));
        return output::print(&exports.concat());
    }
    let settings = options.settings()?;
    let _log = log::start_quiet(LogFormat::Text)?;
    // The handlers are set before the start, so that no signal during the start is lost.
    let mut signals = Signals::new()?;
    let emulator = Emulator::start(settings).await?;
    let ended = match options.command.split_first() {
        Some((program, arguments)) => {
            let mut command = Command::new(program);
            command.args(arguments).envs(variables(emulator.url()));
            let child =
                command.spawn().with_context(|| format!("cannot run `{}`", program.to_string_lossy()))?;
            Some(wait(child, &mut signals).await?)
        }
        None => {
            output::print(&ready(&emulator, options.json)?)?;
            signals.next().await;
            None
        }
    };
    let findings = emulator.findings();
    emulator.stop().await;
    for Finding { what, hint, times, .. } in &findings {
        let times = if *times > 1 { format!(" ({times} times)") } else { String::new() };
        output::say(format_args!("finding: {what}{times}\nhint: {hint}"));
    }
    match ended {
        Some(status) if !status.success() => Err(Ended::of(status).into()),
        _ => {
            ensure!(!options.strict || findings.is_empty(), "`--strict`: {} findings", findings.len());
            Ok(())
        }
    }
}

/// Waits for the end of the command. A signal to this process goes to the command too.
async fn wait(mut child: Child, signals: &mut Signals) -> anyhow::Result<ExitStatus> {
    loop {
        tokio::select! {
            status = child.wait() => return Ok(status?),
            // Ctrl-C reaches the command by itself, and the command decides whether it ends.
            () = signals.next() => {
                #[cfg(unix)]
                if let Some(pid) = child.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed())) {
                    let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
                }
            }
        }
    }
}

fn ready(emulator: &Emulator, json: bool) -> anyhow::Result<String> {
    #[derive(Serialize)]
    struct Ready<'a> {
        url: &'a str,
        admin_url: &'a str,
        live_key: &'a str,
        test_key: &'a str,
        webhook_secret: &'a str,
    }
    let (url, admin_url) = (emulator.url(), emulator.admin_url());
    if json {
        let ready =
            Ready { url, admin_url, live_key: LIVE_KEY, test_key: TEST_KEY, webhook_secret: WEBHOOK_SECRET };
        return Ok(serde_json::to_string(&ready)? + "\n");
    }
    let mut text = format!("  url       {url}\n  clock     {}\n", emulator.pace());
    text += &format!("  control   {url}/_emulator/journal, …/findings, …/clock\n");
    text += &format!("  dashboard {admin_url}/dashboard/\n");
    text +=
        "  accounts  every key that begins with clipia_live_ or clipia_test_, with 1000000 credits each\n";
    text += "\nIn another terminal:\n";
    for (name, value) in variables(url) {
        text += &format!("  export {name}={value}\n");
    }
    Ok(text)
}
