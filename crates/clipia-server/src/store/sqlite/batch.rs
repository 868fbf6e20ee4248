//! Which commands share a commit.

use super::writer::{Command, Message};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How many commands share a commit at most.
const BATCH_MAX: usize = 256;

/// How long a transaction may wait for further commands: a fraction of what a flush takes on a common disk.
const GATHERING_MAX: Duration = Duration::from_micros(200);

/// The latest commit.
#[derive(Clone, Copy, Default)]
pub(crate) struct Last {
    /// How many commands shared it.
    pub(crate) taken: usize,
    /// How long it took once they had run.
    pub(crate) took: Duration,
}

/// The commands that share a commit: those that are there whenever one has run. Where fewer came than shared the last one,
/// their callers have been answered and are about to come back, so that they are waited for a little.
pub(crate) struct Batch<'i> {
    first: Option<Command>,
    inbox: &'i mpsc::Receiver<Message>,
    last: Last,
    pub(crate) taken: usize,
    /// Whoever waits for the end, which ends the batch.
    pub(crate) close: Option<oneshot::Sender<()>>,
}

impl<'i> Batch<'i> {
    pub(crate) fn new(first: Command, inbox: &'i mpsc::Receiver<Message>, last: Last) -> Self {
        Self { first: Some(first), inbox, last, taken: 0, close: None }
    }

    fn message(&self) -> Option<Message> {
        let mut message = self.inbox.try_recv().ok();
        if message.is_none() && self.taken < self.last.taken {
            let (since, patience) = (Instant::now(), (self.last.took / 3).min(GATHERING_MAX));
            while message.is_none() && since.elapsed() < patience {
                std::thread::yield_now();
                message = self.inbox.try_recv().ok();
            }
        }
        message
    }
}

impl Iterator for Batch<'_> {
    type Item = Command;

    fn next(&mut self) -> Option<Command> {
        if self.close.is_some() || self.taken >= BATCH_MAX {
            return None;
        }
        match self.first.take().map(Message::Command).or_else(|| self.message())? {
            Message::Command(command) => {
                self.taken += 1;
                Some(command)
            }
            Message::Close(closed) => {
                self.close = Some(closed);
                None
            }
        }
    }
}
