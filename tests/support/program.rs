//! The programs that tests run.

use super::repository;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Names a program to test in place of the one built from this checkout, for instance a release build.
const PROGRAM: &str = "CLIPIA_TEST_PROGRAM";

/// The program `clipia`, built once in a run.
///
/// Cargo hands an integration test the programs of its own package only; this package has none.
pub(crate) fn clipia() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        if let Some(program) = std::env::var_os(PROGRAM) {
            return program.into();
        }
        let status =
            cargo().args(["build", "--quiet", "--package", "clipia-cli", "--bin", "clipia"]).status();
        assert!(status.expect("cargo runs").success(), "`clipia` does not build");
        let program =
            target_directory().join("debug").join(format!("clipia{}", std::env::consts::EXE_SUFFIX));
        assert!(program.is_file(), "cargo built no {}", program.display());
        program
    })
}

/// A `cargo` that works on this checkout.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(repository()).arg("--locked");
    // Another profile of the outer run must not leak into where `clipia` is looked for.
    cargo.env("CARGO_TARGET_DIR", target_directory());
    cargo
}

/// This test stands in `<target>/<profile>/deps/`.
fn target_directory() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(3).expect("cargo puts tests three levels below its target directory").to_path_buf()
}
