//! Moves what was committed from the log into the database, on a thread of its own.
//!
//! A commit only appends to the log. Moving it on takes flushes of its own, for which no submit should wait. The writer
//! does what is left where the log has grown to [`LOG_PAGES_MAX`], since only a log that is moved whole begins anew.

use rusqlite::Connection;
use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Pages of the log at which the writer moves what is left: 16 MiB.
pub(crate) const LOG_PAGES_MAX: u32 = 4_096;

/// From one move to the next: most of the time commits have the disk to themselves.
const PAUSE: Duration = Duration::from_millis(50);

/// The thread, until it is stopped or dropped.
pub(crate) struct Checkpoints {
    commits: mpsc::SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Checkpoints {
    pub(crate) fn start(path: &Path) -> Result<Self, rusqlite::Error> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        let (commits, inbox) = mpsc::sync_channel(1);
        Ok(Self { commits, thread: std::thread::spawn(move || run(&connection, &inbox)) })
    }

    /// There was a commit.
    pub(crate) fn committed(&self) {
        // Where one is known already, another changes nothing.
        let _ = self.commits.try_send(());
    }

    /// Ends the thread, and lets go of the file.
    pub(crate) fn stop(self) {
        drop(self.commits);
        self.thread.thread().unpark();
        let _ = self.thread.join();
    }
}

fn run(connection: &Connection, commits: &mpsc::Receiver<()>) {
    while commits.recv().is_ok() {
        // What fails here is done by the writer later.
        if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
            tracing::warn!(%error, "the store's log could not be moved");
        }
        // A commit meanwhile leaves word, and wakes nobody.
        std::thread::park_timeout(PAUSE);
    }
}
