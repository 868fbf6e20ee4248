//! Files and directories for their owner alone, whatever the umask: they hold secrets, prompts and what was made of them.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

/// Makes the directory of a server's data, or takes from others what an earlier start or an operator left them: the
/// directory, and those of `files` that are at its top.
///
/// # Errors
/// If the directory cannot be made. One that cannot be closed to others is used all the same, with a warning: it may belong
/// to another user on purpose.
pub fn data_directory(path: &Path, files: &[&str]) -> io::Result<()> {
    create_directory(path)?;
    if let Err(error) = tighten(path) {
        tracing::warn!(%error, path = %path.display(), "other users may look into the data directory");
    }
    tighten_files(path, files);
    Ok(())
}

/// Leaves those of `files` to their owner that are at the top of a data directory. One that cannot be is used all the same,
/// with a warning.
pub fn tighten_files(directory: &Path, files: &[&str]) {
    for name in files {
        match tighten(&directory.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, name, "other users may read a file of the data directory");
            }
            _ => {}
        }
    }
}

/// Makes a directory and those above it, where they are missing.
///
/// # Errors
/// If one cannot be made or left to its owner.
pub fn directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    create_directory(path)?;
    tighten(path)
}

fn create_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes a file that is not there yet.
pub fn create_new(path: &Path) -> io::Result<File> {
    open(path, OpenOptions::new().create_new(true))
}

/// Opens a file to write to it, or makes it.
pub fn create(path: &Path) -> io::Result<File> {
    open(path, OpenOptions::new().create(true))
}

fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    let file = options.write(true).open(path)?;
    tighten(path)?;
    Ok(file)
}

/// Leaves a file or directory to its owner: 0600 or 0700. What a link leads to is outside and stays as it is, and so does a
/// directory with the sticky bit, such as `/tmp`, which is everybody's on purpose.
#[cfg(unix)]
pub fn tighten(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    const STICKY: u32 = 0o1000;
    let metadata = std::fs::symlink_metadata(path)?;
    let mode = metadata.permissions().mode() & 0o7777;
    let owner = if metadata.is_dir() { 0o700 } else { 0o600 };
    let closed = (mode & !0o777) | owner;
    if metadata.is_symlink() || mode == closed {
        return Ok(());
    }
    if metadata.is_dir() && mode & STICKY != 0 {
        return Err(io::Error::other("it has the sticky bit, as a directory that everybody shares"));
    }
    std::fs::set_permissions(path, PermissionsExt::from_mode(closed))
}

/// Elsewhere a file is as open as the directory that it is in.
#[cfg(not(unix))]
pub fn tighten(path: &Path) -> io::Result<()> {
    std::fs::symlink_metadata(path).map(drop)
}

/// Makes the names in a directory durable. Elsewhere than on Unix a directory cannot be flushed.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(path)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}
