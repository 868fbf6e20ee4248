//! `clipia mcp install`.

use super::clients::{Client, Start};
use super::edit::with_entry;
use crate::connection::{self, Connection};
use crate::exit::Usage;
use crate::output;
use crate::whole_file;
use anyhow::{Context, ensure};
use similar::TextDiff;
use std::io::{self, IsTerminal, Write};

pub(crate) fn run(connection: &Connection, client: Client, yes: bool) -> anyhow::Result<()> {
    let start = start(connection)?;
    let file = client.file()?;
    let shown = file.display();
    let before = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("cannot read `{shown}`")),
    };
    let after = with_entry(&before, client.form(), client.entry(&start));
    let after = after.with_context(|| format!("`{shown}` was not changed"))?;
    if after == before {
        output::say(format_args!("`{shown}` has the entry already"));
        return Ok(());
    }
    let name = shown.to_string();
    output::print(&TextDiff::from_lines(&before, &after).unified_diff().header(&name, &name).to_string())?;
    if !yes && !agreed(&name)? {
        output::say(format_args!("`{shown}` was not changed"));
        return Ok(());
    }
    whole_file::write(&file, after.as_bytes()).with_context(|| format!("cannot write `{shown}`"))?;
    output::say(format_args!("wrote `{shown}`"));
    output::say(format_args!("{}", where_the_key_is(client, start.variable)));
    Ok(())
}

/// What the client is to start: this program, with the server that this call names.
fn start(connection: &Connection) -> anyhow::Result<Start> {
    let program = std::env::current_exe().context("cannot find the path of this program")?;
    let program = program.to_str().context("the path of this program is not UTF-8")?.to_owned();
    Ok(Start { program, base_url: connection.url(), variable: connection::key_variable() })
}

/// Asks the person at the terminal.
fn agreed(file: &str) -> anyhow::Result<bool> {
    let asks = io::stdin().is_terminal() && io::stderr().is_terminal();
    ensure!(asks, Usage::new(format!("nobody can be asked whether to write `{file}`: pass `--yes`")));
    write!(io::stderr().lock(), "Write it? [y/N] ")?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

fn where_the_key_is(client: Client, variable: &str) -> String {
    match client {
        Client::ClaudeDesktop => format!(
            "The key is not in the file: Claude Desktop passes on its own environment, so set {variable} for the programs of your desktop. Then start it anew."
        ),
        _ => format!(
            "The key is not in the file: the client reads it from {variable} of its environment. Start it anew where that is set."
        ),
    }
}
