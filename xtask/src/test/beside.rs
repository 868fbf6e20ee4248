//! The part of the tests that runs beside another, in a process of its own. What it prints is printed once it has ended.

use super::tally::Tally;
use super::{Done, built, target, without_package};
use anyhow::{Context, Result};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// The other process.
pub(super) struct Beside {
    child: Child,
    /// What it prints on stdout and stderr.
    printed: File,
}

impl Beside {
    /// Starts the part `beside` with a copy of this program as the build step has built it. Whoever calls `cargo xtask` meanwhile builds
    /// it with fewer features, in the same place.
    pub(super) fn start(root: &Path) -> Result<Self> {
        let path = target(root).join("tests-beside.log");
        let printed = File::options().read(true).append(true).create(true).open(&path);
        let printed = printed.with_context(|| format!("opening {}", path.display()))?;
        printed.set_len(0)?;
        let (built, program) = (built(root), Self::program(root));
        std::fs::copy(&built, &program).with_context(|| format!("copying {}", built.display()))?;
        let mut beside = Command::new(program);
        beside.current_dir(root).args(["test", "--part", "beside"]);
        beside.stdout(printed.try_clone()?).stderr(printed.try_clone()?);
        without_package(&mut beside);
        let child = beside.spawn().context("starting the other part")?;
        Ok(Self { child, printed })
    }

    /// The copy.
    pub(super) fn program(root: &Path) -> PathBuf {
        target(root).join(format!("tests-beside{}", std::env::consts::EXE_SUFFIX))
    }

    /// Waits for its end, prints what it printed, and returns its steps.
    pub(super) fn end(mut self) -> Result<Done> {
        let status = self.child.wait()?;
        let mut printed = Vec::new();
        self.printed.rewind()?;
        self.printed.read_to_end(&mut printed)?;
        std::io::stdout().write_all(&printed)?;
        let done = read(&String::from_utf8_lossy(&printed));
        // A part that ended without its totals has failed, whatever its steps were.
        Ok(done.unwrap_or_else(|| Done {
            total: Tally::of_one(false),
            report: vec![format!(
                "            the other part ended with {status} before its steps had ended"
            )],
        }))
    }
}

/// The steps at the end of what the part printed.
fn read(printed: &str) -> Option<Done> {
    let (_, end) = printed.rsplit_once("=== the steps\n")?;
    let mut report: Vec<String> = end.lines().map(str::to_owned).collect();
    let total = report.pop()?;
    let mut counts = total.split(", ").map(|count| count.split(' ').next()?.parse().ok());
    let total = Tally { passed: counts.next()??, failed: counts.next()?? };
    Some(Done { total, report })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_of_the_other_part_are_read() {
        let printed =
            "noise\n=== the steps\n    1.0 s  a   1 ok\n    2.0 s  b   2 of 3 failed\n2 passed, 2 failed\n";
        let done = read(printed).unwrap();
        assert_eq!(done.total, Tally { passed: 2, failed: 2 });
        assert_eq!(done.report, ["    1.0 s  a   1 ok", "    2.0 s  b   2 of 3 failed"]);
        for cut in ["", "noise\n", "=== the steps\n", "=== the steps\n    1.0 s  a   1 ok\n"] {
            assert!(read(cut).is_none(), "{cut}");
        }
    }
}
