//! `clipia login`, `clipia logout` and `clipia profiles`.

use crate::connection::Connection;
use crate::exit::{Hint, Usage};
use crate::format::Format;
use crate::output::{self, facts, say, table};
use crate::profiles::{DEFAULT, Profiles};
use anyhow::{Context, ensure};
use clap::Args;
use clipia_admin::Secret;
use serde::Serialize;
use std::io::{BufRead, IsTerminal};

/// Keeps a server and a key of it, so that commands need neither variables nor options
#[derive(Args)]
#[command(after_help = "\
The key is asked for without being shown, or read from stdin if that is no terminal. It is tried, and kept in the keyring of the \
system where there is one, else in a file that only this user may read. Commands use the profile `default` unless `--profile` names \
another. A key in the options or the environment is used in place of it.

Examples:
  clipia login
  clipia login --base-url https://queue.example --profile work
  clipia generate nano-banana-2 -p \"a fox\" --profile work")]
pub(crate) struct Login {
    #[command(flatten)]
    connection: Connection,
}

/// Forgets a server and its key
#[derive(Args)]
#[command(after_help = "Examples:\n  clipia logout\n  clipia logout --profile work")]
pub(crate) struct Logout {
    /// The name that `clipia login` kept it under
    #[arg(long, value_name = "NAME", default_value = DEFAULT)]
    profile: String,
}

/// Lists the servers that `clipia login` kept
#[derive(Args)]
#[command(after_help = "Examples:\n  clipia profiles")]
pub(crate) struct List {
    #[command(flatten)]
    format: Format,
}

/// The longest name of a profile, in characters.
const NAME_MAX: usize = 64;

/// What is kept of a login.
#[derive(Serialize)]
struct LoggedIn {
    profile: String,
    base_url: String,
    key: String,
    key_kept_in: &'static str,
    credits: String,
}

pub(crate) async fn run(Login { mut connection }: Login) -> anyhow::Result<()> {
    let profile = connection.profile.take().unwrap_or_else(|| DEFAULT.to_owned());
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    ensure!(
        !profile.is_empty() && profile.len() <= NAME_MAX && profile.chars().all(is_name),
        Usage::new(format!("a profile's name has 1 to {NAME_MAX} letters, digits and `-_.`"))
    );
    let key = match connection.key.take() {
        Some(key) => Secret::from(key),
        None => ask()?,
    };
    connection.key = Some(key.reveal().to_owned());
    let clipia = connection.builder().build()?;
    let account = clipia.account().await.context(Hint::new("nothing was kept"))?;
    let base_url = clipia.base_url().trim_end_matches('/').to_owned();
    let place = Profiles::read()?.keep(&profile, Some(base_url.clone()), &key)?;
    let shown = key.reveal();
    let end = shown.char_indices().rev().nth(3).map_or("", |(at, _)| &shown[at..]);
    let logged_in = LoggedIn {
        profile,
        base_url,
        key: format!("…{end}"),
        key_kept_in: place,
        credits: account.balance.credits.to_string(),
    };
    output::text_or_json(&logged_in, false, |login| {
        facts([
            ("profile", login.profile.clone()),
            ("server", login.base_url.clone()),
            ("key", format!("{} (in the {})", login.key, login.key_kept_in)),
            ("credits", login.credits.clone()),
        ])
    })
}

/// The key that the user types, or that stdin has.
fn ask() -> anyhow::Result<Secret> {
    let stdin = std::io::stdin();
    let typed = if stdin.is_terminal() {
        say(format_args!("API key (not shown):"));
        console::Term::stderr().read_secure_line().context("reading the key")?
    } else {
        let mut line = String::new();
        stdin.lock().read_line(&mut line).context("reading the key from stdin")?;
        line
    };
    let key = typed.trim();
    ensure!(!key.is_empty(), Usage::new("no key was given: nothing was kept".to_owned()));
    Ok(key.to_owned().into())
}

pub(crate) fn forget(Logout { profile }: Logout) -> anyhow::Result<()> {
    ensure!(Profiles::read()?.forget(&profile)?, Usage::new(format!("there is no profile `{profile}`")));
    say(format_args!("forgot the profile `{profile}` and its key"));
    Ok(())
}

pub(crate) fn list(List { format }: List) -> anyhow::Result<()> {
    #[derive(Serialize)]
    struct Listed {
        profile: String,
        base_url: Option<String>,
        key_kept_in: &'static str,
    }
    let profiles = Profiles::read()?;
    let listed: Vec<Listed> = profiles
        .all()
        .map(|(name, kept)| Listed {
            profile: name.to_owned(),
            base_url: kept.base_url.clone(),
            key_kept_in: kept.place(),
        })
        .collect();
    format.print(&listed, |listed| {
        table(
            ["PROFILE", "SERVER", "KEY"],
            listed.iter().map(|profile| {
                let server = profile.base_url.clone().unwrap_or_else(|| "Clipia".to_owned());
                [profile.profile.clone(), server, format!("in the {}", profile.key_kept_in)]
            }),
        )
    })
}
