//! The sweeper of attempts of workers elsewhere: it forgets those whose lease is not in force any more, and removes their files.
//!
//! A worker that fell silent reports no end, and a process that was killed removes nothing.

use super::Remote;
use super::attempts::of_directory;
use crate::blocking;
use crate::maintenance::{DoneBy, RoundError, Service};
use clipia_worker::work::AttemptId;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The pause between two rounds.
const INTERVAL: Duration = Duration::from_secs(30);

pub(crate) struct AttemptSweeper {
    remote: Arc<Remote>,
}

impl AttemptSweeper {
    pub(crate) fn new(remote: Arc<Remote>) -> Self {
        Self { remote }
    }
}

impl Service for AttemptSweeper {
    const NAME: &'static str = "attempt_sweeper";
    // What was staged is on this machine.
    const DONE_BY: DoneBy = DoneBy::EachNode;

    fn pause(&self) -> Duration {
        INTERVAL
    }

    async fn round(&self, _paused: Duration) -> Result<u64, RoundError> {
        let staging = self.remote.staging.clone();
        let Listed { attempts, others } = blocking::run(move || list(&staging)).await??;
        let mut removed = others.len() as u64;
        others.into_iter().for_each(|path| self.remote.remove(path));
        let known = self.remote.attempts.ids().into_iter().map(|id| (id.id, id.epoch));
        let all: BTreeSet<_> = attempts.into_iter().map(|id| (id.id, id.epoch)).chain(known).collect();
        for (id, epoch) in all {
            let held = self.remote.store.attempt_of_session(id, epoch).await?;
            if held.is_none_or(|held| held.claim.is_none()) {
                self.remote.forget(AttemptId { id, epoch });
                removed += 1;
            }
        }
        Ok(removed)
    }
}

/// What is in the directory of all attempts.
#[derive(Default)]
struct Listed {
    attempts: Vec<AttemptId>,
    /// What is no attempt's.
    others: Vec<PathBuf>,
}

fn list(staging: &Path) -> io::Result<Listed> {
    let entries = match fs::read_dir(staging) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Listed::default()),
        entries => entries?,
    };
    let mut listed = Listed::default();
    for entry in entries {
        let entry = entry?;
        match entry.file_name().to_str().and_then(of_directory) {
            Some(attempt) => listed.attempts.push(attempt),
            None => listed.others.push(entry.path()),
        }
    }
    Ok(listed)
}
