//! The writer of the log, which never blocks the code that logs.
//!
//! Logging an event only copies it to memory. One thread writes the events, most often to stderr. So no caller stops for a
//! full disk, or for a pipe that nobody reads: events that cannot be written are dropped and counted.
//!
//! `tracing-appender` would not do: it does not count the events that a failed write lost.

use prometheus_client::metrics::counter::Counter;
use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// The bytes of events that may wait while a write is under way: some 4,000 events.
const WAITING_MAX: usize = 1024 * 1024;

/// The pause after the output reports that it would block, as a non-blocking pipe does.
const FULL_PAUSE: Duration = Duration::from_millis(10);

/// A writer of log events. Each [`write`](Write::write) is one event, never waits and never fails. Clones share one buffer.
#[derive(Clone)]
pub struct LogWriter(Arc<Handle>);

/// The handle of the writing thread. Dropping it ends the thread.
struct Handle(Arc<Buffer>);

struct Buffer {
    state: Mutex<State>,
    /// Wakes the thread.
    filled: Condvar,
    /// Wakes callers of [`LogWriter::flush`].
    written: Condvar,
    dropped: Counter,
    /// Changes what is logged.
    level: OnceLock<SetLevel>,
}

/// Changes what is logged to a filter. The error says what is wrong with it.
type SetLevel = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// Why what is logged was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LevelRefused {
    /// The filter cannot be read.
    #[error(
        "`{filter}` is no filter of a log: {why}; write a level such as `debug`, or `info,clipia_server=debug`"
    )]
    Invalid {
        /// The filter.
        filter: String,
        /// What is wrong with it.
        why: String,
    },
    /// The program that runs the server has a log whose level it does not change.
    #[error("the level of this server's log cannot be changed while it runs")]
    Fixed,
}

#[derive(Default)]
struct State {
    waiting: Events,
    /// Whether the thread is writing events.
    writing: bool,
    closed: bool,
}

/// Events, one after the other.
#[derive(Default)]
struct Events {
    bytes: Vec<u8>,
    /// The end of each event in `bytes`.
    ends: Vec<usize>,
}

impl LogWriter {
    /// Starts a thread that writes to `out`.
    ///
    /// # Errors
    /// If the system cannot start a thread.
    pub fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let buffer = Arc::new(Buffer {
            state: Mutex::default(),
            filled: Condvar::new(),
            written: Condvar::new(),
            dropped: Counter::default(),
            level: OnceLock::new(),
        });
        let writing = Arc::clone(&buffer);
        std::thread::Builder::new().name("clipia-log".to_owned()).spawn(move || run(&writing, out))?;
        Ok(Self(Arc::new(Handle(buffer))))
    }

    /// Waits until every event so far is written or dropped, for `within` at most. Returns whether that was in time.
    pub fn flush(&self, within: Duration) -> bool {
        let Handle(buffer) = &*self.0;
        let pending = |state: &mut State| state.writing || !state.waiting.ends.is_empty();
        let waited = buffer.written.wait_timeout_while(buffer.state(), within, pending);
        let (_state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        !timeout.timed_out()
    }

    /// Has `set` change what is logged. Only the first one counts.
    pub fn on_level(&self, set: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static) {
        let _ = self.0.0.level.set(Box::new(set));
    }

    /// Changes what is logged to `filter`, which has the form of `RUST_LOG`.
    ///
    /// # Errors
    /// [`LevelRefused`]; then nothing changes.
    pub fn set_level(&self, filter: &str) -> Result<(), LevelRefused> {
        let set = self.0.0.level.get().ok_or(LevelRefused::Fixed)?;
        set(filter).map_err(|why| LevelRefused::Invalid { filter: filter.to_owned(), why })
    }

    /// The number of events dropped so far.
    pub fn dropped(&self) -> u64 {
        self.0.0.dropped.get()
    }

    /// The counter behind [`LogWriter::dropped`], for the metrics.
    pub(crate) fn dropped_counter(&self) -> Counter {
        self.0.0.dropped.clone()
    }
}

impl Write for LogWriter {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.0.0.take(event);
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for LogWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogWriter").field("dropped", &self.dropped()).finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.state().closed = true;
        self.0.filled.notify_one();
    }
}

impl Buffer {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, event: &[u8]) {
        let mut state = self.state();
        let Events { bytes, ends } = &mut state.waiting;
        if event.len() > WAITING_MAX - bytes.len() {
            drop(state);
            self.dropped.inc();
            return;
        }
        bytes.extend_from_slice(event);
        ends.push(bytes.len());
        // In all other cases the thread was woken already, or checks the buffer before it sleeps.
        let sleeps = !state.writing && state.waiting.ends.len() == 1;
        drop(state);
        if sleeps {
            self.filled.notify_one();
        }
    }

    /// Waits for events and takes them. `events` are the written ones, whose memory is used again. `None` once the writer is
    /// closed and the buffer is empty.
    fn next(&self, mut events: Events) -> Option<Events> {
        events.bytes.clear();
        events.ends.clear();
        let mut state = self.state();
        state.writing = false;
        if state.waiting.ends.is_empty() {
            self.written.notify_all();
        }
        while state.waiting.ends.is_empty() {
            if state.closed {
                return None;
            }
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.writing = true;
        Some(std::mem::replace(&mut state.waiting, events))
    }
}

fn run(buffer: &Buffer, mut out: impl Write) {
    let mut events = Events::default();
    // Whether the output ends in the middle of an event.
    let mut torn = false;
    let mut reported = 0;
    while let Some(next) = buffer.next(events) {
        events = next;
        // The event after a torn one begins on a new line.
        if torn && write(buffer, &mut out, b"\n") == 1 {
            torn = false;
        }
        let done = write(buffer, &mut out, &events.bytes);
        let lost = events.ends.iter().filter(|end| **end > done).count();
        buffer.dropped.inc_by(lost as u64);
        torn |= done > 0 && !events.ends.contains(&done);
        let dropped = buffer.dropped.get();
        if lost == 0 && dropped > reported {
            reported = dropped;
            // This goes through the log itself, so that it has the form of the other events.
            tracing::warn!(
                dropped_total = dropped,
                "events of this log could not be written and were dropped"
            );
        }
    }
}

/// Writes as much as the output takes; returns how many bytes.
fn write(buffer: &Buffer, out: &mut impl Write, bytes: &[u8]) -> usize {
    let mut done = 0;
    while done < bytes.len() {
        match out.write(&bytes[done..]) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock && !buffer.state().closed => {
                std::thread::sleep(FULL_PAUSE);
            }
            Err(_) => break,
        }
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// The longest wait; only a failing test waits so long.
    const DEADLINE: Duration = Duration::from_secs(30);

    /// An output that accepts a given number of bytes of each write. Zero bytes are a full disk.
    struct Output {
        accepted: mpsc::Receiver<usize>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Blocks like a pipe that nobody reads.
            let accepted = self.accepted.recv().unwrap_or(usize::MAX).min(bytes.len());
            if accepted == 0 {
                return Err(io::Error::from(ErrorKind::StorageFull));
            }
            self.written.lock().unwrap().extend_from_slice(&bytes[..accepted]);
            Ok(accepted)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn start() -> (LogWriter, mpsc::Sender<usize>, Arc<Mutex<Vec<u8>>>) {
        let (allow, accepted) = mpsc::channel();
        let written = Arc::default();
        let output = Output { accepted, written: Arc::clone(&written) };
        (LogWriter::start(output).unwrap(), allow, written)
    }

    #[test]
    fn a_failed_write_is_counted_and_the_event_after_a_torn_one_begins_a_line() {
        let (mut log, allow, written) = start();
        for (event, writes) in [
            (&b"whole\n"[..], &[usize::MAX][..]),
            (b"lost\n", &[0]),
            (b"halved\n", &[3, 0]),
            (b"in pieces\n", &[1, 2, usize::MAX]),
        ] {
            writes.iter().for_each(|accepted| allow.send(*accepted).unwrap());
            log.write_all(event).unwrap();
            assert!(log.flush(DEADLINE));
        }
        assert_eq!(*written.lock().unwrap(), b"whole\nhal\nin pieces\n");
        assert_eq!(log.dropped(), 2);
    }

    #[test]
    fn a_blocked_output_blocks_no_caller_and_the_buffer_is_bounded() {
        let (mut log, allow, written) = start();
        let event = [b'a'; 1_000];
        let many = 2 * WAITING_MAX / event.len();
        for _ in 0..many {
            log.write_all(&event).unwrap();
        }
        assert!(!log.flush(Duration::ZERO));
        drop(allow);
        assert!(log.flush(DEADLINE));
        let kept = written.lock().unwrap().len() / event.len();
        assert_eq!(kept as u64 + log.dropped(), many as u64);
        // The thread holds up to one buffer, and another one waits.
        assert!((WAITING_MAX / event.len()..=2 * WAITING_MAX / event.len()).contains(&kept), "{kept}");
        // The last event is written, although nobody waits for it.
        log.write_all(b"last").unwrap();
        drop(log);
        let since = std::time::Instant::now();
        while !written.lock().unwrap().ends_with(b"last") {
            assert!(since.elapsed() < DEADLINE);
            std::thread::yield_now();
        }
    }
}
