//! `cargo xtask test`: all checks and tests in one command. It ends with `N passed, N failed`.

mod beside;
mod binary;
mod python;
mod schemathesis;
mod step;
mod tally;
mod tools;

use crate::deny;
use anyhow::Result;
use beside::Beside;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use step::{Step, succeed};
use tally::{Runner, Tally};

/// The longest time of a step. Building everything for the first time takes much less, and so do the tests in Rust beside the other part.
const STEP_MAX: Duration = Duration::from_secs(40 * 60);

/// What of the tests is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// The tests of the dashboard's pages, in a browser.
    Pages,
    /// The pages of `docs`: the site, its links, and every block.
    Docs,
    /// The site alone.
    Site,
    /// What runs beside the tests in Rust: Python, the pages, and the tests that kill servers. Everything must be built.
    Beside,
}

/// Runs every step, also after a step that failed; only those of `part` if it is given.
pub(crate) fn run(root: &Path, part: Option<Part>) -> Result<()> {
    let mut done = Done::default();
    match part {
        None => {
            done.run(&build_steps(root));
            // The tests wait for servers, clocks and peers more than they compute: two parts at once take little more than one.
            let beside = Beside::start(root)?;
            done.run(&rust_steps(root));
            done.take(beside.end()?);
        }
        Some(Part::Pages) => done.run(&[packages(root), python::environment(root), python::pages(root)]),
        Some(Part::Docs) => {
            done.run(&[packages(root)]);
            done.run(&python::package(root));
            done.run(&python::docs(root));
        }
        Some(Part::Site) => {
            done.run(&[packages(root)]);
            done.run(&python::package(root));
            done.run(&[python::site(root)]);
        }
        Some(Part::Beside) => done.run(&beside_steps(root)),
    }
    announce("the steps");
    for line in done.report {
        println!("{line}");
    }
    println!("{}", done.total);
    if done.total.failed > 0 {
        // The totals must be the last line; an error of `main` would print another.
        std::process::exit(1);
    }
    Ok(())
}

/// The steps that have run.
#[derive(Default)]
struct Done {
    total: Tally,
    /// A line for each step.
    report: Vec<String>,
}

impl Done {
    fn run(&mut self, steps: &[Step]) {
        for (number, step) in steps.iter().enumerate() {
            announce(&format!("[{}/{}] {}", number + 1, steps.len(), step.name));
            let start = Instant::now();
            let _watch = Watch::over(step.name);
            let tally = (step.run)().unwrap_or_else(|error| {
                println!("error: {error:#}");
                Tally::of_one(false)
            });
            let seconds = start.elapsed().as_secs_f64();
            self.report.push(format!("{seconds:>7.1} s  {:<24} {}", step.name, tally.in_short()));
            self.total = self.total + tally;
        }
    }

    /// Adds the steps of another process.
    fn take(&mut self, other: Self) {
        self.total = self.total + other.total;
        self.report.extend(other.report);
    }
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

/// The step that builds what the steps of one part run: the program, and the library of the Python package.
fn packages(root: &Path) -> Step {
    let packages = ["--all-features", "--locked", "--package", "clipia-cli", "--package", "clipia-python"];
    let mut build = cargo(root, &["build"]);
    build.args(packages);
    Step::command("build", build)
}

/// A command that all of the workspace has the same features in, so that nothing is built twice.
fn everything(root: &Path, command: &str, arguments: &[&str]) -> Command {
    let mut cargo = cargo(root, &[command, "--workspace", "--all-features", "--locked"]);
    cargo.args(arguments);
    cargo
}

/// The steps before all tests: checks, and the build. Quick ones come first.
fn build_steps(root: &Path) -> Vec<Step> {
    let dependencies = root.to_path_buf();
    let mut generated = Command::new(built(root));
    generated.args(["generate", "--check"]);
    vec![
        tools::step(),
        Step::command("format", cargo(root, &["fmt", "--all", "--check"])),
        Step::check("dependencies", move || {
            let mut deny = deny::command(&dependencies)?;
            // Inclusion graphs fill pages; `cargo tree --invert` shows which crate depends on another.
            deny.args(["--log-level", "warn", "check", "--hide-inclusion-graph"]);
            succeed(deny.args(["bans", "licenses", "sources"]))
        }),
        Step::command("clippy", everything(root, "clippy", &["--all-targets", "--", "-Dwarnings"])),
        // This step also builds the program `clipia`, which the system tests run, and the library of the Python package.
        Step::command("build", everything(root, "build", &["--all-targets"])),
        Step::command("generated code", generated),
    ]
}

/// The tests in Rust, and the documentation.
fn rust_steps(root: &Path) -> Vec<Step> {
    let mut documentation = everything(root, "doc", &["--lib", "--no-deps"]);
    documentation.env("RUSTDOCFLAGS", "-D warnings");
    let mut tests = everything(root, "test", &["--no-fail-fast"]);
    with_settings(&mut tests, root);
    let on_postgres = root.to_path_buf();
    vec![
        Step::command("documentation", documentation),
        Step::counted("tests in Rust", tests, Runner::Cargo),
        // What a caller sees is the same on both stores. The other tests concern the program, or the files of one store.
        Step::counted_of("the wire on PostgreSQL", Runner::Cargo, move || {
            let mut tests = binary::of_tests(&on_postgres, "clipia-tests", "it")?;
            tests.args(ON_BOTH_STORES).env("CLIPIA_TEST_STORE", "postgres");
            with_settings(&mut tests, &on_postgres);
            Ok(tests)
        }),
    ]
}

/// What the tests in Rust are told.
fn with_settings(tests: &mut Command, root: &Path) {
    tests.env("CLIPIA_TEST_PROGRAM", program(root)).env("CLIPIA_TEST_XTASK", Beside::program(root));
    if std::env::var_os("RUST_TEST_THREADS").is_none() {
        // Most tests of the whole system wait for a server, a clock or a peer.
        tests.env("RUST_TEST_THREADS", (2 * cores()).to_string());
    }
}

/// The steps that run beside the tests in Rust, in another process.
fn beside_steps(root: &Path) -> Vec<Step> {
    // This program has all features.
    let program = std::env::current_exe().unwrap_or_else(|_| Beside::program(root));
    let chaos = |arguments: &[&str]| {
        let mut chaos = Command::new(&program);
        chaos.arg("chaos").args(arguments).args(["--seed", "1"]);
        chaos
    };
    let mut steps = python::steps(root);
    steps.push(Step::command("chaos, short", chaos(&["--rounds", "4"])));
    steps.push(Step::command("chaos of nodes, short", chaos(&["--postgres", "--short"])));
    steps
}

/// The number of processors that this machine has for the tests.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

pub(crate) fn cargo(root: &Path, arguments: &[&str]) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args(arguments);
    without_package(&mut cargo);
    cargo
}

/// Takes from a command what Cargo says of this package. Build scripts depend on it, so that Cargo would build much anew which was built
/// without this program.
fn without_package(command: &mut Command) {
    let said = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(said) {
            command.env_remove(name);
        }
    }
}

/// This program as the build step builds it, with all features.
fn built(root: &Path) -> PathBuf {
    target(root).join("debug").join(format!("xtask{}", std::env::consts::EXE_SUFFIX))
}

/// The program `clipia` that the system tests of both languages run.
pub(crate) fn program(root: &Path) -> PathBuf {
    target(root).join("debug").join(format!("clipia{}", std::env::consts::EXE_SUFFIX))
}

/// The directory that Cargo builds in.
pub(crate) fn target(root: &Path) -> PathBuf {
    root.join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}
