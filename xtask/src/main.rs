//! The tasks of the workspace: `cargo xtask generate`, `cargo xtask test`, `cargo xtask docs`,
//! `cargo xtask bench`, `cargo xtask chaos`, `cargo xtask fuzz`, `cargo xtask advisories`.

mod advisories;
mod bench;
mod chaos;
mod deny;
mod fuzz;
#[cfg(feature = "generate")]
mod generate;
mod serve;
mod test;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};

/// The allocator of the program `clipia`, so that benchmarks measure what users run.
#[cfg(feature = "bench")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The command line of `cargo xtask`.
#[derive(Parser)]
#[command(name = "cargo xtask", about = "Regenerates, checks, tests and measures the workspace")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Writes from the documents of `spec/` the types, the clients, and everything that lists the error codes
    Generate {
        /// Writes nothing; fails with a diff if the spec and the code differ
        #[arg(long)]
        check: bool,
        /// The directory to work in, in place of the checkout; tests change a copy
        #[arg(long, hide = true, default_value_os_t = root())]
        root: PathBuf,
    },
    /// Checks and tests everything: Rust, the generated code, Python
    Test {
        /// Tests only the pages of the dashboard, in a browser
        #[arg(long, conflicts_with_all = ["docs", "part"])]
        pages: bool,
        /// Tests only the pages of `docs` and of the README: the site, its links, and every block
        #[arg(long, conflicts_with = "part")]
        docs: bool,
        /// Runs only this part
        #[arg(long, hide = true)]
        part: Option<test::Part>,
    },
    /// Builds the site from the pages of `docs`, with its reference, in `target/site`
    Docs,
    /// Kills a server under load again and again, and checks that it kept what it had accepted
    Chaos(chaos::Options),
    /// Checks the dependencies for known vulnerabilities; needs the advisory database
    Advisories,
    /// Runs every parser of outside data on a million inputs
    Fuzz(fuzz::Options),
    /// Measures, and fails if a target is missed
    #[command(subcommand)]
    Bench(bench::Scenario),
}

fn main() -> Result<()> {
    match Arguments::parse().task {
        Task::Generate { check, root } => generate(&root, check),
        Task::Test { pages, docs, part } => {
            let pages = pages.then_some(test::Part::Pages);
            test::run(&root(), pages.or(docs.then_some(test::Part::Docs)).or(part))
        }
        Task::Docs => test::run(&root(), Some(test::Part::Site)),
        Task::Chaos(options) => chaos::run(&root(), &options),
        Task::Advisories => advisories::run(&root()),
        Task::Fuzz(options) => fuzz::run(&root(), &options),
        Task::Bench(scenario) => bench::run(&root(), scenario),
    }
}

#[cfg(feature = "generate")]
fn generate(root: &Path, check: bool) -> Result<()> {
    generate::run(root, check)
}

#[cfg(not(feature = "generate"))]
fn generate(_: &Path, _: bool) -> Result<()> {
    again(&root(), "debug", &["--features", "xtask/generate"])
}

/// Builds this program with more features, as `build` says, and runs the same command with it. `build` names other packages
/// too: built separately, most of their dependencies would be built twice.
#[cfg(not(all(feature = "bench", feature = "chaos", feature = "generate")))]
fn again(root: &Path, profile: &str, build: &[&str]) -> Result<()> {
    let profile_name = if profile == "debug" { "dev" } else { profile };
    let mut cargo = test::cargo(root, &["build", "--quiet", "--locked", "--package", "xtask"]);
    let built = cargo.args(["--profile", profile_name]).args(build).status()?;
    anyhow::ensure!(built.success(), "{cargo:?} ended with {built}");
    let program = test::target(root).join(profile).join(format!("xtask{}", std::env::consts::EXE_SUFFIX));
    let status = std::process::Command::new(program).args(std::env::args_os().skip(1)).status()?;
    // The other process has printed its errors.
    std::process::exit(status.code().unwrap_or(1))
}

/// The top of the checkout that this program was built from.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
