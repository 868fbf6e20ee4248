//! The connection between a running executor and its worker.

use clipia_queue::logs::{BYTES_MAX, LINES_MAX, LogLines, bytes_of, line};
use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// The connection between a running executor and its worker: progress and log lines one way, the stop the other way.
#[derive(Clone, Debug, Default)]
pub struct JobControl {
    percent: Arc<AtomicU8>,
    logs: Arc<Mutex<Unreported>>,
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

/// Lines that wait until their report has arrived: as many as are kept of an attempt at all. The oldest are dropped.
#[derive(Debug, Default)]
struct Unreported {
    logs: LogLines,
    bytes: usize,
}

impl Unreported {
    fn push(&mut self, line: String) {
        self.bytes += bytes_of(&line);
        self.logs.lines.push_back(line);
        while self.logs.lines.len() > LINES_MAX || self.bytes > BYTES_MAX {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        if let Some(line) = self.logs.lines.pop_front() {
            self.bytes -= bytes_of(&line);
            self.logs.offset += 1;
        }
    }
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

    /// Logs a line of the request's `logs`; several lines where `text` has line breaks. What a terminal would obey is
    /// [removed](clipia_queue::logs::line), and a long line is cut.
    pub fn log(&self, text: &str) {
        let mut unreported = self.unreported();
        for text in text.strip_suffix('\n').unwrap_or(text).split('\n') {
            unreported.push(line(text.trim_end_matches('\r')).into_owned());
        }
    }

    /// The lines that wait for a report, of which the oldest were dropped if they were too many.
    pub fn unreported_logs(&self) -> LogLines {
        self.unreported().logs.clone()
    }

    /// The first `end` lines of the attempt were reported ([`LogLines::end`]). They wait no more.
    pub fn logs_reported(&self, end: u64) {
        let mut unreported = self.unreported();
        while unreported.logs.offset < end && !unreported.logs.lines.is_empty() {
            unreported.drop_first();
        }
    }

    /// Takes the lines that were logged since the last call.
    pub fn take_logs(&self) -> LogLines {
        let logs = self.unreported_logs();
        self.logs_reported(logs.end());
        logs
    }

    fn unreported(&self) -> MutexGuard<'_, Unreported> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
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
    use clipia_queue::logs::LINE_BYTES_MAX;

    #[test]
    fn log_lines_are_taken_once_and_the_oldest_are_dropped() {
        let control = JobControl::default();
        control.log("first");
        assert_eq!(control.take_logs(), LogLines { offset: 0, lines: ["first".to_owned()].into() });
        assert_eq!(control.take_logs(), LogLines { offset: 1, ..LogLines::default() });
        for n in 0..LINES_MAX + 2 {
            control.log(&n.to_string());
        }
        let logs = control.take_logs();
        assert_eq!((logs.offset, logs.lines.len(), logs.lines[0].as_str()), (3, LINES_MAX, "2"));
        for _ in 0..LINES_MAX {
            control.log(&"x".repeat(2 * LINE_BYTES_MAX));
        }
        let logs = control.take_logs();
        assert_eq!(logs.lines.len(), BYTES_MAX / (LINE_BYTES_MAX + 1));
        assert_eq!(logs.end(), 2 * LINES_MAX as u64 + 3);
    }

    #[test]
    fn lines_wait_until_their_report_has_arrived() {
        let control = JobControl::default();
        control.log("first");
        let report = control.unreported_logs();
        control.log("second");
        // No response came.
        assert_eq!(
            control.unreported_logs(),
            LogLines { offset: 0, lines: ["first", "second"].map(str::to_owned).into() }
        );
        control.logs_reported(report.end());
        assert_eq!(control.unreported_logs(), LogLines { offset: 1, lines: ["second".to_owned()].into() });
        // More was dropped meanwhile than the report had.
        control.logs_reported(9);
        assert_eq!(control.unreported_logs(), LogLines { offset: 2, ..LogLines::default() });
    }

    #[test]
    fn a_text_of_several_lines_is_as_many_lines() {
        let control = JobControl::default();
        for text in ["", "one\n", "two\r\nthree\n\nfive"] {
            control.log(text);
        }
        assert_eq!(control.take_logs().lines, ["", "one", "two", "three", "", "five"]);
    }
}
