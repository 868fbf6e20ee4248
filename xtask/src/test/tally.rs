//! The counts of passed and failed tests, read from the output of test runners.

use std::fmt;
use std::iter::Sum;
use std::ops::Add;

/// The number of tests that passed, and of those that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

/// A test runner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runner {
    /// `cargo test`, which says `test result: …` once for each binary and each crate's documentation.
    Cargo,
    /// `pytest`, which says `… in 1.23s` at the end.
    Pytest,
}

impl Tally {
    /// The tally of a step that is one check.
    pub(crate) fn of_one(success: bool) -> Self {
        Self { passed: success.into(), failed: (!success).into() }
    }

    /// The text for the line of one step. Its words differ from those of the total, so that no step is taken for the total.
    pub(crate) fn in_short(self) -> String {
        match self {
            Self { passed, failed: 0 } => format!("{passed} ok"),
            Self { passed, failed } => format!("{failed} of {} failed", passed + failed),
        }
    }

    /// The tally of a runner that reported `self` and ended with `success`. A runner that failed without a failed test, or that
    /// ran no test, counts as one more failure.
    pub(crate) fn ended(self, success: bool) -> Self {
        let nothing_ran = self == Self::default();
        let unexplained = !success && self.failed == 0;
        self + Self { passed: 0, failed: (nothing_ran || unexplained).into() }
    }
}

impl Runner {
    /// The counts in a line of output; zero if the line is not a summary.
    pub(crate) fn count(self, line: &str) -> Tally {
        let line = line.trim();
        match self {
            Self::Cargo => line.strip_prefix("test result: ").map(sum_of_counts),
            // `=== 2 failed, 5 passed, 1 error in 0.12s ===`; with `-q` without the rules.
            Self::Pytest => line
                .trim_matches(['=', ' '])
                .rsplit_once(" in ")
                .filter(|(_, time)| is_time(time))
                .map(|(counts, _)| sum_of_counts(counts)),
        }
        .unwrap_or_default()
    }
}

/// `0.12s`, or `61.02s (0:01:01)`.
fn is_time(text: &str) -> bool {
    let seconds = text.split(' ').next().and_then(|time| time.strip_suffix('s'));
    seconds.is_some_and(|seconds| seconds.parse::<f64>().is_ok())
}

/// Sums the pairs `<number> <word>` that count tests: `12 passed; 1 failed; 0 ignored`.
fn sum_of_counts(text: &str) -> Tally {
    let words: Vec<&str> = text.split([' ', ',', ';', '.']).filter(|word| !word.is_empty()).collect();
    words
        .windows(2)
        .filter_map(|pair| {
            let count = pair[0].parse().ok()?;
            match pair[1] {
                "passed" => Some(Tally { passed: count, failed: 0 }),
                // Pytest calls a test whose setup failed an error.
                "failed" | "error" | "errors" => Some(Tally { passed: 0, failed: count }),
                _ => None,
            }
        })
        .sum()
}

impl Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { passed: self.passed + other.passed, failed: self.failed + other.failed }
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), Self::add)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(runner: Runner, output: &str) -> (u64, u64) {
        let tally: Tally = output.lines().map(|line| runner.count(line)).sum();
        (tally.passed, tally.failed)
    }

    #[test]
    fn counts_what_runners_print() {
        for (runner, output, expected) in [
            (Runner::Cargo, include_str!("samples/cargo_passed.txt"), (13, 0)),
            (Runner::Cargo, include_str!("samples/cargo_failed.txt"), (2, 1)),
            (Runner::Cargo, include_str!("samples/cargo_not_compiled.txt"), (0, 0)),
            (Runner::Pytest, include_str!("samples/pytest_passed.txt"), (3, 0)),
            (Runner::Pytest, include_str!("samples/pytest_failed.txt"), (2, 2)),
            (Runner::Pytest, include_str!("samples/pytest_quiet.txt"), (2, 1)),
            (Runner::Pytest, include_str!("samples/pytest_nothing.txt"), (0, 0)),
        ] {
            assert_eq!(count(runner, output), expected, "{output}");
        }
    }

    #[test]
    fn reads_summaries_of_other_forms() {
        for (line, expected) in [
            ("1 passed, 2 skipped, 3 xfailed, 1 xpassed, 4 warnings in 61.02s (0:01:01)", (1, 0)),
            ("==== 2 errors in 0.10s ====", (0, 2)),
            ("5 passed in the morning", (0, 0)),
            ("5 passed in 3 minutes", (0, 0)),
        ] {
            assert_eq!(count(Runner::Pytest, line), expected, "{line}");
        }
    }

    #[test]
    fn a_runner_without_output_has_failed() {
        let two = Tally { passed: 2, failed: 0 };
        assert_eq!(two.ended(true), two);
        assert_eq!(two.ended(false), Tally { passed: 2, failed: 1 });
        assert_eq!(Tally { passed: 2, failed: 3 }.ended(false), Tally { passed: 2, failed: 3 });
        assert_eq!(Tally::default().ended(true), Tally { passed: 0, failed: 1 });
        assert_eq!(Tally::default().ended(false), Tally { passed: 0, failed: 1 });
    }

    #[test]
    fn a_step_and_the_total_have_different_words() {
        assert_eq!((Tally { passed: 6, failed: 0 }).in_short(), "6 ok");
        assert_eq!((Tally { passed: 4, failed: 2 }).in_short(), "2 of 6 failed");
        assert_eq!((Tally { passed: 412, failed: 0 }).to_string(), "412 passed, 0 failed");
    }
}
