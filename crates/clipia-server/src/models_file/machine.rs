//! What commands need of the machine: programs, files and variables.

use std::path::{Path, PathBuf};

/// The machine that would run the programs.
pub(super) trait Machine {
    /// Whether there is a program of this name, or at this path.
    fn has_program(&self, name: &str) -> bool;

    /// Whether the environment has this variable. Its value may be a secret, and nobody asks for it.
    fn has_variable(&self, name: &str) -> bool;

    /// The whole path of the file that an argument names by a relative path, if there is such a file.
    fn relative_file(&self, argument: &str) -> Option<PathBuf>;
}

/// This machine. Relative paths begin at the working directory, or at the directory of `models.toml`.
pub(super) struct ThisMachine<'d> {
    pub(super) directory: &'d Path,
}

impl Machine for ThisMachine<'_> {
    fn has_program(&self, name: &str) -> bool {
        if name.contains('/') {
            return is_program(Path::new(name));
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|directory| is_program(&directory.join(name)))
    }

    fn has_variable(&self, name: &str) -> bool {
        std::env::var_os(name).is_some()
    }

    fn relative_file(&self, argument: &str) -> Option<PathBuf> {
        if argument.is_empty() || argument.starts_with('-') || Path::new(argument).is_absolute() {
            return None;
        }
        let working = std::env::current_dir().ok();
        let from = working.into_iter().chain(std::path::absolute(self.directory));
        from.map(|directory| directory.join(argument)).find(|path| path.is_file())
    }
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    const EXECUTABLE: u32 = 0o111;
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & EXECUTABLE != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file() || path.with_extension(std::env::consts::EXE_EXTENSION).is_file()
}
