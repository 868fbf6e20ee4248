//! `cargo xtask test`: everything that must hold, in one command, ending in `N passed, N failed`.

mod python;
mod schemathesis;
mod step;
mod tally;
mod tools;

use crate::{deny, generate};
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use step::{Step, succeed};
use tally::{Runner, Tally};

/// No step takes nearly as long, even where everything is built for the first time.
const STEP_MAX: Duration = Duration::from_secs(25 * 60);

/// Runs every step, each whatever became of those before it.
pub(crate) fn run(root: &Path) -> Result<()> {
    let steps: Vec<Step> =
        [vec![tools::step()], rust(root), python::steps(root)].into_iter().flatten().collect();
    let mut total = Tally::default();
    let mut report = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        announce(&format!("[{}/{}] {}", number + 1, steps.len(), step.name));
        let start = Instant::now();
        let _watch = Watch::over(step.name);
        let tally = (step.run)().unwrap_or_else(|error| {
            println!("error: {error:#}");
            Tally::of_one(false)
        });
        report.push(format!(
            "{:>7.1} s  {:<24} {}",
            start.elapsed().as_secs_f64(),
            step.name,
            tally.in_short()
        ));
        total = total + tally;
    }
    announce("what became of each step");
    for line in report {
        println!("{line}");
    }
    println!("{total}");
    if total.failed > 0 {
        // The line above is the last word; an error of `main` would print another.
        std::process::exit(1);
    }
    Ok(())
}

/// Ends everything, with a reason, where a step hangs: until it is dropped.
struct Watch {
    _over: mpsc::Sender<()>,
}

impl Watch {
    fn over(name: &'static str) -> Self {
        let (over, watched) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            if watched.recv_timeout(STEP_MAX) == Err(mpsc::RecvTimeoutError::Timeout) {
                println!("error: the step `{name}` hangs: it has not ended in {} s", STEP_MAX.as_secs());
                std::process::exit(1);
            }
        });
        Self { _over: over }
    }
}

fn announce(what: &str) {
    println!("\n=== {what}");
}

/// The steps that need only Rust, quick ones first.
fn rust(root: &Path) -> Vec<Step> {
    let (check, dependencies) = (root.to_path_buf(), root.to_path_buf());
    let everything = |command, arguments: &[&str]| {
        // The same features for every command, so that nothing is built twice.
        let mut cargo = cargo(root, &[command, "--workspace", "--all-features", "--locked"]);
        cargo.args(arguments);
        cargo
    };
    let clippy = everything("clippy", &["--all-targets", "--", "-Dwarnings"]);
    let mut documentation = everything("doc", &["--lib", "--no-deps"]);
    documentation.env("RUSTDOCFLAGS", "-D warnings");
    // It also builds the program `clipia`, which system tests run.
    let build = everything("build", &["--all-targets"]);
    let mut tests = everything("test", &["--no-fail-fast"]);
    tests.env("CLIPIA_TEST_PROGRAM", program(root));
    // This program as it was just built, with everything in it.
    let mut chaos =
        Command::new(target(root).join("debug").join(format!("xtask{}", std::env::consts::EXE_SUFFIX)));
    chaos.args(["chaos", "--rounds", "14", "--seed", "1"]);
    vec![
        Step::command("format", cargo(root, &["fmt", "--all", "--check"])),
        Step::check("generated code", move || generate::run(&check, true)),
        Step::check("dependencies", move || {
            let mut deny = deny::command(&dependencies)?;
            // Whoever wants to know who brings a crate asks `cargo tree --invert`; the graphs fill pages.
            deny.args(["--log-level", "warn", "check", "--hide-inclusion-graph"]);
            succeed(deny.args(["bans", "licenses", "sources"]))
        }),
        Step::command("clippy", clippy),
        Step::command("documentation", documentation),
        Step::command("build", build),
        Step::counted("tests in Rust", tests, Runner::Cargo),
        Step::command("chaos, in short", chaos),
    ]
}

pub(crate) fn cargo(root: &Path, arguments: &[&str]) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args(arguments);
    cargo
}

/// The program that system tests of either language run.
pub(crate) fn program(root: &Path) -> PathBuf {
    target(root).join("debug").join(format!("clipia{}", std::env::consts::EXE_SUFFIX))
}

/// Where Cargo builds.
pub(crate) fn target(root: &Path) -> PathBuf {
    root.join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}
