//! What a program prints: log lines, always, and progress where a line looks like a progress bar.

use super::environment::Secrets;
use crate::control::JobControl;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{ChildStderr, ChildStdout};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// How much of a line is kept until it ends, in bytes.
const LINE_BYTES_MAX: usize = 4 * 1024;

/// How many bytes are read at once.
const CHUNK_BYTES: usize = 16 * 1024;

/// How long the rest of what a program printed is waited for once its processes are gone. One that left its group may hold the
/// pipe open.
const REST_MAX: Duration = Duration::from_secs(1);

/// Where the lines of a program go.
pub(super) struct Lines {
    secrets: Secrets,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The job that runs. Lines that are printed without one are the program's own.
    control: Option<JobControl>,
    /// The last line of stdout and of stderr that is not empty.
    last: [String; 2],
}

/// A stream of a program.
#[derive(Clone, Copy)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

impl Lines {
    pub(super) fn new(secrets: Secrets) -> Arc<Self> {
        Arc::new(Self { secrets, state: Mutex::default() })
    }

    /// From here on lines belong to the job of `control`, or to none.
    pub(super) fn belong_to(&self, control: Option<JobControl>) {
        *self.lock() = State { control, last: Default::default() };
    }

    /// The last line: of stderr, where programs say what went wrong, and else of stdout.
    pub(super) fn last(&self) -> Option<String> {
        let state = self.lock();
        state.last.iter().rev().find(|line| !line.is_empty()).cloned()
    }

    fn add(&self, stream: Stream, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        let line = self.secrets.hidden_in(line.trim_end());
        let mut state = self.lock();
        if let Some(control) = &state.control {
            control.log(&line);
        } else {
            tracing::debug!(%line, "a program printed");
        }
        if !line.trim().is_empty() {
            state.last[stream as usize] = line.trim_start().to_owned();
        }
    }

    fn progress(&self, line: &[u8]) {
        let state = self.lock();
        if let (Some(control), Some(percent)) = (&state.control, percent_of(line)) {
            control.progress(percent);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream that a program prints to.
pub(super) trait Printed: AsyncRead + Unpin + Send + 'static {
    /// How many bytes it holds that nobody has read.
    fn unread(&self) -> u64;
}

/// Pipes, as things that a program prints to. The system knows what a pipe holds before the runtime does.
macro_rules! pipes {
    ($($pipe:ty),*) => {$(
        impl Printed for $pipe {
            #[cfg(unix)]
            fn unread(&self) -> u64 {
                // The system does not tell it of a pipe that is broken, which has nothing to read.
                rustix::io::ioctl_fionread(self).unwrap_or(0)
            }

            #[cfg(not(unix))]
            fn unread(&self) -> u64 {
                0
            }
        }
    )*};
}

pipes!(ChildStdout, ChildStderr);

/// Readers of what a program prints.
pub(super) struct Readers(Vec<Reader>);

/// A reader of one stream.
struct Reader {
    task: JoinHandle<()>,
    /// Asks the task to read what the stream holds now, and to say so.
    catch_up: mpsc::Sender<oneshot::Sender<()>>,
}

impl Readers {
    /// Reads both streams until they end.
    pub(super) fn start(
        lines: &Arc<Lines>,
        stdout: Option<impl Printed>,
        stderr: Option<impl Printed>,
    ) -> Self {
        let stdout = stdout.map(|stdout| Reader::start(Arc::clone(lines), Stream::Stdout, stdout));
        let stderr = stderr.map(|stderr| Reader::start(Arc::clone(lines), Stream::Stderr, stderr));
        Self(stdout.into_iter().chain(stderr).collect())
    }

    /// Waits until all has been read that the program has printed before this call, with a line that has not ended.
    pub(super) async fn catch_up(&self) {
        let caught_up = async {
            for reader in &self.0 {
                let (say, caught_up) = oneshot::channel();
                // A reader that has ended has read all.
                if reader.catch_up.send(say).await.is_ok() {
                    let _ = caught_up.await;
                }
            }
        };
        let _ = tokio::time::timeout(REST_MAX, caught_up).await;
    }

    /// Waits for the rest of a program that has ended.
    pub(super) async fn finish(mut self) {
        let rest = async {
            for reader in &mut self.0 {
                // A reader that panicked has read no more.
                let _ = (&mut reader.task).await;
            }
        };
        let _ = tokio::time::timeout(REST_MAX, rest).await;
    }
}

impl Reader {
    fn start(lines: Arc<Lines>, stream: Stream, from: impl Printed) -> Self {
        let (catch_up, asked) = mpsc::channel(1);
        let task = tokio::spawn(async move {
            let mut reading = Reading { lines, stream, splitter: Splitter::default() };
            reading.read(from, asked).await;
            reading.end_line();
        });
        Self { task, catch_up }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The reading of one stream.
struct Reading {
    lines: Arc<Lines>,
    stream: Stream,
    splitter: Splitter,
}

impl Reading {
    /// Reads a stream to its end, or until nobody can ask any more.
    async fn read(&mut self, mut from: impl Printed, mut asked: mpsc::Receiver<oneshot::Sender<()>>) {
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let caught_up = tokio::select! {
                count = from.read(&mut chunk) => match count {
                    Ok(count @ 1..) => {
                        self.add(&chunk[..count]);
                        continue;
                    }
                    _ => return,
                },
                Some(caught_up) = asked.recv() => caught_up,
            };
            let mut unread = from.unread();
            while unread > 0 {
                let Ok(count @ 1..) = from.read(&mut chunk).await else { return };
                self.add(&chunk[..count]);
                unread = unread.saturating_sub(count as u64);
            }
            self.end_line();
            // Nobody waits any more where it took too long.
            let _ = caught_up.send(());
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        let Self { lines, stream, splitter } = self;
        splitter.add(bytes, |line, end| match end {
            End::Redrawn => lines.progress(line),
            End::Line => {
                lines.progress(line);
                lines.add(*stream, line);
            }
        });
        // A bar begins with the return that draws over the one before: its own end comes late.
        lines.progress(&splitter.partial);
    }

    /// Ends a line that has begun.
    fn end_line(&mut self) {
        let partial = std::mem::take(&mut self.splitter).partial;
        if !partial.is_empty() {
            self.lines.add(self.stream, &partial);
        }
    }
}

/// How a line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// By a newline.
    Line,
    /// By a return: the next one is drawn over it. It is no line of the log.
    Redrawn,
}

/// Splits what a program prints into lines. What is longer than a line of the log is cut.
#[derive(Default)]
struct Splitter {
    partial: Vec<u8>,
    /// Whether the last byte was a return. With a newline behind it, it ends a line as the newline alone does.
    returned: bool,
}

impl Splitter {
    fn add(&mut self, bytes: &[u8], mut line: impl FnMut(&[u8], End)) {
        for piece in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            let (text, end) = match piece.split_last() {
                Some((end @ (b'\n' | b'\r'), text)) => (text, Some(*end)),
                _ => (piece, None),
            };
            if self.returned && (end != Some(b'\n') || !text.is_empty()) {
                line(&self.partial, End::Redrawn);
                self.partial.clear();
            }
            self.returned = false;
            let room = LINE_BYTES_MAX.saturating_sub(self.partial.len());
            self.partial.extend_from_slice(&text[..text.len().min(room)]);
            match end {
                Some(b'\r') => self.returned = true,
                Some(_) => {
                    line(&self.partial, End::Line);
                    self.partial.clear();
                }
                None => {}
            }
        }
    }
}

/// The percent of a progress bar as tqdm draws it: ` 24%|██▍       | 12/50 [00:03<…`. A bar with a description is another one
/// than that of the steps, such as of files that are loaded.
fn percent_of(line: &[u8]) -> Option<u8> {
    let line = std::str::from_utf8(line).ok().or_else(|| {
        // A chunk may end within a character.
        let (start, _) = line.split_at(std::str::from_utf8(line).err()?.valid_up_to());
        std::str::from_utf8(start).ok()
    })?;
    let (percent, rest) = line.trim_start().split_once("%|")?;
    let (_, rest) = rest.split_once('|')?;
    let (done, rest) = rest.trim_start().split_once('/')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let counts = is_number(done) && rest.starts_with(|char: char| char.is_ascii_digit());
    let percent: u8 = percent.parse().ok()?;
    (counts && percent <= 100).then_some(percent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(chunks: &[&[u8]]) -> Vec<(String, End)> {
        let (mut splitter, mut found) = (Splitter::default(), Vec::new());
        for chunk in chunks {
            splitter.add(chunk, |line, end| found.push((String::from_utf8_lossy(line).into_owned(), end)));
        }
        found
    }

    #[test]
    fn lines_end_by_a_newline_and_bars_by_a_return() {
        let line = |text: &str| (text.to_owned(), End::Line);
        let redrawn = |text: &str| (text.to_owned(), End::Redrawn);
        assert_eq!(lines(&[b"one\ntw", b"o\n\nrest"]), [line("one"), line("two"), line("")]);
        assert_eq!(lines(&[b"one\r\ntwo\r", b"\n"]), [line("one"), line("two")]);
        assert_eq!(lines(&[b"\r 1%\r 2%\n"]), [redrawn(""), redrawn(" 1%"), line(" 2%")]);
        assert_eq!(lines(&[b"a\r", b"b\n"]), [redrawn("a"), line("b")]);
    }

    #[test]
    fn bars_are_progress() {
        for (line, percent) in [
            (" 24%|\u{2588}\u{2588}\u{258d}       | 12/50 [00:03<00:10,  3.6it/s]", Some(24)),
            ("100%|##########| 50/50", Some(100)),
            ("  0%|          | 0/4 [00:00<?, ?it/s]", Some(0)),
            ("Loading checkpoint shards: 100%|###| 2/2", None),
            ("24% done", None),
            ("24%|###|", None),
            ("24%|###| of many", None),
            ("240%|###| 12/5", None),
            ("", None),
        ] {
            assert_eq!(percent_of(line.as_bytes()), percent, "{line}");
        }
        assert_eq!(percent_of(b"5%|\xe2\x96\x88| 1/2 \xe2\x96"), Some(5));
    }

    impl Printed for &'static [u8] {
        fn unread(&self) -> u64 {
            self.len() as u64
        }
    }

    #[tokio::test]
    async fn streams_are_read_to_their_end_and_secrets_are_hidden() {
        let (control, lines) = (JobControl::default(), Lines::new(Secrets::default()));
        lines.belong_to(Some(control.clone()));
        let stdout: &[u8] = b"{\"progress\": 90}\nlast of stdout";
        let stderr: &[u8] = b"\r 10%|#| 1/10\r 30%|###| 3/10\nTraceback\nValueError: no fox\n  \n";
        Readers::start(&lines, Some(stdout), Some(stderr)).finish().await;
        assert_eq!((control.percent(), lines.last().as_deref()), (30, Some("ValueError: no fox")));
        let logged: Vec<String> = control.take_logs().lines.into();
        for line in ["{\"progress\": 90}", "last of stdout", "Traceback", " 30%|###| 3/10"] {
            assert!(logged.iter().any(|logged| logged == line), "{line}: {logged:?}");
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn what_is_in_a_pipe_is_read_even_if_the_runtime_does_not_know_of_it_yet() {
        let directory = tempfile::tempdir().unwrap();
        let printed = directory.path().join("printed");
        let mut child = tokio::process::Command::new("sh")
            .args(["-c", "echo one; printf two; echo three >&2; touch \"$0\"; read wait"])
            .arg(&printed)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let (control, lines) = (JobControl::default(), Lines::new(Secrets::default()));
        lines.belong_to(Some(control.clone()));
        let readers = Readers::start(&lines, child.stdout.take(), child.stderr.take());
        // The only thread of the runtime is busy: no reader runs meanwhile.
        while !printed.exists() {
            std::thread::yield_now();
        }
        assert!(control.unreported_logs().lines.is_empty());
        readers.catch_up().await;
        assert_eq!(control.take_logs().lines, ["one", "two", "three"]);
        assert_eq!(child.try_wait().unwrap(), None, "its pipes are still open");
    }

    proptest! {
        #[test]
        fn chunks_make_no_difference(text in "[ab\r\n]{0,40}", at in 0usize..40) {
            let bytes = text.as_bytes();
            let (first, second) = bytes.split_at(at.min(bytes.len()));
            prop_assert_eq!(lines(&[bytes]), lines(&[first, second]));
        }
    }
}
