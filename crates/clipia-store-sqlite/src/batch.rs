//! Which commands share a commit.

use super::command::{Command, Message, WAITING_MAX};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How many commands share a commit at most.
const BATCH_MAX: usize = 256;

/// Bytes of a commit beyond which no more commands join it: the next command waits for a flush of a few milliseconds.
const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How long a transaction may wait for further commands in all: a fraction of a flush on a common disk.
const GATHERING_MAX: Duration = Duration::from_micros(200);

/// The latest commit.
#[derive(Clone, Copy, Default)]
pub(crate) struct Last {
    /// How many commands shared it.
    pub(crate) taken: usize,
    /// How long it took once they had run.
    pub(crate) took: Duration,
    /// Whether it failed.
    pub(crate) failed: bool,
}

/// The commands that share a commit: all that have been handed in by the time the one before has run. If they are fewer than
/// those of the latest commit, the batch waits a little: callers that were just answered usually submit again.
pub(crate) struct Batch<'i> {
    first: Option<Command>,
    inbox: &'i mpsc::Receiver<Message>,
    last: Last,
    /// How much longer the batch may wait.
    patience: Duration,
    pub(crate) taken: usize,
    bytes: usize,
    /// The caller that waits for the writer to close. A request to close ends the batch.
    pub(crate) close: Option<oneshot::Sender<()>>,
}

impl<'i> Batch<'i> {
    pub(crate) fn new(first: Command, inbox: &'i mpsc::Receiver<Message>, last: Last) -> Self {
        let patience = (last.took / 3).min(GATHERING_MAX);
        Self { first: Some(first), inbox, last, patience, taken: 0, bytes: 0, close: None }
    }

    /// The commit before this one.
    pub(crate) fn latest(&self) -> Last {
        self.last
    }

    /// Every command that waits by now: none of them shall wait for a transaction any longer.
    pub(crate) fn waiting(&mut self) -> impl Iterator<Item = Command> {
        std::iter::from_fn(|| {
            if self.close.is_some() || self.taken > WAITING_MAX {
                return None;
            }
            let message = self.first.take().map(Message::Command).or_else(|| self.inbox.try_recv().ok());
            self.accept(message?)
        })
    }

    fn accept(&mut self, message: Message) -> Option<Command> {
        match message {
            Message::Command(command) => {
                self.taken += 1;
                self.bytes += command.bytes;
                Some(command)
            }
            Message::Close(closed) => {
                self.close = Some(closed);
                None
            }
        }
    }

    fn message(&mut self) -> Option<Message> {
        let mut message = self.inbox.try_recv().ok();
        if message.is_none() && self.taken < self.last.taken {
            let since = Instant::now();
            while message.is_none() && since.elapsed() < self.patience {
                std::thread::yield_now();
                message = self.inbox.try_recv().ok();
            }
            self.patience = self.patience.saturating_sub(since.elapsed());
        }
        message
    }
}

impl Iterator for Batch<'_> {
    type Item = Command;

    fn next(&mut self) -> Option<Command> {
        if self.close.is_some() || self.taken >= BATCH_MAX || self.bytes >= BATCH_BYTES_MAX {
            return None;
        }
        let message = self.first.take().map(Message::Command).or_else(|| self.message())?;
        self.accept(message)
    }
}

#[cfg(test)]
mod tests {
    use super::super::command::Ran;
    use super::*;

    fn command() -> Command {
        Command { decides: true, bytes: 0, run: Box::new(|_| (Ran::Kept, Box::new(|_| {}))) }
    }

    #[test]
    fn large_commands_share_no_long_commit() {
        let (commands, inbox) = mpsc::channel();
        for _ in 0..20 {
            commands.send(Message::Command(Command { bytes: 3 * 1024 * 1024, ..command() })).unwrap();
        }
        assert_eq!(Batch::new(command(), &inbox, Last::default()).count(), 4);
    }

    #[test]
    fn a_transaction_waits_for_so_long_in_all_however_many_come() {
        let (commands, inbox) = mpsc::channel();
        let last = Last { taken: BATCH_MAX, took: Duration::from_secs(1), ..Last::default() };
        let mut batch = Batch::new(command(), &inbox, last);
        assert!(batch.next().is_some());
        assert!(batch.next().is_none());
        // One that comes when the time is up is still taken; nobody is waited for after it.
        commands.send(Message::Command(command())).unwrap();
        assert!(batch.next().is_some());
        assert!(batch.patience.is_zero());
        assert_eq!(batch.taken, 2);
    }

    #[test]
    fn a_request_to_close_ends_it() {
        let (commands, inbox) = mpsc::channel();
        commands.send(Message::Close(oneshot::channel().0)).unwrap();
        commands.send(Message::Command(command())).unwrap();
        let mut batch = Batch::new(command(), &inbox, Last::default());
        assert_eq!((&mut batch).count(), 1);
        assert!(batch.close.is_some() && batch.next().is_none());
    }
}
