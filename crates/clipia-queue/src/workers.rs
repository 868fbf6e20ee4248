//! Workers on other machines: their names, and what an operator does to them.

use crate::audit::Act;
use std::time::Duration;

/// The longest name, in characters.
pub const NAME_LENGTH_MAX: usize = 64;

/// The most executors that one worker may be.
pub const EXECUTORS_MAX: usize = 64;

/// How long a session is kept that was not heard of and has no lease.
pub const SESSION_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// The most sessions that are kept of a worker. A process that is started again and again is another session each time.
pub const SESSIONS_MAX: u32 = 100;

/// Why a worker is not created.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The name cannot be one.
    #[error(
        "`{0}` is no name of a worker: take 1 to {NAME_LENGTH_MAX} letters, digits, `-`, `_` or `.`, not dots alone"
    )]
    Name(String),
    /// It may be no executor.
    #[error("name the executors that the worker may be")]
    NoExecutor,
    /// It names too many.
    #[error("a worker may be {EXECUTORS_MAX} executors at most")]
    TooManyExecutors,
    /// The server has no such executor.
    #[error("the server has no executor `{name}`: it has {known}")]
    UnknownExecutor {
        /// The one that it does not have.
        name: String,
        /// Those that it has, separated by commas.
        known: String,
    },
}

/// Checks a name: it stands in commands, in paths and in tables.
///
/// # Errors
/// [`Refused::Name`] says what a name is.
pub fn check_name(name: &str) -> Result<(), Refused> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    // Names of directories are no names: each part of a path means something else there.
    let is_dots = name.chars().all(|c| c == '.');
    let is_name = name.len() <= NAME_LENGTH_MAX && !is_dots && name.chars().all(is_plain);
    is_name.then_some(()).ok_or_else(|| Refused::Name(name.to_owned()))
}

/// Checks the executors that a worker may be. `known` are those of the server. Returns each once, in their order.
///
/// # Errors
/// [`Refused`] where there is none, too many, or one that the server does not have.
pub fn check_executors<'k>(
    executors: Vec<String>,
    known: impl Iterator<Item = &'k str> + Clone,
) -> Result<Vec<String>, Refused> {
    let mut checked: Vec<String> = Vec::new();
    for name in executors {
        if !known.clone().any(|known| known == name) {
            return Err(Refused::UnknownExecutor { name, known: known.collect::<Vec<_>>().join(", ") });
        }
        if !checked.contains(&name) {
            checked.push(name);
        }
    }
    match checked.len() {
        0 => Err(Refused::NoExecutor),
        1..=EXECUTORS_MAX => Ok(checked),
        _ => Err(Refused::TooManyExecutors),
    }
}

/// Makes a worker quiet, or has it claim again. `is_quiet` says what it is now. Nothing where it is so already.
pub fn set_quiet(name: &str, is_quiet: bool, quiet: bool) -> Option<Act> {
    (is_quiet != quiet).then(|| Act::worker_quiet(name, quiet))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_plain_and_short() {
        let (longest, too_long) = ("x".repeat(NAME_LENGTH_MAX), "x".repeat(NAME_LENGTH_MAX + 1));
        for name in ["a", "gpu-box.2_b", "7", longest.as_str()] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["", ".", "..", "a b", "a/b", "ä", "a\n", too_long.as_str()] {
            assert_eq!(check_name(name), Err(Refused::Name(name.to_owned())), "{name}");
        }
    }

    #[test]
    fn executors_are_those_of_the_server() {
        let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let check = |names: &[&str]| check_executors(of(names), ["cpu", "gpu"].into_iter());
        assert_eq!(check(&["gpu", "cpu", "gpu"]), Ok(of(&["gpu", "cpu"])));
        assert_eq!(check(&[]), Err(Refused::NoExecutor));
        let unknown = check(&["gpu", "tpu"]).unwrap_err();
        assert_eq!(unknown.to_string(), "the server has no executor `tpu`: it has cpu, gpu");
    }

    #[test]
    fn an_act_is_done_once() {
        assert_eq!(set_quiet("box", false, true).map(|act| act.act), Some("worker made quiet"));
        assert_eq!(set_quiet("box", true, false).map(|act| act.act), Some("worker resumed"));
        assert_eq!(set_quiet("box", true, true), None);
    }
}
