//! The cost of waiting for ten thousand generations in one process.

use anyhow::{Context, Result, bail};
use clipia::Clipia;
use memory_stats::memory_stats;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};
use uuid::Uuid;

const GENERATIONS: usize = 10_000;

/// The time of the measurement.
const WATCHED: Duration = Duration::from_secs(20);

/// The cost of waiting.
#[derive(Deserialize, Serialize)]
pub(super) struct Waited {
    pub(super) generations: usize,
    /// Resident memory beyond that of the idle client, in bytes.
    pub(super) bytes: usize,
    /// The time of the measurement.
    pub(super) seconds: f64,
    /// The CPU time of the process in that time.
    pub(super) cpu_seconds: f64,
}

/// Waits on the server at `url`, and prints the cost.
pub(in crate::bench) fn wait(url: &str) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let waited = runtime.block_on(async {
        let clipia = Clipia::builder().key("clipia_live_0123456789abcdef").base_url(url).build()?;
        // The idle client has a connection.
        clipia.result(Uuid::now_v7().to_string()).await?;
        let rest = resident()?;

        let mut waits: Vec<_> =
            (0..GENERATIONS).map(|_| clipia.generation(Uuid::now_v7().to_string()).wait()).collect();
        // The first poll of the future registers the wait.
        let ended = poll_fn(|context| {
            let ended = waits.iter_mut().filter_map(|wait| match Pin::new(wait).poll(context) {
                Poll::Pending => None,
                Poll::Ready(ended) => Some(ended),
            });
            Poll::Ready(ended.count())
        });
        if ended.await > 0 {
            bail!("a wait has ended on a server where no generation does");
        }
        let (start, cpu) = (Instant::now(), cpu());
        tokio::time::sleep(WATCHED).await;
        let (seconds, cpu_seconds) = (start.elapsed().as_secs_f64(), (self::cpu() - cpu).as_secs_f64());
        let bytes = resident()?.saturating_sub(rest);
        drop(waits);
        Ok(Waited { generations: GENERATIONS, bytes, seconds, cpu_seconds })
    })?;
    println!("{}", serde_json::to_string(&waited)?);
    Ok(())
}

/// Resident memory of this process, in bytes.
fn resident() -> Result<usize> {
    Ok(memory_stats().context("this system does not report the memory of a process")?.physical_mem)
}

/// The CPU time of this process so far.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or_default(), time.tv_nsec.try_into().unwrap_or_default())
}
