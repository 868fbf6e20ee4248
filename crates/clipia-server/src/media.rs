//! The files that generations make.
//!
//! A file is at `media/{request}/{secret}/{name}` below the data directory and at the same path of the server. The
//! secret is random: who knows an id cannot guess the address of its files. They are written elsewhere and moved there when
//! they are whole and on the disk; what is left over of an attempt that was lost is swept.

mod files;
mod room;

pub use clipia_queue::media_address::{PATH, absolute, placed, source_elsewhere};
pub use files::{KeepError, Kept};
pub(crate) use files::{PARTS, directories};
pub(crate) use room::watch;

use crate::pause::Pause;
use crate::private;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file to keep.
pub struct MediaFile {
    /// Its name, such as `image-1.png`: of letters, digits, `-`, `_` and `.`, and no other file's of the output.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// The directory of media.
#[derive(Clone, Debug)]
pub struct MediaStore {
    directory: PathBuf,
    pause: Arc<Pause>,
    writing: Arc<files::Writing>,
}

impl MediaStore {
    /// Media below `data`. What cannot be written there begins the `pause`, which ends when there is room again.
    ///
    /// # Errors
    /// If the directory cannot be made.
    pub fn open(data: &Path, pause: Arc<Pause>) -> io::Result<Self> {
        let directory = data.join("media");
        private::directory(&directory)?;
        if let Err(error) = private::tighten(&directory) {
            tracing::warn!(%error, "other users may look into the directory of media");
        }
        Ok(Self { directory, pause, writing: Arc::default() })
    }

    /// Where the files are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Whether files can be written, as far as is known.
    pub fn pause(&self) -> &Arc<Pause> {
        &self.pause
    }

    /// The file of this server that `url` names, if `url` is one below `base_url`.
    pub fn own_file(&self, url: &str, base_url: &str) -> Option<PathBuf> {
        let below = url.strip_prefix(base_url)?.strip_prefix(PATH)?.strip_prefix('/')?;
        below.split('/').all(is_plain).then(|| self.directory.join(below))
    }
}

/// Whether `name` names a file of the directory that it is looked for in, and is no riddle in a URL.
fn is_plain(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    !name.is_empty() && name != ".." && name != "." && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn only_own_files_are_own() {
        let pause = Pause::new("media", &Metrics::default());
        let media = MediaStore { directory: PathBuf::from("data/media"), pause, writing: Arc::default() };
        let own = |url| media.own_file(url, "http://localhost:80");
        assert_eq!(own("http://localhost:80/media/a/b/c.png"), Some(PathBuf::from("data/media/a/b/c.png")));
        for url in [
            "http://localhost:80/media/../clipia.db",
            "http://localhost:80/media/a/../../clipia.db",
            "http://localhost:80/media/%2e%2e/clipia.db",
            "http://localhost:80/media//etc/passwd",
            "http://localhost:80/v1/models",
            "http://other/media/a/b/c.png",
        ] {
            assert_eq!(own(url), None, "{url}");
        }
    }
}
