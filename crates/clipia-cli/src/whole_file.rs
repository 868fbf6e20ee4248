//! Files that are written as a whole: a process or a machine that stops in between leaves the old one.

use std::io::{self, Write};
use std::path::Path;

/// Writes the file, whose directories are made where they are missing. Only its owner may read a new file. A file that is there
/// keeps its permissions, and a link stays a link.
pub(crate) fn write(file: &Path, content: &[u8]) -> io::Result<()> {
    let present = std::fs::metadata(file).ok();
    replace(file, content, present.map(|present| present.permissions()))
}

/// Writes the file as [`write`] does. Only its owner may read it, also if others could before.
pub(crate) fn write_private(file: &Path, content: &[u8]) -> io::Result<()> {
    replace(file, content, None)
}

fn replace(file: &Path, content: &[u8], permissions: Option<std::fs::Permissions>) -> io::Result<()> {
    let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let directory = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(directory)?;
    // Only its owner may read a temporary file, and so the file that takes its name.
    let mut new = tempfile::NamedTempFile::new_in(directory)?;
    new.write_all(content)?;
    if let Some(permissions) = permissions {
        new.as_file().set_permissions(permissions)?;
    }
    new.as_file().sync_all()?;
    new.persist(&file)?;
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn mode(file: &Path) -> io::Result<u32> {
        Ok(fs::metadata(file)?.permissions().mode() & 0o777)
    }

    #[test]
    fn a_link_and_the_permissions_stay() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("a/file"), directory.path().join("link"));
        write(&file, b"one").unwrap();
        assert_eq!(mode(&file).unwrap(), 0o600);
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        symlink(&file, &link).unwrap();
        write(&link, b"two").unwrap();
        assert!(link.is_symlink());
        assert_eq!((fs::read(&file).unwrap(), mode(&file).unwrap()), (b"two".to_vec(), 0o644));
        write_private(&link, b"three").unwrap();
        assert!(link.is_symlink());
        assert_eq!((fs::read(&file).unwrap(), mode(&file).unwrap()), (b"three".to_vec(), 0o600));
    }
}
