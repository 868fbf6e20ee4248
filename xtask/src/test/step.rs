//! A step of `cargo xtask test`: a check, or a test runner whose tests are counted.

use super::tally::{Runner, Tally};
use anyhow::{Context, Result, bail};
use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

/// A step of `cargo xtask test`.
pub(super) struct Step {
    pub(super) name: &'static str,
    /// Runs the step. An error counts as one failure.
    pub(super) run: Box<dyn Fn() -> Result<Tally>>,
}

impl Step {
    /// A step of one check.
    pub(super) fn check(name: &'static str, check: impl Fn() -> Result<()> + 'static) -> Self {
        Self { name, run: Box::new(move || check().map(|()| Tally::of_one(true))) }
    }

    /// A step of one check, which is a command.
    pub(super) fn command(name: &'static str, command: Command) -> Self {
        let command = RefCell::new(command);
        Self::check(name, move || succeed(&mut command.borrow_mut()))
    }

    /// A step of many tests, counted from the output of their runner.
    pub(super) fn counted(name: &'static str, command: Command, runner: Runner) -> Self {
        let command = RefCell::new(command);
        Self { name, run: Box::new(move || count(&mut command.borrow_mut(), runner)) }
    }

    /// The same with a runner that an earlier step makes.
    pub(super) fn counted_of(
        name: &'static str,
        runner: Runner,
        command: impl Fn() -> Result<Command> + 'static,
    ) -> Self {
        Self { name, run: Box::new(move || count(&mut command()?, runner)) }
    }
}

/// Runs a command, which must succeed.
pub(super) fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("running {}", words(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", words(command));
    }
    Ok(())
}

/// Runs a test runner and prints its output line by line.
fn count(command: &mut Command, runner: Runner) -> Result<Tally> {
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("running {}", words(command)))?;
    let mut tally = Tally::default();
    if let Some(stdout) = child.stdout.take() {
        let mut stdout = BufReader::new(stdout);
        let mut line = Vec::new();
        // Lines are bytes: a test may print what is not UTF-8.
        while stdout.read_until(b'\n', &mut line)? > 0 {
            std::io::stdout().write_all(&line)?;
            tally = tally + runner.count(&String::from_utf8_lossy(&line));
            line.clear();
        }
    }
    Ok(tally.ended(child.wait()?.success()))
}

/// A command as people type it.
fn words(command: &Command) -> String {
    let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
    format!("`{}`", words.join(" ".as_ref()).to_string_lossy())
}
