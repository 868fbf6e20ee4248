//! The files of generations and of callers.
//!
//! A file is at `media/{request}/{secret}/{name}` below the data directory, and at the same path of the server. The secret is
//! random: whoever knows a request's id cannot guess the path of its files. Files are staged in another directory, and moved to
//! their address once they are complete and on the disk. The media sweeper removes the files of attempts that were lost.
//!
//! An upload is at `media/uploads/{id}/{name}`; its id is random, too.

mod files;
mod recovery;
mod uploads;

pub(crate) use clipia_queue::media_address::{PATH, absolute, placed};
pub(crate) use files::{STAGING, WriteError, directories};
pub(crate) use recovery::resume_when_writable;
pub(crate) use uploads::Incoming;

use crate::private;
use clipia_worker::work::Pause;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The directory of media.
#[derive(Clone, Debug)]
pub(crate) struct MediaStore {
    directory: PathBuf,
    pause: Arc<Pause>,
    writes: Arc<files::Writes>,
}

impl MediaStore {
    /// The media below the data directory `data`. A write that fails begins the `pause`.
    ///
    /// # Errors
    /// If the directory cannot be created.
    pub(crate) fn open(data: &Path, pause: Arc<Pause>) -> io::Result<Self> {
        let directory = data.join("media");
        private::directory(&directory)?;
        if let Err(error) = private::tighten(&directory) {
            tracing::warn!(%error, "other users may look into the directory of media");
        }
        Ok(Self { directory, pause, writes: Arc::default() })
    }

    /// The path of the directory.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The pause, which is on while files cannot be written.
    pub(crate) fn pause(&self) -> &Arc<Pause> {
        &self.pause
    }

    /// The path of the file that `url` names, if it is a file of the server at `base_url`.
    pub(crate) fn own_file(&self, url: &str, base_url: &str) -> Option<PathBuf> {
        let below = url.strip_prefix(base_url)?.strip_prefix(PATH)?.strip_prefix('/')?;
        below.split('/').all(is_plain).then(|| self.directory.join(below))
    }
}

/// The longest file name that common file systems accept, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// Whether a file of an output may have this name.
pub(crate) fn is_file_name(name: &str) -> bool {
    is_plain(name) && name.len() <= NAME_BYTES_MAX
}

/// Whether `name` is a plain file name: it leads to no other directory, and needs no escape in a URL.
fn is_plain(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    !name.is_empty() && name != ".." && name != "." && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_url_of_this_server_names_an_own_file() {
        let pause = Pause::new("media", Default::default());
        let media = MediaStore { directory: PathBuf::from("data/media"), pause, writes: Arc::default() };
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
