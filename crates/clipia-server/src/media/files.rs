//! The files of an output: either all of them are at their address, or none.

use super::directory::Unwritten;
use super::{MediaStore, PATH, Place, is_file_name};
use crate::blocking;
use crate::executors::MediaFile;
use clipia_queue::RequestId;
use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::runtime::Handle;

/// Why files were not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// A name is not allowed, or two files have it. The executor is at fault.
    #[error("`{0}` cannot be the name of a file of an output, or is so twice")]
    Name(String),
    /// A file on the disk is not the one that the executor made. The executor is at fault.
    #[error("the file for `{0}` was changed or replaced before it was stored")]
    Changed(String),
    /// The files cannot be written now. The pause of the media begins.
    #[error("cannot write to `{location}`: {source}")]
    Io {
        /// The place of media.
        location: String,
        /// The cause.
        source: io::Error,
    },
}

/// Files at their address. Dropping this removes the files, unless they were committed.
#[derive(Debug)]
#[must_use = "files that are not committed are removed"]
pub(crate) struct WrittenFiles {
    media: MediaStore,
    /// The directory to remove on drop; none where there are no files, or they stay.
    directory: Option<String>,
    address: String,
}

/// What happens to written files that are dropped without a commit.
#[derive(Clone, Copy)]
enum OnDrop {
    Remove,
    Keep,
}

impl WrittenFiles {
    /// The path of the files' directory on the server.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Keeps the files: an output that names them is about to be stored. Returns their directory, for
    /// [`MediaStore::discard`].
    pub(crate) fn commit(mut self) -> Option<String> {
        self.directory.take()
    }
}

impl Drop for WrittenFiles {
    fn drop(&mut self) {
        if let Some(directory) = self.directory.take() {
            self.media.remove_on_drop(directory);
        }
    }
}

impl MediaStore {
    /// Writes the files of a request. They survive a crash when this returns.
    ///
    /// # Errors
    /// [`WriteError`]. No file is left then, or the media sweeper removes it.
    pub(crate) async fn write(
        &self,
        id: RequestId,
        files: Vec<MediaFile>,
    ) -> Result<WrittenFiles, WriteError> {
        let secret = hex::encode(rand::random::<[u8; 16]>());
        self.write_below(format!("{id}/{secret}"), files, OnDrop::Remove).await
    }

    /// Writes files that everybody may see to the directory `below`, and replaces files of the same name there. Returns the
    /// path of the directory on the server.
    ///
    /// # Errors
    /// [`WriteError`].
    pub(crate) async fn write_at(&self, below: String, files: Vec<MediaFile>) -> Result<String, WriteError> {
        Ok(self.write_below(below, files, OnDrop::Keep).await?.address.clone())
    }

    /// Removes files whose output the store refused.
    pub(crate) async fn discard(&self, directory: String) {
        // The media sweeper removes files that cannot be removed now.
        match &self.place {
            Place::Directory(place) => {
                let place = Arc::clone(place);
                let _ = blocking::run(move || place.remove(&directory)).await;
            }
            Place::Bucket(bucket) => bucket.remove(&directory).await,
        }
    }

    /// Removes the files of all attempts at an ended request, except those at `kept`.
    pub(crate) async fn discard_others(&self, id: RequestId, kept: Option<String>) {
        match &self.place {
            Place::Directory(place) => {
                let place = Arc::clone(place);
                let _ = blocking::run(move || place.remove_others(id, kept.as_deref())).await;
            }
            Place::Bucket(bucket) => bucket.remove_others(id, kept.as_deref()).await,
        }
    }

    /// Removes files whose writer is gone. The media sweeper removes them where that is not possible here.
    pub(super) fn remove_on_drop(&self, directory: String) {
        match &self.place {
            Place::Directory(place) => place.remove(&directory),
            Place::Bucket(bucket) => {
                let bucket = Arc::clone(bucket);
                if let Ok(runtime) = Handle::try_current() {
                    runtime.spawn(async move { bucket.remove(&directory).await });
                }
            }
        }
    }

    async fn write_below(
        &self,
        below: String,
        files: Vec<MediaFile>,
        on_drop: OnDrop,
    ) -> Result<WrittenFiles, WriteError> {
        let mut names = BTreeSet::new();
        let is_invalid = |file: &&MediaFile| !is_file_name(&file.name) || !names.insert(file.name.clone());
        if let Some(file) = files.iter().find(is_invalid) {
            return Err(WriteError::Name(file.name.clone()));
        }
        let address = format!("{PATH}/{below}");
        let mut written = WrittenFiles { media: self.clone(), directory: None, address };
        if files.is_empty() {
            return Ok(written);
        }
        let bytes = files.iter().map(|file| file.content.len()).sum();
        written.directory = matches!(on_drop, OnDrop::Remove).then(|| below.clone());
        // If the caller stops waiting, the result is dropped, which removes the files.
        let result = match &self.place {
            Place::Directory(place) => {
                let place = Arc::clone(place);
                let writing = blocking::run(move || place.write(&files, &below).map(|()| written));
                writing.await.map_err(|lost| io::Error::other(lost).into()).and_then(|written| written)
            }
            Place::Bucket(bucket) => {
                let bucket = Arc::clone(bucket);
                let writing =
                    tokio::spawn(async move { bucket.write(files, &below).await.map(|()| written) });
                writing.await.map_err(|lost| io::Error::other(lost).into()).and_then(|written| written)
            }
        };
        result.map_err(|unwritten| match unwritten {
            Unwritten::Changed(name) => WriteError::Changed(name),
            Unwritten::Io(source) => self.unwritable(bytes, source),
        })
    }

    /// Begins the pause of the media, since a file of so many bytes cannot be written.
    pub(crate) fn unwritable(&self, bytes: u64, source: io::Error) -> WriteError {
        self.failed_bytes.fetch_max(bytes, Ordering::Relaxed);
        let reason = reason(&source);
        let failed = WriteError::Io { location: self.location(), source };
        self.pause().begin(reason, &failed);
        failed
    }

    /// Writes as many bytes as the largest failed output, and removes them. Fails if the disk is still full. A bucket is never
    /// full: a few bytes show that it can be written again. The disk of the data directory gets the files of workers elsewhere.
    pub(super) async fn probe(&self) -> io::Result<()> {
        /// The most bytes of a probe.
        const PROBE_BYTES_MAX: u64 = 64 * 1024 * 1024;
        if let Place::Bucket(bucket) = &self.place {
            bucket.probe().await?;
        }
        let bytes = self.failed_bytes.load(Ordering::Relaxed).clamp(1, PROBE_BYTES_MAX);
        let stagings = self.stagings();
        super::run(move || stagings.iter().try_for_each(|staging| staging.probe(bytes))).await?;
        self.failed_bytes.store(0, Ordering::Relaxed);
        Ok(())
    }
}

/// Why media cannot be written, in words for `/readyz`.
fn reason(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "no room for media",
        _ => "media cannot be written",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executors::Content;
    use clipia_worker::work::Pause;
    use std::fs;
    use std::io::Write;
    use std::path::Path;

    fn file(path: &Path, bytes: u64) -> MediaFile {
        MediaFile { name: "a.bin".to_owned(), content: Content::File { path: path.to_owned(), bytes } }
    }

    fn store(data: &Path) -> (MediaStore, Arc<Pause>) {
        let pause = Pause::new("media", Default::default());
        (MediaStore::in_directory(&data.join("media"), data, Arc::clone(&pause)).unwrap(), pause)
    }

    fn staged(media: &MediaStore) -> usize {
        fs::read_dir(media.staging.own()).unwrap().count()
    }

    #[tokio::test]
    async fn a_stored_file_does_not_change_with_the_one_that_it_was_made_of() {
        let data = tempfile::tempdir().unwrap();
        let (media, _) = store(data.path());
        let path = data.path().join("made");
        let mut open = fs::File::create(&path).unwrap();
        open.write_all(b"0123456789").unwrap();
        let written = media.write_at("sample".to_owned(), vec![file(&path, 10)]).await.unwrap();
        assert_eq!(written, "/media/sample");
        open.write_all(b"and more").unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(fs::read(data.path().join("media/sample/a.bin")).unwrap(), b"0123456789");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_sealed_file_is_linked_and_may_be_kept_twice() {
        use std::os::unix::fs::MetadataExt;
        let data = tempfile::tempdir().unwrap();
        let (media, pause) = store(data.path());
        let path = data.path().join("received");
        fs::write(&path, "0123456789").unwrap();
        let sealed = |bytes| {
            let content = Content::Sealed { path: path.clone(), bytes };
            vec![MediaFile { name: "a.bin".to_owned(), content }]
        };
        let inode = fs::metadata(&path).unwrap().ino();
        // The end of an attempt may be reported again, while it cannot be stored.
        for _ in 0..2 {
            let id = RequestId::generate();
            let written = media.write(id, sealed(10)).await.unwrap();
            let at = data.path().join(written.commit().map(|below| format!("media/{below}/a.bin")).unwrap());
            assert_eq!(fs::metadata(&at).unwrap().ino(), inode);
        }
        fs::remove_file(&path).unwrap();
        let gone = media.write(RequestId::generate(), sealed(10)).await.unwrap_err();
        assert!(matches!(gone, WriteError::Changed(_)), "{gone}");
        assert!(!pause.is_on());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_file_that_was_replaced_is_the_executors_fault_and_pauses_nothing() {
        let data = tempfile::tempdir().unwrap();
        let (media, pause) = store(data.path());
        let secret = data.path().join("secret");
        fs::write(&secret, "0123456789").unwrap();
        let made = |name: &str| data.path().join(name);
        std::os::unix::fs::symlink(&secret, made("link")).unwrap();
        fs::create_dir(made("directory")).unwrap();
        fs::write(made("shorter"), "012").unwrap();
        fs::write(made("longer"), "0123456789ab").unwrap();
        fs::write(made("linked"), "0123456789").unwrap();
        fs::hard_link(made("linked"), made("hard link")).unwrap();
        for name in ["link", "directory", "shorter", "longer", "hard link", "none", "secret/below"] {
            let refused = media.write_at("sample".to_owned(), vec![file(&made(name), 10)]).await.unwrap_err();
            assert!(
                matches!(&refused, WriteError::Changed(changed) if changed == "a.bin"),
                "{name}: {refused}"
            );
        }
        assert!(!pause.is_on());
        assert_eq!(staged(&media), 0);
        assert!(!data.path().join("media/sample").exists());
    }

    #[tokio::test]
    async fn a_probe_leaves_nothing() {
        let data = tempfile::tempdir().unwrap();
        let (media, _) = store(data.path());
        media.failed_bytes.store(200_000, Ordering::Relaxed);
        media.probe().await.unwrap();
        assert_eq!(media.failed_bytes.load(Ordering::Relaxed), 0);
        assert_eq!(staged(&media), 0);
    }
}
