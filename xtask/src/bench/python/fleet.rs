//! `cargo xtask bench python --fleet`: many concurrent generations of 30 s on one key of 120 requests a minute, by
//! asyncio and by threads (`fleet.py`).
//!
//! Every row has a server, a key and a process of its own, and all rows run at once: they sleep most of the time.

use super::environments::Environments;
use crate::bench::fleet::least::least;
use crate::bench::fleet::responses::Responses;
use crate::bench::fleet::sleep::{LIMIT, SLEEP, Sleeping};
use crate::bench::target::Targets;
use anyhow::{Result, anyhow};
use comfy_table::{CellAlignment, Table, presets};
use serde::Deserialize;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

/// The numbers of generations at once.
const FLEETS: [usize; 2] = [20, 100];

/// The means of concurrency.
const MEANS: [&str; 2] = ["asyncio", "threads"];

const GENERATION: Duration = Duration::from_secs(30);

/// A generation counts as lost if its end is not known after this multiple of the least time.
const PATIENCE: u32 = 3;

/// The number of causes of lost generations that a row shows.
const CAUSES_SHOWN: usize = 3;

/// The output of `fleet.py`.
#[derive(Deserialize)]
struct Output {
    completed: usize,
    /// The cause of each lost generation.
    lost: Vec<String>,
    /// The time from the first submit until the last end was known.
    seconds: f64,
}

struct Row {
    generations: usize,
    means: &'static str,
    output: Output,
    requests: u64,
    refused: u64,
    least: Duration,
}

pub(in crate::bench) fn run(root: &Path) -> Result<()> {
    let python = &Environments::ours(root)?;
    eprintln!("20 and 100 generations at once, by asyncio and by threads");
    let rows = thread::scope(|scope| {
        let fleets = FLEETS.into_iter().flat_map(|generations| MEANS.map(|means| (generations, means)));
        let running: Vec<_> = fleets
            .map(|(generations, means)| scope.spawn(move || row(root, python, generations, means)))
            .collect();
        let ended = running.into_iter().map(|row| row.join().map_err(|_| anyhow!("a row broke off"))?);
        ended.collect::<Result<Vec<Row>>>()
    })?;
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header([
        "means",
        "at once",
        "completed",
        "lost",
        "429s",
        "requests a generation",
        "wall time",
        "the least",
        "ratio",
    ]);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut targets = Targets::default();
    for Row { generations, means, output, requests, refused, least } in rows {
        let least = least.as_secs_f64();
        table.add_row([
            means.to_owned(),
            generations.to_string(),
            output.completed.to_string(),
            output.lost.len().to_string(),
            refused.to_string(),
            format!("{:.2}", requests as f64 / generations as f64),
            format!("{:.1} s", output.seconds),
            format!("{least:.1} s"),
            format!("{:.2}", output.seconds / least),
        ]);
        for cause in output.lost.iter().take(CAUSES_SHOWN) {
            eprintln!("lost of {generations} by {means}: {cause}");
        }
        targets.hold(output.lost.is_empty() && output.completed == generations, || {
            format!("{generations} by {means}: {} are lost; none may be", output.lost.len())
        });
    }
    println!("{table}");
    targets.report();
    Ok(())
}

fn row(root: &Path, python: &Path, generations: usize, means: &'static str) -> Result<Row> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let responses = Responses::default();
    let least = least(&vec![GENERATION; generations], LIMIT, false);
    // The subscriber of this thread, on which the row's server runs.
    let output = tracing::subscriber::with_default(responses.clone(), || {
        runtime.block_on(async {
            let server = Sleeping::start(generations).await?;
            let mut fleet = Command::new(python);
            fleet.arg(super::program(root, "fleet.py")).args([
                means,
                server.url(),
                &server.keys()?.live_key,
                SLEEP,
                &generations.to_string(),
                &GENERATION.as_secs_f64().to_string(),
                &(least * PATIENCE).as_secs_f64().to_string(),
            ]);
            let output: Output = tokio::task::spawn_blocking(move || super::output_of(&mut fleet)).await??;
            server.stop().await;
            anyhow::Ok(output)
        })
    })?;
    Ok(Row { generations, means, output, requests: responses.all(), refused: responses.refused(), least })
}
