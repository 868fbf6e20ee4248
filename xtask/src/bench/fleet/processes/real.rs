//! Rows in real time.

use super::{Beside, Measured, Row};
use crate::bench::fleet::least::least;
use crate::bench::fleet::process::{Process, Task};
use crate::bench::fleet::responses::Responses;
use crate::bench::fleet::row::PATIENCE;
use crate::bench::fleet::sleep::{LIMIT, Sleeping};
use anyhow::{Result, anyhow, ensure};
use std::thread;
use std::time::{Duration, Instant};

/// The number of causes of lost generations that a row shows.
const CAUSES_SHOWN: usize = 3;

/// Runs all rows at once, each on two servers: for clients that share the key, and for clients that ignore each other.
pub(super) fn measure(rows: &[Row]) -> Result<Vec<(Row, Beside)>> {
    let processes = 2 * rows.iter().map(|row| row.processes).sum::<usize>();
    eprintln!("{} rows in real time with {processes} processes", 2 * rows.len());
    // All processes are there before any row begins, so that starting them slows no row.
    let mut waiting = (0..processes).map(|_| Process::start()).collect::<Result<Vec<_>>>()?;
    waiting.iter_mut().try_for_each(Process::ready)?;
    thread::scope(|scope| {
        let mut run = |row: Row, ignores_others| {
            let processes = waiting.split_off(waiting.len() - row.processes);
            scope.spawn(move || measure_row(row, processes, ignores_others))
        };
        let running: Vec<_> = rows.iter().map(|&row| (row, run(row, false), run(row, true))).collect();
        let ended = |run: thread::ScopedJoinHandle<'_, Result<Measured>>| {
            run.join().map_err(|_| anyhow!("a row broke off"))?
        };
        let measured = running.into_iter().map(|(row, sharing, ignoring)| {
            Ok((row, Beside { sharing: ended(sharing)?, ignoring: ended(ignoring)? }))
        });
        measured.collect()
    })
}

fn measure_row(row: Row, processes: Vec<Process>, ignores_others: bool) -> Result<Measured> {
    let durations = row.durations.draw(row.generations());
    let least = least(&durations, LIMIT, false);
    let responses = Responses::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // The subscriber of this thread, on which the row's server runs.
    let (lost, wall) = tracing::subscriber::with_default(responses.clone(), || {
        runtime.block_on(async {
            let server = Sleeping::start(row.generations()).await?;
            let (url, key) = (server.url().to_owned(), server.keys()?.live_key.clone());
            let of_process = |process: usize| -> Vec<Duration> {
                durations.iter().skip(process).step_by(row.processes).copied().collect()
            };
            let tasks: Vec<Task> = (0..row.processes)
                .map(|process| Task {
                    url: url.clone(),
                    key: key.clone(),
                    durations: of_process(process),
                    patience: least * PATIENCE,
                    ignores_others,
                })
                .collect();
            let outcome = tokio::task::spawn_blocking(move || run(processes, &tasks)).await??;
            server.stop().await;
            anyhow::Ok(outcome)
        })
    })?;
    let (requests, refused) = (responses.all() as f64, responses.refused() as f64);
    let generations = row.generations() as f64;
    ensure!(requests >= generations, "the responses of the server were not counted");
    let policy = if ignores_others { "ignoring others" } else { "sharing" };
    eprintln!("{row}, {policy}: {:.1} s, {} lost", wall.as_secs_f64(), lost.len());
    for cause in lost.iter().take(CAUSES_SHOWN) {
        eprintln!("      lost: {cause}");
    }
    Ok(Measured {
        lost: lost.len() as f64,
        refused: refused / requests,
        drained: wall.as_secs_f64() / least.as_secs_f64(),
        requests: requests / generations,
    })
}

/// Gives each process its task. Returns the causes of all lost generations, and the time until the last task was done.
fn run(mut processes: Vec<Process>, tasks: &[Task]) -> Result<(Vec<String>, Duration)> {
    let start = Instant::now();
    for (process, task) in processes.iter_mut().zip(tasks) {
        process.begin(task)?;
    }
    let lost = processes.into_iter().map(Process::end).collect::<Result<Vec<_>>>()?;
    Ok((lost.concat(), start.elapsed()))
}
