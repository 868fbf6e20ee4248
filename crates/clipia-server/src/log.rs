//! The way of log events to where they are written, which is most often stderr.
//!
//! A caller that logs only copies the event to memory. One thread writes. So a full disk, a reader that is gone and a
//! reader that does not read stop no caller: what cannot be written is dropped and counted.
//!
//! `tracing-appender` does the half of it: it neither counts nor tells of what a failed write lost.

use prometheus_client::metrics::counter::Counter;
use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bytes of events that may wait while a write is under way: some 4,000 events.
const WAITING_MAX: usize = 1024 * 1024;

/// The pause where the output would block and says so, as a pipe does that another program has set so.
const FULL_PAUSE: Duration = Duration::from_millis(10);

/// Takes log events. Each [`write`](Write::write) is one event, never waits and never fails. Clones share one queue.
#[derive(Clone)]
pub struct LogWriter(Arc<Handle>);

/// The last one to be dropped ends the thread.
struct Handle(Arc<Queue>);

struct Queue {
    state: Mutex<State>,
    /// Wakes the thread.
    filled: Condvar,
    /// Wakes callers of [`LogWriter::flush`].
    written: Condvar,
    dropped: Counter,
}

#[derive(Default)]
struct State {
    waiting: Events,
    /// Whether the thread has events that it has not written yet.
    writing: bool,
    closed: bool,
}

/// Events one behind the other.
#[derive(Default)]
struct Events {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl LogWriter {
    /// Starts the thread, which writes to `out`.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let queue = Arc::new(Queue {
            state: Mutex::default(),
            filled: Condvar::new(),
            written: Condvar::new(),
            dropped: Counter::default(),
        });
        let writing = Arc::clone(&queue);
        std::thread::Builder::new().name("clipia-log".to_owned()).spawn(move || run(&writing, out))?;
        Ok(Self(Arc::new(Handle(queue))))
    }

    /// Waits until every event is written or dropped that was taken so far, for `within` at most. Whether it came to that.
    pub fn flush(&self, within: Duration) -> bool {
        let Handle(queue) = &*self.0;
        let pending = |state: &mut State| state.writing || !state.waiting.ends.is_empty();
        let waited = queue.written.wait_timeout_while(queue.state(), within, pending);
        let (_state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        !timeout.timed_out()
    }

    /// How many events could not be written, so far.
    pub fn dropped(&self) -> u64 {
        self.0.0.dropped.get()
    }

    /// The counter of [`LogWriter::dropped`], for a scrape.
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

impl Queue {
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
        // Otherwise the thread was woken already, or looks again before it sleeps.
        let sleeps = !state.writing && state.waiting.ends.len() == 1;
        drop(state);
        if sleeps {
            self.filled.notify_one();
        }
    }

    /// The events that wait, once there are any; `events` were dealt with, and their memory is used again. Nothing where
    /// no more can come.
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

fn run(queue: &Queue, mut out: impl Write) {
    let mut events = Events::default();
    let mut torn = false;
    let mut told = 0;
    while let Some(next) = queue.next(events) {
        events = next;
        // What follows half an event begins a line of its own.
        if torn && write(queue, &mut out, b"\n") == 1 {
            torn = false;
        }
        let done = write(queue, &mut out, &events.bytes);
        let lost = events.ends.iter().filter(|end| **end > done).count();
        queue.dropped.inc_by(lost as u64);
        torn |= done > 0 && !events.ends.contains(&done);
        let dropped = queue.dropped.get();
        if lost == 0 && dropped > told {
            told = dropped;
            // Comes back as an event, in the form of the others.
            tracing::warn!(
                dropped_total = dropped,
                "events of this log could not be written and were dropped"
            );
        }
    }
}

/// Writes as much as can be written; tells how many bytes.
fn write(queue: &Queue, out: &mut impl Write, bytes: &[u8]) -> usize {
    let mut done = 0;
    while done < bytes.len() {
        match out.write(&bytes[done..]) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock && !queue.state().closed => {
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

    /// Only waited for by a test that fails.
    const DEADLINE: Duration = Duration::from_secs(30);

    /// An output that keeps what it gets, as much of each write as it is told to: nothing is a full disk.
    struct Output {
        room: mpsc::Receiver<usize>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Blocks as a pipe does that nobody reads.
            let room = self.room.recv().unwrap_or(usize::MAX).min(bytes.len());
            if room == 0 {
                return Err(io::Error::from(ErrorKind::StorageFull));
            }
            self.written.lock().unwrap().extend_from_slice(&bytes[..room]);
            Ok(room)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn start() -> (LogWriter, mpsc::Sender<usize>, Arc<Mutex<Vec<u8>>>) {
        let (allow, room) = mpsc::channel();
        let written = Arc::default();
        let output = Output { room, written: Arc::clone(&written) };
        (LogWriter::start(output).unwrap(), allow, written)
    }

    #[test]
    fn what_fails_is_counted_and_what_follows_half_an_event_is_a_line_of_its_own() {
        let (mut log, allow, written) = start();
        for (event, rooms) in [
            (&b"whole\n"[..], &[usize::MAX][..]),
            (b"lost\n", &[0]),
            (b"halved\n", &[3, 0]),
            (b"in pieces\n", &[1, 2, usize::MAX]),
        ] {
            rooms.iter().for_each(|room| allow.send(*room).unwrap());
            log.write_all(event).unwrap();
            assert!(log.flush(DEADLINE));
        }
        assert_eq!(*written.lock().unwrap(), b"whole\nhal\nin pieces\n");
        assert_eq!(log.dropped(), 2);
    }

    #[test]
    fn nobody_waits_for_an_output_that_blocks_and_what_waits_is_bounded() {
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
        // What the thread had taken already, and what was waiting behind it.
        assert!((WAITING_MAX / event.len()..=2 * WAITING_MAX / event.len()).contains(&kept), "{kept}");
        // The last words of a log are written although nobody waits for them.
        log.write_all(b"last").unwrap();
        drop(log);
        let since = std::time::Instant::now();
        while !written.lock().unwrap().ends_with(b"last") {
            assert!(since.elapsed() < DEADLINE);
            std::thread::yield_now();
        }
    }
}
