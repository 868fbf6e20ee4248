//! `clipia doctor`.

use crate::arguments::Server;
use anyhow::bail;
use clap::Args;
use clipia_admin::types::{Findings, Pin, Violation};

/// Checks that the credits and the requests of a server on this machine are consistent
#[derive(Args)]
#[command(after_help = "\
Examples:
  clipia doctor
  clipia doctor --data /var/lib/clipia --json")]
pub(crate) struct Options {
    #[command(flatten)]
    server: Server,
}

pub(crate) async fn run(Options { server }: Options) -> anyhow::Result<()> {
    let findings = server.administration()?.examine().await?;
    server.print(&findings, text)?;
    match findings.violation {
        None => Ok(()),
        Some(violation) => bail!("the store breaks a rule: {}", sentence(&violation)),
    }
}

fn text(findings: &Findings) -> String {
    let checked = &findings.checked;
    let held = match checked.deliveries_held {
        0 => String::new(),
        held => format!(
            "{held} deliveries are held since the restore: send them with `clipia webhooks resume`, or abandon them with `clipia \
             webhooks abandon`\n"
        ),
    };
    let paused: String = findings
        .paused
        .iter()
        .map(|paused| format!("{} makes nothing now: {}\n", paused.of, paused.why))
        .collect();
    let pins: String = findings.pins.iter().map(pinned).collect();
    format!(
        "{} rules hold (accounts: {}, requests: {}, movements of credits: {}, deliveries: {})\n{held}{paused}{pins}",
        checked.rules, checked.accounts, checked.requests, checked.movements, checked.deliveries
    )
}

/// What slows the database down, as a line.
fn pinned(Pin { by, transactions, since }: &Pin) -> String {
    let since = since.map_or_else(String::new, |since| format!(" since {since:.0}"));
    format!(
        "the database cannot remove old rows{since} ({transactions} transactions), and gets slower: {by}\n"
    )
}

fn sentence(violation: &Violation) -> String {
    let account = violation.account.as_ref().map(|account| format!(" (account {account})"));
    let request = violation.request.as_ref().map(|request| format!(" (request {request})"));
    let (rule, found) = (&violation.rule, &violation.found);
    format!("{rule}: {found}{}{}", account.unwrap_or_default(), request.unwrap_or_default())
}
