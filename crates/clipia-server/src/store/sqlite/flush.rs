//! The thread that puts commits on the disk, and then tells of them.
//!
//! A commit appends to the log; a flush puts it on the disk (`fdatasync`, as SQLite's `synchronous=FULL` does it within the
//! commit). Here the writer goes on with the next commands meanwhile, and one flush serves all commits that came before
//! it. Nobody learns of a commit before it is flushed: answers, lines in memory and counts wait for that here, and whoever
//! reads the file waits until all that it can have seen is on the disk ([`Flushed::all_seen`]).

use super::known::KnownKeys;
use super::writer::{Answer, Effects, Memory};
use crate::failpoints;
use crate::store::StoreError;
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Instant;
use tokio::sync::watch;

/// How many commits may wait for a flush before the writer waits for one.
const WAITING_MAX: usize = 8;

/// How far commits are on the disk.
pub(crate) struct Flushed {
    /// The latest that may be seen in the file.
    begun: AtomicU64,
    /// The latest that is on the disk, or failed.
    flushed: watch::Sender<u64>,
}

impl Default for Flushed {
    fn default() -> Self {
        Self { begun: AtomicU64::new(0), flushed: watch::Sender::new(0) }
    }
}

impl Flushed {
    /// A commit may be seen in the file from now on.
    pub(crate) fn begins(&self) {
        self.begun.fetch_add(1, Ordering::SeqCst);
    }

    /// The number of the latest.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::SeqCst)
    }

    fn reaches(&self, number: u64) {
        self.flushed.send_replace(number);
    }

    /// Waits until what was read in the file just now is on the disk.
    pub(crate) async fn all_seen(&self) {
        let seen = self.begun();
        if *self.flushed.borrow() >= seen {
            return;
        }
        // An error says that the sender is gone, which is this value's.
        let _ = self.flushed.subscribe().wait_for(|flushed| *flushed >= seen).await;
    }
}

/// A commit, or one that failed.
pub(crate) struct Commit {
    /// The latest that may have been seen when it was made.
    pub(crate) number: u64,
    pub(crate) began: Instant,
    pub(crate) outcome: Result<Effects, StoreError>,
    pub(crate) answers: Vec<Answer>,
}

enum Message {
    Commit(Commit),
    /// Somebody waits until all before is flushed.
    Settle(mpsc::SyncSender<()>),
}

/// The thread, until it is dropped.
pub(crate) struct Flusher {
    commits: Option<mpsc::SyncSender<Message>>,
    /// Commits that are not flushed yet.
    waiting: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Flusher {
    /// Flushes the log at `path`; nothing without one. Calls `idle` when no commit waits any more.
    pub(crate) fn start(
        path: Option<PathBuf>,
        idle: Box<dyn Fn() + Send>,
        memory: Arc<Memory>,
    ) -> std::io::Result<Self> {
        let (commits, inbox) = mpsc::sync_channel(WAITING_MAX);
        let log = Log { path, file: None, failed: None };
        let waiting = Arc::<AtomicUsize>::default();
        let left = Arc::clone(&waiting);
        let done = move |count| {
            if left.fetch_sub(count, Ordering::SeqCst) == count {
                idle();
            }
        };
        let thread = std::thread::Builder::new()
            .name("clipia-flush".to_owned())
            .spawn(move || run(log, &memory, done, &inbox))?;
        Ok(Self { commits: Some(commits), waiting, thread: Some(thread) })
    }

    pub(crate) fn committed(&self, commit: Commit) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        // The thread ends no sooner than this value.
        let _ = self.commits.as_ref().map(|commits| commits.send(Message::Commit(commit)));
    }

    /// Whether commits wait to be flushed.
    pub(crate) fn is_busy(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    /// Waits until all commits so far are told of.
    pub(crate) fn settle(&self) {
        let (sender, settled) = mpsc::sync_channel(1);
        if let Some(Ok(())) = self.commits.as_ref().map(|commits| commits.send(Message::Settle(sender))) {
            let _ = settled.recv();
        }
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.commits = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// The log of the database.
struct Log {
    path: Option<PathBuf>,
    file: Option<File>,
    /// What could not be flushed once is never known to be on the disk: the system may have dropped it.
    failed: Option<StoreError>,
}

impl Log {
    fn flush(&mut self) -> Result<(), StoreError> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        self.sync().map_err(|source| {
            tracing::error!(%source, "the store cannot flush its log, and takes nothing more: restart the server");
            let failed = StoreError::Flush(Arc::new(source));
            self.failed = Some(failed.clone());
            failed
        })
    }

    fn sync(&mut self) -> std::io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let file = match self.file.take() {
            Some(file) => file,
            None => File::options().write(true).open(path)?,
        };
        self.file.insert(file).sync_data()
    }
}

fn run(mut log: Log, memory: &Memory, done: impl Fn(usize), inbox: &mpsc::Receiver<Message>) {
    while let Ok(first) = inbox.recv() {
        let (mut commits, mut settled) = (Vec::new(), None);
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Commit(commit) => commits.push(commit),
                Message::Settle(waiting) => {
                    settled = Some(waiting);
                    break;
                }
            }
            next = inbox.try_recv().ok();
        }
        let flushed = if commits.iter().any(|commit| commit.outcome.is_ok()) { log.flush() } else { Ok(()) };
        if !commits.is_empty() {
            done(commits.len());
        }
        for commit in commits {
            tell(memory, commit, &flushed);
        }
        if let Some(settled) = settled {
            let _ = settled.send(());
        }
    }
}

/// Lets a commit have its effects, and answers who waits for it.
fn tell(memory: &Memory, commit: Commit, flushed: &Result<(), StoreError>) {
    let Commit { number, began, outcome, answers } = commit;
    let outcome = outcome.and_then(|effects| flushed.clone().map(|()| effects));
    failpoints::reached("after-flush");
    let told = outcome.map(|Effects { moves, happened, keys, standings }| {
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        memory.counters.commit_micros.count(micros);
        memory.positions.apply(&moves);
        KnownKeys::changed(&memory.keys, &keys);
        memory.standings.changed(&standings);
        happened.into_iter().for_each(|what| memory.counters.happened(what));
    });
    memory.flushed.reaches(number);
    for answer in answers {
        answer(told.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_reads_waits_for_what_it_can_have_seen() {
        let flushed = Arc::new(Flushed::default());
        flushed.all_seen().await;
        flushed.begins();
        let reader = tokio::spawn({
            let flushed = Arc::clone(&flushed);
            async move { flushed.all_seen().await }
        });
        tokio::task::yield_now().await;
        assert!(!reader.is_finished());
        flushed.reaches(flushed.begun());
        reader.await.unwrap();
    }

    #[test]
    fn what_could_not_be_flushed_once_is_never_flushed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut log = Log { path: Some(path.clone()), file: None, failed: None };
        assert!(matches!(log.flush(), Err(StoreError::Flush(_))));
        std::fs::write(path, "now it is there").unwrap();
        assert!(matches!(log.flush(), Err(StoreError::Flush(_))));
    }
}
