//! `cargo xtask bench neighbours`: how much a noisy account slows a quiet account on the same server.
//!
//! The quiet account is measured alone and beside each noise, each time on a new server. The two take turns, so that other
//! load of the machine affects both. The figure is the median of the turns; for a ratio, the median of the turns' ratios. The
//! last rows compare alone with alone: they show the noise of the machine itself.
//!
//! Two cores are enough. The noisy account takes every place that it can get, but uses the processor at a steady pace that leaves
//! most of it free, since this program and the server share the machine. So the figures show how the server shares its places,
//! not how the system shares the processor.
//!
//! The noise of silent name servers needs a file `/etc/resolv.conf` of the server's own. `unshare` provides it if the system allows
//! user namespaces. If it does not, as in many containers, the noise is left out and the table says so.

mod noise;
mod quiet;

use super::median::median;
use super::target::Targets;
use crate::serve::{self, Serving};
use anyhow::{Context, Result};
use clipia_admin::Administration;
use clipia_admin::types::{AccountOrder, KeyLimits, KeyOrder, Scopes};
use comfy_table::{CellAlignment, Table, presets};
use noise::Noise;
use quiet::{KINDS, Samples, WORKERS};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The largest p99 beside a noise, in multiples of the p99 alone.
const RATIO_MAX: f64 = 2.0;

/// The number of turns of each noise.
const TURNS: usize = 5;

/// A silent name server: nothing listens at this address, and a query by UDP gets no response.
const NAME_SERVERS: &str = "nameserver 127.0.0.77\n";

/// The shell command that runs a program with another `/etc/resolv.conf`, its first argument.
const WITH_RESOLV_CONF: &str = r#"mount --bind "$0" /etc/resolv.conf && exec "$@""#;

pub(super) fn run() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut table = Table::new();
    let header = ["beside", "", "alone p50", "p99", "beside p50", "p99", "ratio of p99", ""];
    table.load_style(presets::ASCII_MARKDOWN).set_header(header);
    for column in table.column_iter_mut().skip(2).take(5) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut targets = Targets::default();
    for noise in Noise::ALL {
        eprintln!("{}", noise.name());
        if noise == Noise::SilentNames && !can_have_silent_names()? {
            table.add_row([noise.name(), "not measured: this system gives no namespaces"]);
            continue;
        }
        let (mut alone, mut beside, mut made) = (Vec::new(), Vec::new(), 0);
        for turn in 0..TURNS {
            // The one that goes first changes from turn to turn.
            for noisy in [turn % 2 == 1, turn % 2 == 0] {
                let (samples, did) = runtime.block_on(one(noise, noisy))?;
                if noisy {
                    beside.push(samples)
                } else {
                    alone.push(samples)
                }
                made += did;
            }
        }
        let mut what = format!("{}: {} {}", noise.name(), made / TURNS, noise.counted());
        for (kind, name) in KINDS.into_iter().enumerate() {
            let of = |turns: &[Samples], share| turns.iter().map(|turn| turn.quantile(kind, share)).collect();
            let (before, after): (Vec<f64>, Vec<f64>) = (of(&alone, 0.99), of(&beside, 0.99));
            let ratio = median(after.iter().zip(&before).map(|(after, before)| after / before).collect());
            let verdict = match ratio <= RATIO_MAX {
                _ if kind == WORKERS || noise == Noise::Nobody => "",
                true => "met",
                false => "missed",
            };
            targets.hold(verdict != "missed", || {
                format!("{name} beside {}: {ratio:.2} times its p99; the target is {RATIO_MAX}", noise.name())
            });
            let columns = [of(&alone, 0.5), before, of(&beside, 0.5), after, vec![ratio]];
            let [p50, p99, beside_p50, beside_p99, ratio] =
                columns.map(|turns| format!("{:.2}", median(turns)));
            table.add_row([&what, name, &p50, &p99, &beside_p50, &beside_p99, &ratio, verdict]);
            what.clear();
        }
    }
    println!("{table}");
    println!("in milliseconds; the target is a ratio of {RATIO_MAX} at most");
    targets.report();
    Ok(())
}

/// One turn of the quiet account on a new server. Returns also how much the noise did.
async fn one(noise: Noise, noisy: bool) -> Result<(Samples, usize)> {
    let data = tempfile::tempdir()?;
    let mut command = serve::command(&super::program()?, data.path());
    if noise == Noise::SilentNames {
        command = with_silent_names(&command, data.path())?;
    }
    command.stderr(Stdio::null());
    let server = Serving::spawn(command)?;
    let ready = server.ready()?;
    let quiet = ready.secrets.context("the server made no keys")?.live_key;
    let neighbour = if noisy { Some(noise.begin(&ready.url, keys(data.path()).await?).await?) } else { None };
    let samples = quiet::turn(&ready.url, &quiet).await?;
    let did = neighbour.map_or(Ok(0), noise::Neighbour::end)?;
    Ok((samples, did))
}

/// Keys of another account: live keys, and as many sandbox keys.
async fn keys(data: &Path) -> Result<noise::Keys> {
    let administration = Administration::of(data)?;
    let account = administration.create_account(&AccountOrder { credits: 1_000_000 }).await?;
    let mut keys = noise::Keys::default();
    for number in 0..2 * noise::KEYS {
        let sandbox = number % 2 == 1;
        let order = KeyOrder {
            account_id: account.account_id.clone(),
            sandbox,
            scopes: Scopes { generate: true },
            limits: KeyLimits::default(),
        };
        let key = administration.create_key(&order).await?.key.reveal().to_owned();
        if sandbox { keys.test.push(key) } else { keys.live.push(key) }
    }
    Ok(keys)
}

/// The command with silent name servers.
fn with_silent_names(command: &Command, directory: &Path) -> Result<Command> {
    let file: PathBuf = directory.join("resolv.conf");
    std::fs::write(&file, NAME_SERVERS)?;
    let mut apart = Command::new("unshare");
    apart.args(["--map-root-user", "--mount", "sh", "-c", WITH_RESOLV_CONF]).arg(file);
    apart.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => apart.env(name, value),
            None => apart.env_remove(name),
        };
    }
    apart.stdin(Stdio::null()).stdout(Stdio::piped());
    Ok(apart)
}

fn can_have_silent_names() -> Result<bool> {
    let directory = tempfile::tempdir()?;
    let mut command = with_silent_names(&Command::new("true"), directory.path())?;
    Ok(command.stderr(Stdio::null()).status().is_ok_and(|status| status.success()))
}
