//! The connection between a running executor and its worker.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

/// How many log lines wait for the worker at most. It takes them several times a second; older ones are dropped.
pub const LOG_LINES_KEPT: usize = 1_000;

/// The longest log line, in bytes. Longer lines are cut.
pub const LOG_LINE_BYTES_MAX: usize = 4 * 1024;

/// The connection between a running executor and its worker: progress and log lines one way, the stop the other way.
#[derive(Clone, Debug, Default)]
pub struct JobControl {
    percent: Arc<AtomicU8>,
    logs: Arc<Mutex<LogLines>>,
    kept: Arc<Mutex<Kept>>,
    stop: CancellationToken,
}

/// What an executor keeps until its output is stored.
#[derive(Default)]
struct Kept(Vec<Box<dyn Any + Send + Sync>>);

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} values", self.0.len())
    }
}

/// Log lines of an attempt, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogLines {
    /// How many lines of the attempt came before `lines`, those that were dropped included.
    pub offset: u64,
    /// The lines.
    pub lines: VecDeque<String>,
}

impl JobControl {
    /// A control that says stop when `stop` is canceled.
    pub fn new(stop: CancellationToken) -> Self {
        Self { percent: Arc::default(), logs: Arc::default(), kept: Arc::default(), stop }
    }

    /// Reports that `percent` of the work is done. Progress never goes back.
    pub fn progress(&self, percent: u8) {
        self.percent.fetch_max(percent, Ordering::Relaxed);
    }

    /// The reported percent.
    pub fn percent(&self) -> u8 {
        self.percent.load(Ordering::Relaxed)
    }

    /// Logs a line. It becomes one of the request's `logs`.
    pub fn log(&self, line: &str) {
        let mut end = line.len().min(LOG_LINE_BYTES_MAX);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        if logs.lines.len() == LOG_LINES_KEPT {
            logs.lines.pop_front();
            logs.offset += 1;
        }
        logs.lines.push_back(line[..end].to_owned());
    }

    /// Takes the lines that were logged since the last call.
    pub fn take_logs(&self) -> LogLines {
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let offset = logs.offset + logs.lines.len() as u64;
        std::mem::replace(&mut *logs, LogLines { offset, lines: VecDeque::new() })
    }

    /// Keeps a value, such as the directory of the output's files, until the output is stored or dropped: the worker holds its
    /// control so long.
    pub fn keep(&self, value: impl Send + Sync + 'static) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).0.push(Box::new(value));
    }

    /// Whether the executor must stop.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Waits until the executor must stop.
    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Asks the executor to stop.
    pub fn stop(&self) {
        self.stop.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_lines_are_taken_once_and_the_oldest_are_dropped() {
        let control = JobControl::default();
        control.log("first");
        assert_eq!(control.take_logs(), LogLines { offset: 0, lines: ["first".to_owned()].into() });
        assert_eq!(control.take_logs(), LogLines { offset: 1, lines: VecDeque::new() });
        for n in 0..LOG_LINES_KEPT + 2 {
            control.log(&n.to_string());
        }
        let logs = control.take_logs();
        assert_eq!((logs.offset, logs.lines.len(), logs.lines[0].as_str()), (3, LOG_LINES_KEPT, "2"));
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let control = JobControl::default();
        control.log(&"\u{e9}".repeat(LOG_LINE_BYTES_MAX));
        control.log(&format!("x{}", "\u{e9}".repeat(LOG_LINE_BYTES_MAX)));
        let lengths: Vec<usize> = control.take_logs().lines.iter().map(String::len).collect();
        assert_eq!(lengths, [LOG_LINE_BYTES_MAX, LOG_LINE_BYTES_MAX - 1]);
    }
}
