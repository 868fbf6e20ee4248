//! `clipia webhooks check`: grades a receiver by what it responds to genuine, repeated, forged and odd deliveries.

mod cases;
mod grade;
mod report;

use crate::arguments::{Server, not_of_this_command};
use crate::connection::Http;
use crate::delivery::{Answer, NotTaken, Receiver, Secret, SecretOption, now};
use crate::exit::Hint;
use crate::output::say;
use anyhow::{Context, ensure};
use cases::{Case, Material};
use clap::Args;
use grade::{Row, Verdict};
use report::Report;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Sends 14 deliveries to a receiver, genuine and forged ones, and says which of them it treats wrongly
#[derive(Args)]
#[command(
    arg = not_of_this_command("data", "data", "no server is needed to check a receiver"),
    after_help = "\
A right receiver responds with 2xx to genuine deliveries, repeats included, and with 4xx to forged ones. Anything else is a fault: \
another status, no response within 10 s, a connection that is cut. The request ids are made up.

The exit code is 1 if a delivery is treated wrongly, and 7 if nothing listens at the URL."
)]
pub(crate) struct Options {
    /// The receiver's URL
    url: String,
    #[command(flatten)]
    secret: SecretOption,
    /// Writes the report to a file too, in the XML of JUnit
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    #[command(flatten)]
    http: Http,
}

pub(crate) async fn run(server: &Server, options: Options) -> anyhow::Result<()> {
    let receiver = Receiver::at(&options.url, options.http.is_allowed())?;
    let secret = options.secret.read()?;
    let report = check(&receiver, &secret).await?;
    server.print(&report, Report::table)?;
    if let Some(path) = options.junit {
        let written = std::fs::write(&path, report.junit()?);
        written.with_context(|| format!("writing `{}`", path.display()))?;
    }
    for row in report.rows.iter().filter(|row| row.verdict != Verdict::Right) {
        say(format_args!("{}: {}", row.delivery, row.advice.as_deref().unwrap_or_default()));
    }
    ensure!(
        report.red == 0,
        "the receiver treats {} of {} deliveries wrongly",
        report.red,
        report.rows.len()
    );
    Ok(())
}

async fn check(receiver: &Receiver, secret: &Secret) -> anyhow::Result<Report> {
    let material = Material::new(secret.reveal());
    let (mut rows, mut slowest) = (Vec::new(), Duration::ZERO);
    for case in Case::ALL {
        if case == Case::Future {
            first_half_of_a_second().await;
        }
        let response = receiver.send(material.delivery(case, now(), slowest)?).await;
        if rows.is_empty() && matches!(response.answer, Answer::Unreachable(_)) {
            let not_taken = NotTaken { url: receiver.shown(), answer: response.answer };
            return Err(
                anyhow::Error::new(not_taken).context(Hint::new("start the receiver, and check its URL"))
            );
        }
        slowest = slowest.max(response.took);
        rows.push(Row::new(case, &response.answer, response.took));
    }
    Ok(Report::new(receiver.shown(), secret.is_emulators, rows))
}

/// Waits for the next second if this one is half over. A signature of 301 s ahead is one of 300 s ahead in the next second, and right.
async fn first_half_of_a_second() {
    let second = Duration::from_secs(1);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let begun = Duration::from_nanos(since.subsec_nanos().into());
    if begun * 2 > second {
        tokio::time::sleep(second - begun).await;
    }
}
