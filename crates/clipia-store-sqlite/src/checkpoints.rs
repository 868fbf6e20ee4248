//! Moves what was committed from the log into the database, on a thread of its own.
//!
//! A commit only appends to the log. Moving it on takes flushes of its own, for which no submit should wait. The writer
//! does what is left where the log has grown to [`LOG_PAGES_MAX`], since only a complete checkpoint lets
//! SQLite restart the log from its beginning.
//!
//! A long read keeps SQLite from restarting the log, so that it grows. It keeps that size afterwards: it is cut at the first
//! commit after the restart, and by this thread where no commit comes.

use super::inspection::log_bytes;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Pages of the log at which the writer moves what is left: 16 MiB.
pub(crate) const LOG_PAGES_MAX: u32 = 4_096;

/// Bytes of the log that are kept for further commits: twice its size without long reads. After a cut the next commits cost
/// more.
pub(crate) const LOG_BYTES_KEPT: u32 = 2 * 4_096 * LOG_PAGES_MAX;

/// The size of the log from which on a warning is logged.
const LOG_BYTES_NOTABLE: u64 = 256 * 1024 * 1024;

/// The pause between two moves: most of the time commits have the disk to themselves.
const PAUSE: Duration = Duration::from_millis(50);

/// After this long without a commit the log is cut.
const QUIET: Duration = Duration::from_millis(500);

/// The thread, until it is stopped or dropped.
pub(crate) struct Checkpoints {
    commits: mpsc::SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Checkpoints {
    pub(crate) fn start(path: &Path) -> Result<Self, rusqlite::Error> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        // It never waits for others with the writer's lock in its hands.
        connection.busy_timeout(Duration::ZERO)?;
        let (commits, inbox) = mpsc::sync_channel(1);
        let log = Log { connection, store: path.to_owned(), is_notable: false };
        Ok(Self { commits, thread: std::thread::spawn(move || run(log, &inbox)) })
    }

    /// Reports a commit to the thread.
    pub(crate) fn committed(&self) {
        // One report is as good as many.
        let _ = self.commits.try_send(());
    }

    /// Ends the thread, and closes its connection.
    pub(crate) fn stop(self) {
        drop(self.commits);
        self.thread.thread().unpark();
        let _ = self.thread.join();
    }
}

/// The log, and whether its size was logged.
struct Log {
    connection: Connection,
    store: PathBuf,
    is_notable: bool,
}

impl Log {
    /// Moves as much as nobody reads from the log.
    fn move_on(&self) {
        self.checkpoint("PRAGMA wal_checkpoint(PASSIVE)");
    }

    /// Cuts the log to nothing, unless a read still needs it.
    fn cut(&self) {
        // First without the writer's lock, so that next to nothing is left to do while it is held.
        self.move_on();
        self.checkpoint("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    fn checkpoint(&self, statement: &str) {
        // What fails here is done by the writer later.
        if let Err(error) = self.connection.query_row(statement, [], |_| Ok(())) {
            tracing::warn!(%error, "the store's log could not be moved");
        }
    }

    /// Whether the log is larger than what is kept of it.
    fn is_large(&mut self) -> bool {
        let bytes = log_bytes(&self.store);
        if bytes >= LOG_BYTES_NOTABLE && !self.is_notable {
            tracing::warn!(bytes, "the store's log has grown: a long read, such as a backup, holds it up");
        }
        self.is_notable = bytes >= LOG_BYTES_NOTABLE;
        bytes > u64::from(LOG_BYTES_KEPT)
    }
}

fn run(mut log: Log, commits: &mpsc::Receiver<()>) {
    let mut large = log.is_large();
    loop {
        let commit = match large {
            true => commits.recv_timeout(QUIET),
            false => commits.recv().map_err(RecvTimeoutError::from),
        };
        match commit {
            Ok(()) => {
                log.move_on();
                // A commit meanwhile is found in the channel, and wakes nobody.
                std::thread::park_timeout(PAUSE);
            }
            Err(RecvTimeoutError::Timeout) => log.cut(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
        large = log.is_large();
    }
}
