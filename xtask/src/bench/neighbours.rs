//! `cargo xtask bench neighbours`: what a quiet account notices of a noisy one on the same server.
//!
//! The quiet account is served alone and beside each noise in turn, each time by a server of its own, in turns that
//! follow each other, so that what else runs on the machine meets both. The median of the turns counts, of ratios that
//! of the turns' own. The last rows are alone beside alone: what the machine itself does to the figures.
//!
//! Two cores are enough. The noisy account holds all that it can get hold of, but asks for the processor at a steady pace
//! that leaves most of it free, as all in this program share the machine with the server: what is measured is how the
//! server shares itself out, not how the system does.
//!
//! That no name server answers takes a file `/etc/resolv.conf` of the server's own. `unshare` gives it one, to anybody
//! where the system allows namespaces of users. Where it does not, as in many containers, that noise is left out and the
//! table says so.

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

/// What the slowest hundredth may take beside a noise, of what it takes alone.
const RATIO_MAX: f64 = 2.0;

/// Turns of each noise.
const TURNS: usize = 5;

/// A name server that never answers: there is none at this address, and a question by UDP is lost without a word.
const NAME_SERVERS: &str = "nameserver 127.0.0.77\n";

/// Runs a program with another `/etc/resolv.conf`, which is its first argument.
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
            // Each goes first in its turn.
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
            let told = [of(&alone, 0.5), before, of(&beside, 0.5), after, vec![ratio]];
            let [p50, p99, beside_p50, beside_p99, ratio] = told.map(|turns| format!("{:.2}", median(turns)));
            table.add_row([&what, name, &p50, &p99, &beside_p50, &beside_p99, &ratio, verdict]);
            what.clear();
        }
    }
    println!("{table}");
    println!("in milliseconds; the target is a ratio of {RATIO_MAX} at most");
    targets.report();
    Ok(())
}

/// One turn of the quiet account on a server of its own. Says also how much the noise did.
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

/// Keys of another account: live ones, and as many of the sandbox.
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

/// The same command, where no name server answers.
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
