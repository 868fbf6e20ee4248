//! Exit codes and error messages: one exit code for each kind of error, one form for all messages.

use crate::delivery::NotTaken;
use crate::output::say;
use crate::shell::word;
use clipia::{Error, ErrorCode, ResultResponse};
use clipia_admin::AdministrationError;
use clipia_server::ConfigError;
use clipia_store_postgres::{AddressInvalid, OpenError as DatabaseError};
use clipia_store_sqlite::{NoStore, OpenError};
use clipia_worker::remote::Over;
use std::fmt;
use std::process::ExitStatus;

/// The meaning of the exit codes, for `--help`.
pub(crate) const CODES: &str = "\
Exit codes:
  0  done
  1  something on this machine failed, such as writing a file; `doctor` or `webhooks check` found a fault
  2  the command line, the configuration or the base URL is wrong; the key is missing or malformed
  3  refused: not enough credits, a cost above `--max-cost`, an unknown model or id, a key or a token not in force, …
  4  the generation ended FAILED or CANCELED; its credits were returned
  5  the wait timed out (`--timeout`), a result to save is not there yet, or `webhooks send` came too early; the generation goes on. `work --once`: no request came
  6  the server could not be reached, or reported a failure of its own; `health`: it is not ready
  7  the receiver of `webhooks send` or `generate --deliver` did not take the delivery
  130  interrupted by Ctrl-C; stderr says how to continue";

pub(crate) const DONE: u8 = 0;
const FAILURE: u8 = 1;
pub(crate) const USAGE: u8 = 2;
const REFUSED: u8 = 3;
const NO_OUTPUT: u8 = 4;
const TIMED_OUT: u8 = 5;
const UNREACHABLE: u8 = 6;
const NOT_TAKEN: u8 = 7;
const INTERRUPTED: u8 = 130; // a shell's code for SIGINT

/// Ctrl-C during a call that may cost credits.
#[derive(Debug, thiserror::Error)]
#[error("interrupted: {0}")]
pub(crate) struct Interrupted(String);

impl Interrupted {
    /// `next` tells the user how to continue.
    pub(crate) fn new(next: String) -> Self {
        Self(next)
    }
}

/// A command line that cannot be carried out.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(String);

impl Usage {
    pub(crate) fn new(message: String) -> Self {
        Self(message)
    }
}

/// No request came to a worker that should make one.
#[derive(Debug, thiserror::Error)]
#[error("no request came")]
pub(crate) struct NoWork;

/// A server that is not ready, or did not say whether it is.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotReady(String);

impl NotReady {
    pub(crate) fn new(message: String) -> Self {
        Self(message)
    }
}

/// The end of a command that this program ran. Whatever was wrong, the command has said it.
#[derive(Debug, thiserror::Error)]
#[error("the command ended with {0}")]
pub(crate) struct Ended(u8);

impl Ended {
    /// The exit code is that of the command; of one that a signal ended, what a shell would say.
    pub(crate) fn of(status: ExitStatus) -> Self {
        #[cfg(unix)]
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        #[cfg(not(unix))]
        let signal: Option<i32> = None;
        let code = status.code().or_else(|| signal.map(|signal| 128 + signal));
        Self(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(FAILURE))
    }
}

/// A generation whose outcome is wanted has not ended.
#[derive(Debug, thiserror::Error)]
#[error("generation {id} has not ended: it is {status}")]
pub(crate) struct StillRunning {
    id: String,
    status: String,
}

impl StillRunning {
    pub(crate) fn new(result: &ResultResponse) -> Self {
        Self { id: result.request_id.to_string(), status: result.status.to_string() }
    }
}

/// What the user can do about an error. It is attached to the error as context.
#[derive(Debug)]
pub(crate) struct Hint(String);

impl Hint {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Prints on stderr what was wrong and what to do. Returns the exit code.
pub(crate) fn report(error: &anyhow::Error) -> u8 {
    if let Some(Ended(code)) = error.downcast_ref() {
        return *code;
    }
    let hint = error.downcast_ref::<Hint>();
    match error.downcast_ref::<Error>() {
        // The SDK's messages include their causes.
        Some(error) => say(format_args!("error: {}", message_of(error))),
        None => {
            let mut message: Vec<String> = Vec::new();
            for cause in error.chain().skip(usize::from(hint.is_some())).map(ToString::to_string) {
                // Many errors include their cause in their own message.
                if !message.iter().any(|said| said.contains(&cause)) {
                    message.push(cause);
                }
            }
            say(format_args!("error: {}", message.join(": ").trim_end()));
        }
    }
    let hint = hint.map(|hint| hint.0.clone()).or_else(|| hint_of(error).map(str::to_owned));
    let hint = hint.or_else(|| how_to_resume(error));
    if let Some(hint) = hint {
        say(format_args!("hint: {hint}"));
    }
    code_of(error)
}

/// The message of an error of the SDK, without what only those can do who write programs.
fn message_of(error: &Error) -> String {
    let message = error.to_string();
    match error {
        Error::KeyMissing => "no API key".to_owned(),
        Error::SubmitUnanswered { idempotency_key, .. } => message.replace(
            &format!(".idempotency_key({idempotency_key:?})"),
            &format!("--idempotency-key {}", word(idempotency_key)),
        ),
        Error::Deadline { .. } => message.split(": resume with").next().unwrap_or_default().to_owned(),
        _ => message,
    }
}

/// How a wait that was given up goes on.
fn how_to_resume(error: &anyhow::Error) -> Option<String> {
    match error.downcast_ref::<Error>()? {
        Error::Deadline { request_id, .. } => {
            Some(format!("the generation goes on; `clipia wait {}` waits again", word(request_id.as_str())))
        }
        _ => None,
    }
}

fn code_of(error: &anyhow::Error) -> u8 {
    if error.downcast_ref::<Usage>().is_some() || error.downcast_ref::<ConfigError>().is_some() {
        return USAGE;
    }
    match error.downcast_ref::<DatabaseError>() {
        Some(DatabaseError::Database(_) | DatabaseError::Store(_)) => return UNREACHABLE,
        None if error.downcast_ref::<AddressInvalid>().is_some() => return USAGE,
        _ => {}
    }
    if error.downcast_ref::<Interrupted>().is_some() {
        return INTERRUPTED;
    }
    if error.downcast_ref::<NoWork>().is_some() || error.downcast_ref::<StillRunning>().is_some() {
        return TIMED_OUT;
    }
    if error.downcast_ref::<NotTaken>().is_some() {
        return NOT_TAKEN;
    }
    if error.downcast_ref::<NotReady>().is_some() {
        return UNREACHABLE;
    }
    if error.downcast_ref::<Over>().is_some() {
        return REFUSED;
    }
    if let Some(error) = error.downcast_ref::<AdministrationError>() {
        return match error {
            AdministrationError::Refused(_) => REFUSED,
            _ => UNREACHABLE,
        };
    }
    let error = match error.downcast_ref::<Error>() {
        Some(Error::SubmitUnanswered { cause, .. }) => Some(&**cause),
        error => error,
    };
    match error {
        None => FAILURE,
        Some(Error::KeyMissing | Error::KeyMalformed { .. } | Error::BaseUrl { .. }) => USAGE,
        // An argument of this command, or an input that its model or the server refuses.
        Some(Error::Input(input)) if input.model().is_none() && input.api().is_none() => USAGE,
        Some(Error::Proxy { .. } | Error::Certificates { .. }) => USAGE,
        Some(Error::MaxCost { .. } | Error::Input(_) | Error::UploadUnsupported { .. }) => REFUSED,
        Some(Error::Failed { .. } | Error::Canceled { .. }) => NO_OUTPUT,
        Some(Error::Deadline { .. } | Error::StillRunning { .. }) => TIMED_OUT,
        Some(Error::Unreachable { .. } | Error::Connection { .. }) => UNREACHABLE,
        Some(Error::Timeout { .. }) => UNREACHABLE,
        Some(error) => match error.http_status() {
            // The status is not one that the API refuses a call with.
            Some(..400 | 500..) => UNREACHABLE,
            Some(_) => REFUSED,
            None => FAILURE,
        },
    }
}

fn hint_of(error: &anyhow::Error) -> Option<&'static str> {
    // A server that was killed leaves its address in the directory, so a failed call may mean that it does not run.
    if let Some(AdministrationError::NotRunning { .. } | AdministrationError::Call(_)) = error.downcast_ref()
    {
        return Some("start one with `clipia serve`, or name its directory with `--data`");
    }
    if let Some(OpenError::NoStore { why, .. }) = error.downcast_ref() {
        return match why {
            NoStore::Newer { .. } | NoStore::AnotherBuild(_) | NoStore::ForeignLog(_) => None,
            _ => Some("restore a backup with `clipia restore`, or name another directory with `--data`"),
        };
    }
    match error.downcast_ref::<Error>()? {
        Error::KeyMissing => Some(
            "`clipia login` keeps one; or set `CLIPIA_KEY`, or pass `--key`. A server of your own prints one: `clipia serve --dev`",
        ),
        Error::ModelNotFound(_) => Some("list the models with `clipia models`"),
        error @ Error::Input(_) if error.error_code() == Some(ErrorCode::ModelInputInvalid) => {
            Some("see what the model takes with `clipia models <MODEL>`")
        }
        Error::SubmitUnanswered { .. } => {
            Some("run the same command with that key in `--idempotency-key`: the generation is charged once")
        }
        Error::Unreachable { .. } => {
            Some("check `--base-url` or `CLIPIA_BASE_URL`, and that the server runs")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clipia::RequestId;
    use std::time::Duration;

    /// The messages of the SDK name its functions. A change of their words must not bring these before a user of the program.
    #[test]
    fn no_message_names_a_function() {
        let id: RequestId = "0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de".parse().unwrap();
        let waited = Duration::from_secs(90);
        let cause = Box::new(Error::Timeout { request_id: None, attempts: 6, elapsed: waited });
        for (error, said) in [
            (Error::KeyMissing, "no API key"),
            (
                Error::Deadline { request_id: id, waited, status: None, progress: None, source: None },
                "after 90 s",
            ),
            (
                Error::SubmitUnanswered { idempotency_key: "a key".to_owned(), cause },
                "with `--idempotency-key 'a key'`",
            ),
        ] {
            let message = message_of(&error);
            assert!(message.contains(said) && !message.contains('('), "{message}");
        }
    }
}
