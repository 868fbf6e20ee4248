//! `cargo xtask bench fleet`: many concurrent generations on one key of 120 requests a minute.
//!
//! Every row has a server, a key and a client of its own, and all rows run at once: they sleep most of the time.
//!
//! With `--processes`, several processes share the key of a row ([`processes`]).

mod durations;
pub(super) mod least;
pub(super) mod process;
pub(super) mod processes;
pub(super) mod responses;
mod row;
pub(super) mod sleep;

use super::target::Targets;
use anyhow::{Context, Result, bail};
use comfy_table::{CellAlignment, Table, presets};
use durations::Durations;
use row::{Means, Measured, Row};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// The numbers of generations at once.
const FLEETS: [usize; 4] = [5, 20, 100, 500];

/// The largest share of requests whose response may be 429.
const REFUSED_MAX: f64 = 0.01;

/// Without webhooks: the longest time, in multiples of the least.
const WALL_MAX: f64 = 1.10;

/// With webhooks: the most requests that a generation may cost.
const REQUESTS_MAX: f64 = 1.05;

/// The pause between two lines of progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(30);

/// The number of causes of lost generations that a row shows.
const CAUSES_SHOWN: usize = 3;

/// A message from the thread of a row.
enum News {
    /// One more generation has ended or is lost.
    Known,
    Done(Row, Result<Measured>),
}

/// Runs the rows that `only` names, or all.
pub(super) fn run(only: &[String]) -> Result<()> {
    let rows = rows(only);
    if rows.is_empty() {
        bail!("no row is called {}; rows are called such as 100:lognormal:polling", only.join(" or "));
    }
    let measured = measure(&rows)?;
    println!("{}", table(&measured));
    let mut targets = Targets::default();
    for (row, measured) in &measured {
        hold(&mut targets, *row, measured);
    }
    targets.report();
    Ok(())
}

/// The rows: polling first, large fleets last.
fn rows(only: &[String]) -> Vec<Row> {
    let all = Means::ALL.into_iter().flat_map(|means| {
        Durations::ALL.into_iter().flat_map(move |durations| {
            FLEETS.into_iter().map(move |generations| Row { generations, durations, means })
        })
    });
    all.filter(|row| only.is_empty() || only.iter().any(|filter| row.matches(filter))).collect()
}

/// Runs all rows at once, each on a thread of its own, and prints their progress on stderr.
fn measure(rows: &[Row]) -> Result<Vec<(Row, Measured)>> {
    let (sender, news) = mpsc::channel();
    for &row in rows {
        let sender = sender.clone();
        thread::Builder::new().name(row.to_string()).spawn(move || {
            let measured = row.run(|| {
                let _ = sender.send(News::Known);
            });
            // If another row failed, nobody receives this.
            let _ = sender.send(News::Done(row, measured));
        })?;
    }
    drop(sender);
    let generations: usize = rows.iter().map(|row| row.generations).sum();
    let (start, mut printed, mut known) = (Instant::now(), Instant::now(), 0);
    eprintln!("{} rows with {generations} generations", rows.len());
    let mut measured = Vec::new();
    loop {
        match news.recv_timeout(PROGRESS_EVERY.saturating_sub(printed.elapsed())) {
            Ok(News::Known) => known += 1,
            Ok(News::Done(row, outcome)) => {
                let outcome = outcome.with_context(|| format!("running {row}"))?;
                let wall = outcome.wall.as_secs_f64();
                eprintln!("{} {row}: {} completed in {wall:.1} s", clock(start), outcome.completed);
                for cause in outcome.lost.iter().take(CAUSES_SHOWN) {
                    eprintln!("      lost: {cause}");
                }
                measured.push((row, outcome));
            }
            Err(RecvTimeoutError::Timeout) => {
                eprintln!("{} {known} of {generations} generations have ended", clock(start));
                printed = Instant::now();
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    measured.sort_by_key(|(row, _)| rows.iter().position(|other| other == row));
    if measured.len() < rows.len() {
        bail!("{} rows broke off", rows.len() - measured.len());
    }
    Ok(measured)
}

/// Minutes and seconds since `start`.
fn clock(start: Instant) -> String {
    let seconds = start.elapsed().as_secs();
    format!("{:2}:{:02}", seconds / 60, seconds % 60)
}

fn table(measured: &[(Row, Measured)]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header([
        "means",
        "durations",
        "at once",
        "completed",
        "lost",
        "429s",
        "requests a generation",
        "done to known: median",
        "p99",
        "wall time",
        "the least",
        "ratio",
    ]);
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for (row, measured) in measured {
        let seconds = |duration: Duration| format!("{:.1} s", duration.as_secs_f64());
        let delay = |quantile| measured.delay(quantile).map_or("-".to_owned(), seconds);
        table.add_row([
            row.means.to_string(),
            row.durations.name().to_owned(),
            row.generations.to_string(),
            measured.completed.to_string(),
            measured.lost.len().to_string(),
            measured.refused.to_string(),
            format!("{:.2}", requests_each(*row, measured)),
            delay(0.5),
            delay(0.99),
            seconds(measured.wall),
            seconds(measured.least),
            format!("{:.2}", ratio(measured)),
        ]);
    }
    table
}

/// Compares a row with the targets.
fn hold(targets: &mut Targets, row: Row, measured: &Measured) {
    let lost = measured.lost.len();
    targets.hold(lost == 0, || format!("{row}: {lost} generations are lost; none may be"));
    let refused = measured.refused as f64 / measured.requests as f64;
    targets.hold(refused <= REFUSED_MAX, || {
        let percent = 100.0 * REFUSED_MAX;
        format!(
            "{row}: {:.1} % of requests got the response 429; at most {percent} % may be",
            100.0 * refused
        )
    });
    match row.means {
        Means::Polling => targets.hold(ratio(measured) <= WALL_MAX, || {
            format!("{row}: it took {:.2} times the least; at most {WALL_MAX:.2} is allowed", ratio(measured))
        }),
        Means::Webhooks => targets.hold(requests_each(row, measured) <= REQUESTS_MAX, || {
            let each = requests_each(row, measured);
            format!("{row}: {each:.2} requests a generation; at most {REQUESTS_MAX:.2} are allowed")
        }),
    }
}

fn ratio(measured: &Measured) -> f64 {
    measured.wall.as_secs_f64() / measured.least.as_secs_f64()
}

fn requests_each(row: Row, measured: &Measured) -> f64 {
    measured.requests as f64 / row.generations as f64
}
