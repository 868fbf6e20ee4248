//! The troubles of a server before it is killed, and the check that it continues its work.

use super::books::{Books, Seen};
use super::client::Caller;
use super::place::Trouble;
use super::programs::Programs;
use super::workers::Workers;
use crate::serve::{self, Serving};
use anyhow::{Context, Result};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The length of a stop: longer than a lease.
const STOP: Duration = Duration::from_secs(40);

/// The time after a stop in which the server would rescue requests wrongly: it checks leases every 5 s.
const LOOKED: Duration = Duration::from_secs(12);

/// The time after which nothing is left of the leases of killed workers: a lease lasts 30 s from the start of a server, which checks
/// leases every 5 s.
const KILLED_ARE_LOST: Duration = Duration::from_secs(37);

/// The settings of the clock, in seconds beside the machine's.
pub(super) const CLOCKS: [i64; 3] = [-3_600, 0, 3_600];

/// The longest wait for a server to continue. The machine may be busy.
const GOES_ON_WITHIN: Duration = Duration::from_secs(30);

/// The kills of programs.
const KILLS: u32 = 12;

/// The kills of workers elsewhere.
const WORKER_KILLS: u32 = 3;

/// The pause between two checks of that.
const LOOK: Duration = Duration::from_millis(20);

/// The files that cause the troubles of a server.
pub(super) struct Troubles {
    /// While this file exists, media cannot be written.
    media_full: PathBuf,
    /// The file with the seconds that the server's clock differs from the machine's.
    clock: PathBuf,
    /// The programs of the server's executors.
    pub(super) programs: Programs,
    /// How many of them were killed.
    pub(super) programs_killed: u32,
    /// The workers on other machines.
    pub(super) workers: Workers,
}

impl Troubles {
    pub(super) fn new(directory: &Path, workers: Workers) -> Self {
        let at = |name| directory.join(name);
        let programs = Programs::new();
        Self { media_full: at("media-full"), clock: at("clock"), programs, programs_killed: 0, workers }
    }

    /// Points a server to the files, and its log to where the trouble wants it.
    pub(super) fn prepare(&self, command: &mut Command, trouble: Option<Trouble>) -> Result<()> {
        command.env("FAULT_MEDIA_FULL", &self.media_full).env("FAULT_CLOCK", &self.clock);
        let log: Stdio = match trouble {
            Some(Trouble::LogOnFullDisk) => match OpenOptions::new().write(true).open("/dev/full") {
                Ok(full) => full.into(),
                // Only Linux has `/dev/full`.
                Err(_) => unread()?,
            },
            Some(Trouble::LogUnread) => unread()?,
            _ => return Ok(()),
        };
        // As much as it can.
        command.env("RUST_LOG", "debug").stderr(log);
        Ok(())
    }

    /// Causes the trouble of a server that takes calls.
    pub(super) async fn strike(
        &mut self,
        trouble: Trouble,
        serving: &Serving,
        work: &Work<'_>,
        random: &mut StdRng,
    ) -> Result<()> {
        match trouble {
            Trouble::LogOnFullDisk | Trouble::LogUnread => {}
            Trouble::MediaFull => {
                rest(random, 300).await;
                File::create(&self.media_full)?;
                rest(random, 1_500).await;
                std::fs::remove_file(&self.media_full)?;
            }
            Trouble::ClockSet => {
                for _ in 0..4 {
                    self.set_clock(random)?;
                    rest(random, 300).await;
                }
            }
            Trouble::ProgramsKilled => {
                for _ in 0..KILLS {
                    self.programs_killed += u32::from(self.programs.kill_one(random));
                    rest(random, 60).await;
                }
            }
            Trouble::WorkersKilled => {
                for _ in 0..WORKER_KILLS {
                    self.workers.kill_one(work.books, random).await?;
                    rest(random, 300).await;
                }
            }
            Trouble::WorkerStopped => self.workers.stop_one(STOP, random).await?,
            Trouble::Stop => {
                // The trouble before has killed workers. Their leases are no leases of living ones.
                tokio::time::sleep(KILLED_ARE_LOST).await;
                work.begin_a_long_one(serving).await?;
                let lost = leases_lost(serving).await?;
                serving.stop_for(STOP).await?;
                tokio::time::sleep(LOOKED).await;
                let lost = leases_lost(serving).await? - lost;
                if lost > 0 {
                    work.books.violation(format!("{lost} living workers lost their lease to a stop"));
                }
            }
        }
        Ok(())
    }

    fn set_clock(&self, random: &mut StdRng) -> Result<()> {
        let seconds = CLOCKS.choose(random).copied().unwrap_or_default();
        // The file is replaced, so that the server never reads half a number.
        let part = self.clock.with_extension("part");
        std::fs::write(&part, seconds.to_string())?;
        std::fs::rename(part, &self.clock)?;
        Ok(())
    }
}

/// A pipe without a reader.
fn unread() -> Result<Stdio> {
    let (_, writer) = std::io::pipe()?;
    Ok(writer.into())
}

async fn rest(random: &mut impl Rng, most: u64) {
    tokio::time::sleep(Duration::from_millis(random.random_range(0..most))).await;
}

/// The number of leases that the server has lost since its start, from its metrics.
async fn leases_lost(serving: &Serving) -> Result<u64> {
    let url = serving.admin_url().context("it does not take calls")?;
    serve::counter(url, "clipia_leases_lost_total").await
}

/// The work that clients keep a server busy with.
pub(super) struct Work<'a> {
    pub(super) books: &'a Books,
    pub(super) caller: &'a Caller,
}

impl Work<'_> {
    /// Waits until a generation runs that takes seconds.
    async fn begin_a_long_one(&self, serving: &Serving) -> Result<()> {
        let id = self.caller.submit_long().await.context("a long generation was refused")?;
        let path = format!("/v1/requests/{id}/status");
        let start = Instant::now();
        while start.elapsed() < GOES_ON_WITHIN && serving.admin_url().is_some() {
            let status = self.caller.get(&self.caller.live_key, &path).await.body;
            match status["status"].as_str() {
                Some("IN_QUEUE") => tokio::time::sleep(LOOK).await,
                _ => break,
            }
        }
        Ok(())
    }

    /// Waits until the server has accepted a submit and ended a generation. Records a violation if it does not.
    pub(super) async fn continues(&self, serving: &mut Serving, trouble: Trouble) -> Result<()> {
        let (accepted, ended) = self.books.with(|seen| progress(seen));
        let start = Instant::now();
        loop {
            let (more_accepted, more_ended) = self.books.with(|seen| progress(seen));
            if more_accepted > accepted && more_ended > ended {
                return Ok(());
            }
            if serving.has_ended()? {
                return Ok(());
            }
            if start.elapsed() > GOES_ON_WITHIN {
                let (submits, ends) = (more_accepted - accepted, more_ended - ended);
                self.books.violation(format!(
                    "{trouble:?}: {submits} submits accepted and {ends} generations ended in {} s",
                    GOES_ON_WITHIN.as_secs()
                ));
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// The number of accepted live submits, and of those that have ended.
fn progress(seen: &Seen) -> (usize, usize) {
    let live = || seen.requests.values().filter(|known| !known.sandbox);
    (live().count(), live().filter(|known| known.ended.is_some()).count())
}
