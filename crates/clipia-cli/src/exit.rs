//! How the program ends: one code for each kind of end, one way to say what was wrong.

use crate::output::say;
use clipia::Error;
use clipia_admin::AdministrationError;
use clipia_server::ConfigError;
use clipia_store_sqlite::{NoStore, OpenError};
use std::fmt;

/// What the exit codes mean, for `--help`.
pub(crate) const CODES: &str = "\
Exit codes:
  0  done
  1  something on this machine failed, such as writing a file; `doctor` found a fault
  2  the command line, the configuration, the key or the base URL is wrong
  3  refused: not enough credits, dearer than `--max-cost`, an unknown model or id, a wrong key, …
  4  the generation ended FAILED or CANCELED; its credits were returned
  5  gave up waiting; the generation goes on
  6  the server could not be reached, or failed
  130  interrupted by Ctrl-C; stderr says how to go on";

pub(crate) const DONE: u8 = 0;
const FAILURE: u8 = 1;
pub(crate) const USAGE: u8 = 2;
const REFUSED: u8 = 3;
const NO_OUTPUT: u8 = 4;
const GAVE_UP: u8 = 5;
const UNREACHABLE: u8 = 6;
const INTERRUPTED: u8 = 130; // as a shell says of SIGINT

/// Ctrl-C in the middle of what may be paid for.
#[derive(Debug, thiserror::Error)]
#[error("interrupted: {0}")]
pub(crate) struct Interrupted(String);

impl Interrupted {
    /// `again` says how to go on.
    pub(crate) fn new(again: String) -> Self {
        Self(again)
    }
}

/// The command line says something impossible.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(String);

impl Usage {
    pub(crate) fn new(message: String) -> Self {
        Self(message)
    }
}

/// What to do about an error; goes around it as its context.
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

/// Says on stderr what was wrong and what to do, and gives the code to end with.
pub(crate) fn report(error: &anyhow::Error) -> u8 {
    let hint = error.downcast_ref::<Hint>();
    match error.downcast_ref::<Error>() {
        // The SDK's messages tell their causes themselves.
        Some(error) => say(format_args!("error: {error}")),
        None => {
            let mut message: Vec<String> = Vec::new();
            for cause in error.chain().skip(usize::from(hint.is_some())).map(ToString::to_string) {
                // Many an error tells its cause itself.
                if !message.iter().any(|said| said.contains(&cause)) {
                    message.push(cause);
                }
            }
            say(format_args!("error: {}", message.join(": ").trim_end()));
        }
    }
    let hint = hint.map(|hint| hint.0.as_str()).or_else(|| hint_of(error));
    if let Some(hint) = hint {
        say(format_args!("hint: {hint}"));
    }
    code_of(error)
}

fn code_of(error: &anyhow::Error) -> u8 {
    if error.downcast_ref::<Usage>().is_some() || error.downcast_ref::<ConfigError>().is_some() {
        return USAGE;
    }
    if error.downcast_ref::<Interrupted>().is_some() {
        return INTERRUPTED;
    }
    if let Some(error) = error.downcast_ref::<AdministrationError>() {
        return match error {
            AdministrationError::Refused(_) => REFUSED,
            _ => UNREACHABLE,
        };
    }
    let error = match error.downcast_ref::<Error>() {
        Some(Error::SubmitUnanswered { source, .. }) => Some(&**source),
        error => error,
    };
    match error {
        None => FAILURE,
        Some(
            Error::KeyMissing | Error::KeyMalformed { .. } | Error::BaseUrl { .. } | Error::Input { .. },
        ) => USAGE,
        Some(Error::Proxy { .. } | Error::Certificates { .. }) => USAGE,
        Some(Error::MaxCost { .. } | Error::InputInvalid { .. }) => REFUSED,
        Some(Error::Failed { .. } | Error::Canceled { .. }) => NO_OUTPUT,
        Some(Error::Deadline { .. }) => GAVE_UP,
        Some(Error::Unreachable { .. } | Error::Connection { .. }) => UNREACHABLE,
        Some(Error::Timeout { .. }) => UNREACHABLE,
        Some(error) => match error.http_status() {
            // None of the API's own refusals.
            Some(..400 | 500..) => UNREACHABLE,
            Some(_) => REFUSED,
            None => FAILURE,
        },
    }
}

fn hint_of(error: &anyhow::Error) -> Option<&'static str> {
    // The directory may still name the address of a server that was killed.
    if let Some(AdministrationError::NotRunning { .. } | AdministrationError::Call(_)) = error.downcast_ref()
    {
        return Some("start one with `clipia serve`, or name its directory with `--data`");
    }
    if let Some(OpenError::NoStore { why, .. }) = error.downcast_ref() {
        return match why {
            NoStore::Newer { .. } | NoStore::AnotherBuild(_) | NoStore::ForeignLog(_) => None,
            _ => Some(
                "put a backup in its place with `clipia restore`, or name another directory with `--data`",
            ),
        };
    }
    match error.downcast_ref::<Error>()? {
        Error::KeyMissing => {
            Some("pass it with `--key`; a server of your own prints one: `clipia serve --dev`")
        }
        Error::ModelNotFound(_) => Some("list the models with `clipia models`"),
        Error::ModelInputInvalid(_) | Error::InputInvalid { .. } => {
            Some("see what the model takes with `clipia models <MODEL>`")
        }
        Error::SubmitUnanswered { .. } => {
            Some("run the same again with that key behind `--idempotency-key`, and pay once")
        }
        Error::Unreachable { .. } => {
            Some("check `--base-url` or `CLIPIA_BASE_URL`, and that the server runs")
        }
        _ => None,
    }
}
