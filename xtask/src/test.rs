//! `cargo xtask test`: all checks and tests in one command. It ends with `N passed, N failed`.

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

/// The longest time of a step. Building everything for the first time takes much less.
const STEP_MAX: Duration = Duration::from_secs(25 * 60);

/// What is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    Everything,
    /// The pages of the dashboard.
    Dashboard,
    /// The pages of `docs`: the site, its links, and every block.
    Docs,
    /// The site alone.
    Site,
}

impl Part {
    /// The part that the options of the command line name.
    pub(crate) const fn of(pages: bool, docs: bool) -> Self {
        match (pages, docs) {
            (true, _) => Self::Dashboard,
            (false, true) => Self::Docs,
            (false, false) => Self::Everything,
        }
    }
}

/// Runs every step of a part, also after a step that failed.
pub(crate) fn run(root: &Path, part: Part) -> Result<()> {
    let program = || Step::command("build", build(root, &["--package", "clipia-cli"]));
    let steps: Vec<Step> = match part {
        Part::Everything => {
            [vec![tools::step()], rust(root), python::steps(root)].into_iter().flatten().collect()
        }
        Part::Dashboard => vec![program(), python::environment(root), python::pages(root)],
        Part::Docs => {
            [vec![program()], python::package(root), python::docs(root)].into_iter().flatten().collect()
        }
        Part::Site => {
            [vec![program()], python::package(root), vec![python::site(root)]].into_iter().flatten().collect()
        }
    };
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
    announce("the steps");
    for line in report {
        println!("{line}");
    }
    println!("{total}");
    if total.failed > 0 {
        // The totals must be the last line; an error of `main` would print another.
        std::process::exit(1);
    }
    Ok(())
}

/// Ends the process with a message if a step hangs. Dropping the value ends the watch.
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

/// The tests of the whole system that also run on servers over PostgreSQL, by their files.
const ON_BOTH_STORES: [&str; 8] = [
    "contract::",
    "credits::",
    "generations::",
    "lost_responses::",
    "metrics::",
    "queues::",
    "refusals::",
    "workers_wire::",
];

/// A build with the features of all other commands.
fn build(root: &Path, arguments: &[&str]) -> Command {
    let mut build = cargo(root, &["build", "--all-features", "--locked"]);
    build.args(arguments);
    build
}

/// The steps that need only Rust, quick ones first.
fn rust(root: &Path) -> Vec<Step> {
    let (check, dependencies) = (root.to_path_buf(), root.to_path_buf());
    let everything = |command, arguments: &[&str]| {
        // Every command has the same features, so that nothing is built twice.
        let mut cargo = cargo(root, &[command, "--workspace", "--all-features", "--locked"]);
        cargo.args(arguments);
        cargo
    };
    let clippy = everything("clippy", &["--all-targets", "--", "-Dwarnings"]);
    let mut documentation = everything("doc", &["--lib", "--no-deps"]);
    documentation.env("RUSTDOCFLAGS", "-D warnings");
    // This step also builds the program `clipia`, which the system tests run.
    let build = everything("build", &["--all-targets"]);
    let mut tests = everything("test", &["--no-fail-fast"]);
    // What a caller sees is the same on both stores. The other tests concern the program, or the files of one store.
    let mut on_postgres = everything("test", &["--test", "it", "--"]);
    on_postgres.args(ON_BOTH_STORES).env("CLIPIA_TEST_STORE", "postgres");
    for test in [&mut tests, &mut on_postgres] {
        test.env("CLIPIA_TEST_PROGRAM", program(root));
        if std::env::var_os("RUST_TEST_THREADS").is_none() {
            // Most tests of the whole system wait for a server, a clock or a peer.
            test.env("RUST_TEST_THREADS", (2 * cores()).to_string());
        }
    }
    // This program as the build step has built it, with all features.
    let chaos = |arguments: &[&str]| {
        let xtask = format!("xtask{}", std::env::consts::EXE_SUFFIX);
        let mut chaos = Command::new(target(root).join("debug").join(xtask));
        chaos.arg("chaos").args(arguments).args(["--seed", "1"]);
        chaos
    };
    vec![
        Step::command("format", cargo(root, &["fmt", "--all", "--check"])),
        Step::check("generated code", move || generate::run(&check, true)),
        Step::check("dependencies", move || {
            let mut deny = deny::command(&dependencies)?;
            // Inclusion graphs fill pages; `cargo tree --invert` shows which crate depends on another.
            deny.args(["--log-level", "warn", "check", "--hide-inclusion-graph"]);
            succeed(deny.args(["bans", "licenses", "sources"]))
        }),
        Step::command("clippy", clippy),
        Step::command("documentation", documentation),
        Step::command("build", build),
        Step::counted("tests in Rust", tests, Runner::Cargo),
        Step::counted("the wire on PostgreSQL", on_postgres, Runner::Cargo),
        Step::command("chaos, short", chaos(&["--rounds", "4"])),
        Step::command("chaos of nodes, short", chaos(&["--postgres", "--short"])),
    ]
}

/// The number of processors that this machine has for the tests.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

pub(crate) fn cargo(root: &Path, arguments: &[&str]) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args(arguments);
    cargo
}

/// The program `clipia` that the system tests of both languages run.
pub(crate) fn program(root: &Path) -> PathBuf {
    target(root).join("debug").join(format!("clipia{}", std::env::consts::EXE_SUFFIX))
}

/// The directory that Cargo builds in.
pub(crate) fn target(root: &Path) -> PathBuf {
    root.join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}
