//! The workspace's own tasks: `cargo xtask generate`, `cargo xtask test`, `cargo xtask bench`.

mod bench;
mod generate;
mod test;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};

/// What `cargo xtask` can do.
#[derive(Parser)]
#[command(name = "cargo xtask", about = "Regenerates, checks, tests and measures the workspace")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Writes `crates/clipia-api/src/generated_*.rs` from `spec/openapi.yaml`
    Generate {
        /// Writes nothing; fails with a diff if the spec and the code differ
        #[arg(long)]
        check: bool,
        /// Works below this directory instead of the checkout; tests change a copy there
        #[arg(long, hide = true, default_value_os_t = root())]
        root: PathBuf,
    },
    /// Checks and tests everything: Rust, what is generated, Python
    Test,
    /// Measures, and fails where a target is missed
    #[command(subcommand)]
    Bench(bench::Scenario),
}

fn main() -> Result<()> {
    match Arguments::parse().task {
        Task::Generate { check, root } => generate::run(&root, check),
        Task::Test => test::run(&root()),
        Task::Bench(scenario) => bench::run(&root(), scenario),
    }
}

/// The top of the checkout that this program was built from.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
