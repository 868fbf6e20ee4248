//! The two virtual environments: one with our package, built as users get it, and one with the vendor's.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The vendor's package, from PyPI.
pub(super) const VENDOR: &str = "clipia 1.5.0";
const VENDOR_REQUIREMENT: &str = "clipia==1.5.0";

/// The Python program of each environment.
pub(super) struct Environments {
    pub(super) ours: PathBuf,
    pub(super) vendor: PathBuf,
}

impl Environments {
    pub(super) fn prepare(root: &Path) -> Result<Self> {
        let below = crate::test::target(root).join("bench");
        let vendor = environment(&below.join("vendor"))?;
        pip(&vendor, &[VENDOR_REQUIREMENT])?;
        Ok(Self { ours: Self::ours(root)?, vendor })
    }

    /// Prepares the environment of our package, and returns its Python.
    pub(super) fn ours(root: &Path) -> Result<PathBuf> {
        let ours = environment(&crate::test::target(root).join("bench").join("ours"))?;
        eprintln!("building the package");
        let package = root.join("bindings/python");
        let package = package.to_str().context("the path of this checkout is no UTF-8")?;
        pip(&ours, &["--force-reinstall", package])?;
        Ok(ours)
    }
}

/// Makes the environment at `place` if it is missing, and returns its Python.
fn environment(place: &Path) -> Result<PathBuf> {
    let python = place.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if !python.exists() {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(place))?;
    }
    Ok(python)
}

/// Installs packages. A package that has to be built is built optimised.
fn pip(python: &Path, what: &[&str]) -> Result<()> {
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "--disable-pip-version-check", "install", "--quiet"]).args(what);
    run(pip.env("MATURIN_PEP517_ARGS", "--locked"))
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("starting {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}
