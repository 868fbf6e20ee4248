//! The events of a program: JSON lines that it appends to a file.
//!
//! A file, and not stdout: what else a program prints cannot be taken for an event, and a write to it never blocks.

use super::environment::Secrets;
use crate::control::JobControl;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// The longest line of events, in bytes.
pub(super) const EVENT_BYTES_MAX: usize = 64 * 1024;

/// The most bytes of all events of a job.
pub(super) const EVENTS_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How many lines that are no events are named in a job's log.
const WARNINGS_MAX: u32 = 10;

/// The longest beginning of such a line that is shown, in characters.
const SHOWN_MAX: usize = 100;

/// The longest code of a failure, in bytes.
const CODE_BYTES_MAX: usize = 64;

/// The version of the protocol of warm programs.
const PROTOCOL: u64 = 1;

/// What a program reported of a job, or of itself.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// What it adds to the output.
    pub(super) output: Map<String, Value>,
    /// How the attempt ends, if the program said so. The last word counts.
    pub(super) verdict: Option<Verdict>,
    /// Whether it has finished the job.
    pub(super) done: bool,
    /// Whether it takes jobs.
    pub(super) ready: Option<Ready>,
    /// How many lines were no events.
    warnings: u32,
}

/// How an attempt ends, in the program's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It fails.
    Fail { why: String, code: Option<String> },
    /// Another attempt may succeed.
    Retry(String),
}

/// Whether a warm program that says that it is ready can be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    Ready,
    /// It speaks another version of the protocol.
    OtherProtocol(u64),
}

/// Why a program is ended for its events. The sentence is for the caller.
#[derive(Debug, thiserror::Error)]
pub(super) enum EventsError {
    #[error("the program wrote a line of more than 64 KiB to its events file")]
    Line,
    #[error("the program wrote more than 16 MiB to its events file")]
    File,
    #[error("the events file of the program cannot be read")]
    Unreadable(#[source] io::Error),
}

/// A line of events, which may have several. Members that are unknown are left for later versions.
#[derive(Deserialize)]
struct Line {
    progress: Option<f64>,
    log: Option<String>,
    output: Option<Map<String, Value>>,
    fail: Option<String>,
    code: Option<String>,
    retry: Option<String>,
    done: Option<bool>,
    ready: Option<bool>,
    protocol: Option<u64>,
}

impl Line {
    fn is_event(&self) -> bool {
        let Self { progress, log, output, fail, retry, done, ready, .. } = self;
        progress.is_some()
            || [log, fail, retry].iter().any(|text| text.is_some())
            || output.is_some()
            || done.is_some()
            || ready.is_some()
    }
}

impl Report {
    /// Adds a line. What it says of progress and of logs goes to `control`, if a job runs.
    fn add(&mut self, line: &[u8], control: Option<&JobControl>, secrets: &Secrets) {
        let text = String::from_utf8_lossy(line);
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        let Some(line) = serde_json::from_str::<Line>(text).ok().filter(Line::is_event) else {
            self.warn(text, control, secrets);
            return;
        };
        if let Some(control) = control {
            // A float-to-integer cast saturates, and makes 0 of what is no number.
            line.progress.iter().for_each(|percent| control.progress(percent.clamp(0.0, 100.0) as u8));
            line.log.iter().for_each(|text| control.log(&secrets.hidden_in(text)));
        }
        self.output.extend(line.output.into_iter().flatten());
        if let Some(why) = line.retry {
            self.verdict = Some(Verdict::Retry(secrets.hidden_in(&why).into_owned()));
        }
        if let Some(why) = line.fail {
            let code = line.code.filter(|code| is_code(code));
            self.verdict = Some(Verdict::Fail { why: secrets.hidden_in(&why).into_owned(), code });
        }
        self.done |= line.done == Some(true);
        if line.ready == Some(true) {
            self.ready = Some(match line.protocol {
                None | Some(PROTOCOL) => Ready::Ready,
                Some(other) => Ready::OtherProtocol(other),
            });
        }
    }

    fn warn(&mut self, text: &str, control: Option<&JobControl>, secrets: &Secrets) {
        self.warnings += 1;
        let shown: String = text.chars().take(SHOWN_MAX).collect();
        let warning = match self.warnings {
            ..WARNINGS_MAX => format!("a line of the events file is no event: {}", secrets.hidden_in(&shown)),
            WARNINGS_MAX => "more lines of the events file are no events".to_owned(),
            _ => return,
        };
        control.iter().for_each(|control| control.log(&warning));
    }

    /// Whether a warm program has nothing more to say of its job.
    pub(super) fn has_ended(&self) -> bool {
        self.done || self.verdict.is_some()
    }
}

/// A code for programs, such as `content_policy`.
fn is_code(code: &str) -> bool {
    (1..=CODE_BYTES_MAX).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

/// The file of events, which is read as it grows. It is opened before the program runs: a program that puts a link or a pipe in its
/// place is not followed.
pub(super) struct EventsFile {
    file: File,
    /// How much of the file was read.
    read: u64,
    /// The beginning of a line whose end is not there yet.
    partial: Vec<u8>,
}

impl EventsFile {
    /// The events of a new file.
    pub(super) fn of(file: File) -> Self {
        Self { file, read: 0, partial: Vec::new() }
    }

    /// Adds what was appended since the last call to `report`.
    ///
    /// # Errors
    /// [`EventsError`] says why the program must be ended.
    pub(super) fn read(
        &mut self,
        report: &mut Report,
        control: Option<&JobControl>,
        secrets: &Secrets,
    ) -> Result<(), EventsError> {
        let length = self.file.metadata().map_err(EventsError::Unreadable)?.len();
        if length == self.read {
            return Ok(());
        }
        if length < self.read {
            // The program truncated the file: what is in it now is new.
            self.read = 0;
            self.partial.clear();
        }
        let unread = usize::try_from(length - self.read).unwrap_or(usize::MAX);
        let mut chunk = vec![0; unread.min(EVENT_BYTES_MAX)];
        // What is appended meanwhile is read the next time.
        while self.read < length {
            // The program has a description of its own, and so a position of its own.
            self.file.seek(SeekFrom::Start(self.read)).map_err(EventsError::Unreadable)?;
            let count = self.file.read(&mut chunk).map_err(EventsError::Unreadable)?;
            if count == 0 {
                return Ok(());
            }
            self.read += count as u64;
            if self.read > EVENTS_BYTES_MAX {
                return Err(EventsError::File);
            }
            for piece in chunk[..count].split_inclusive(|byte| *byte == b'\n') {
                self.partial.extend_from_slice(piece);
                if self.partial.len() > EVENT_BYTES_MAX {
                    return Err(EventsError::Line);
                }
                if piece.ends_with(b"\n") {
                    report.add(&self.partial, control, secrets);
                    self.partial.clear();
                }
            }
        }
        Ok(())
    }

    /// Adds the rest, of a program that has ended: its last line may lack an end.
    ///
    /// # Errors
    /// [`EventsError`] as for a program that runs.
    pub(super) fn finish(
        &mut self,
        report: &mut Report,
        control: Option<&JobControl>,
        secrets: &Secrets,
    ) -> Result<(), EventsError> {
        self.read(report, control, secrets)?;
        report.add(&std::mem::take(&mut self.partial), control, secrets);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs::OpenOptions;
    use std::io::Write;

    struct Events {
        directory: tempfile::TempDir,
        file: EventsFile,
        report: Report,
        control: JobControl,
    }

    impl Events {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let file = crate::program::directory::new_file(&directory.path().join("events")).unwrap();
            let file = EventsFile::of(file);
            Self { directory, file, report: Report::default(), control: JobControl::default() }
        }

        fn append(&mut self, text: &[u8]) -> Result<(), EventsError> {
            let path = self.directory.path().join("events");
            OpenOptions::new().append(true).open(path).unwrap().write_all(text).unwrap();
            self.file.read(&mut self.report, Some(&self.control), &Secrets::default())
        }

        fn logs(&self) -> Vec<String> {
            self.control.take_logs().lines.into()
        }
    }

    #[test]
    fn events_are_read_as_they_come() {
        let mut events = Events::new();
        events
            .append(b"{\"progress\": 40}\n{\"log\": \"step 1\"}\n{\"output\": {\"seed\": 7}}\n{\"pro")
            .unwrap();
        assert_eq!((events.control.percent(), events.logs()), (40, vec!["step 1".to_owned()]));
        events.append(b"gress\": 250.5}\n{\"output\": {\"seed\": 8, \"steps\": 2}}\n").unwrap();
        assert_eq!(events.control.percent(), 100);
        assert_eq!(Value::Object(events.report.output.clone()), serde_json::json!({ "seed": 8, "steps": 2 }));
        assert!(!events.report.has_ended());
        events.append(b"{\"retry\": \"out of memory\"}\n").unwrap();
        assert_eq!(events.report.verdict, Some(Verdict::Retry("out of memory".to_owned())));
        events.append(b"{\"fail\": \"too dark\", \"code\": \"content_policy\"}").unwrap();
        events.file.finish(&mut events.report, None, &Secrets::default()).unwrap();
        let fail = Verdict::Fail { why: "too dark".to_owned(), code: Some("content_policy".to_owned()) };
        assert_eq!(events.report.verdict, Some(fail));
    }

    #[test]
    fn what_is_no_event_is_a_warning() {
        let mut events = Events::new();
        events
            .append(b"hello\n\n{\"unknown\": 1}\n{\"progress\": \"x\"}\n[1]\n\xff\n{\"progress\": 1}\n")
            .unwrap();
        let logs = events.logs();
        assert_eq!(logs.len(), 5, "{logs:?}");
        assert_eq!(logs[0], "a line of the events file is no event: hello");
        for _ in 0..1_000 {
            events.append(b"no\n").unwrap();
        }
        assert_eq!(events.logs().len(), 5);
        assert_eq!(events.control.percent(), 1);
    }

    #[test]
    fn lines_and_file_are_bounded() {
        let mut events = Events::new();
        assert!(matches!(events.append(&vec![b'x'; EVENT_BYTES_MAX + 1]), Err(EventsError::Line)));
        let mut events = Events::new();
        let line = [&vec![b'x'; EVENT_BYTES_MAX - 1][..], b"\n"].concat();
        for _ in 0..EVENTS_BYTES_MAX / EVENT_BYTES_MAX as u64 {
            events.append(&line).unwrap();
        }
        assert!(matches!(events.append(b"\n"), Err(EventsError::File)));
    }

    #[test]
    fn a_file_that_was_truncated_is_read_from_its_beginning() {
        let mut events = Events::new();
        events.append(b"{\"progress\": 40, \"log\": \"a long line\"}\n").unwrap();
        std::fs::write(events.directory.path().join("events"), "").unwrap();
        events.append(b"{\"done\": true}\n").unwrap();
        assert!(events.report.has_ended());
    }

    #[test]
    fn another_protocol_is_noticed() {
        for (line, ready) in [
            ("{\"ready\": true}", Ready::Ready),
            ("{\"ready\": true, \"protocol\": 1}", Ready::Ready),
            ("{\"ready\": true, \"protocol\": 2}", Ready::OtherProtocol(2)),
        ] {
            let mut report = Report::default();
            report.add(line.as_bytes(), None, &Secrets::default());
            assert_eq!(report.ready, Some(ready));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(lines in proptest::collection::vec(any::<Vec<u8>>(), 0..20)) {
            let mut events = Events::new();
            for line in &lines {
                events.append(line).unwrap();
            }
            events.file.finish(&mut events.report, Some(&events.control), &Secrets::default()).unwrap();
        }
    }
}
