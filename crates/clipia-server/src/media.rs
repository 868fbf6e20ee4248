//! The files of generations and of callers.
//!
//! A file is at `media/{request}/{secret}/{name}`, a path of the server and below the place of media. The secret is random: whoever
//! knows a request's id cannot guess the path of its files. The media sweeper removes the files of attempts that were lost. An
//! upload is at `media/uploads/{id}/{name}`; its id is random, too.
//!
//! The place is a directory or a bucket of an S3-compatible store ([`MediaLocation`]). Several servers may share it. In a
//! [`directory`], files are staged and then moved to their address, once they are complete and on the disk. In a [`bucket`], they
//! are written to their address, which nobody knows before the output that names it is stored. Either way the server itself sends
//! the files to clients.

mod bucket;
mod directory;
mod files;
mod location;
mod object;
mod reading;
mod recovery;
mod staging;
#[cfg(test)]
mod tests;
mod uploads;
mod walk;

pub(crate) use clipia_queue::media_address::{PATH, absolute, placed};
pub(crate) use files::WriteError;
pub use location::{MediaLocation, NoMediaLocation};
pub(crate) use object::FoundObject;
pub(crate) use reading::{Located, is_away};
pub(crate) use recovery::resume_when_writable;
pub(crate) use uploads::Incoming;
pub(crate) use walk::Found;

use crate::blocking;
use bucket::Bucket;
use clipia_queue::RequestId;
use clipia_queue::uploads::{DIRECTORY, UploadId};
use clipia_worker::work::Pause;
use directory::Directory;
use object_store::aws::AmazonS3Builder;
pub(crate) use staging::NAME as NODE_FILE;
use staging::Staging;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::SystemTime;

/// The directory of the data directory where files are staged that do not go to a directory of media.
const LOCAL: &str = "staged";

/// The place of media.
#[derive(Clone, Debug)]
pub(crate) struct MediaStore {
    place: Place,
    /// Where uploads are staged.
    staging: Arc<Staging>,
    /// A staging on the disk of the data directory, which may be the same.
    local: Arc<Staging>,
    pause: Arc<Pause>,
    /// The bytes of the largest output that could not be written.
    failed_bytes: Arc<AtomicU64>,
}

#[derive(Clone, Debug)]
enum Place {
    Directory(Arc<Directory>),
    Bucket(Arc<Bucket>),
}

impl MediaStore {
    /// The media at `location`, of a server with the data directory `data`. A write that fails begins the `pause`.
    ///
    /// # Errors
    /// If the directory cannot be created or holds the data directory, or if the bucket cannot be written and read.
    pub(crate) async fn open(location: &MediaLocation, data: &Path, pause: Arc<Pause>) -> io::Result<Self> {
        let data = data.to_owned();
        match location {
            MediaLocation::Directory(path) => {
                let path = data.join(path);
                run(move || Self::in_directory(&path, &data, pause)).await
            }
            MediaLocation::S3 { bucket, prefix } => {
                Self::in_bucket(AmazonS3Builder::from_env(), bucket, prefix, &data, pause).await
            }
        }
    }

    /// The media in the directory at `path`.
    ///
    /// # Errors
    /// As [`MediaStore::open`].
    pub(crate) fn in_directory(path: &Path, data: &Path, pause: Arc<Pause>) -> io::Result<Self> {
        let directory = Directory::open(path, data)?;
        let staging = Arc::clone(directory.staging());
        let local = match path.starts_with(data) {
            true => Arc::clone(&staging),
            false => Staging::alone(data.join(LOCAL)),
        };
        Ok(Self {
            place: Place::Directory(Arc::new(directory)),
            staging,
            local,
            pause,
            failed_bytes: Arc::default(),
        })
    }

    /// The media of a test in the data directory `data`.
    #[cfg(test)]
    pub(crate) fn of_test(data: &Path) -> Self {
        Self::in_directory(&data.join("media"), data, Pause::new("media", Default::default())).unwrap()
    }

    /// The media in a bucket. The address of the store and the credentials are in `settings`.
    ///
    /// # Errors
    /// As [`MediaStore::open`].
    pub(crate) async fn in_bucket(
        settings: AmazonS3Builder,
        bucket: &str,
        prefix: &str,
        data: &Path,
        pause: Arc<Pause>,
    ) -> io::Result<Self> {
        let bucket = Bucket::new(settings, bucket, prefix)?;
        bucket.probe().await?;
        let (place, local) = (Place::Bucket(Arc::new(bucket)), Staging::alone(data.join(LOCAL)));
        Ok(Self { place, staging: Arc::clone(&local), local, pause, failed_bytes: Arc::default() })
    }

    /// The pause, which is on while files cannot be written.
    pub(crate) fn pause(&self) -> &Arc<Pause> {
        &self.pause
    }

    /// Where the files are, in words for an operator.
    fn location(&self) -> String {
        match &self.place {
            Place::Directory(directory) => directory.path().display().to_string(),
            Place::Bucket(bucket) => bucket.location().to_owned(),
        }
    }

    /// Where the file is that `url` names, if it is a file of the server at `base_url`.
    pub(crate) fn own_file(&self, url: &str, base_url: &str) -> Option<Located> {
        let below = url.strip_prefix(base_url)?.strip_prefix(PATH)?.strip_prefix('/')?;
        below.split('/').all(is_plain).then(|| self.located(below))?
    }

    /// Where the file `name` is; none where no file can have this name.
    pub(crate) fn located(&self, name: &str) -> Option<Located> {
        match &self.place {
            Place::Directory(directory) => directory.file(name).map(Located::Path),
            Place::Bucket(bucket) => bucket.file(name).map(Located::Object),
        }
    }

    /// Removes all files of requests.
    ///
    /// # Errors
    /// If there are files that cannot be removed.
    pub(crate) async fn remove_requests(&self, ids: Vec<RequestId>) -> io::Result<()> {
        match &self.place {
            Place::Directory(directory) => {
                let directory = Arc::clone(directory);
                run(move || ids.iter().try_for_each(|id| directory.remove_request(*id))).await
            }
            Place::Bucket(bucket) => bucket.remove_all(ids.iter().map(ToString::to_string)).await,
        }
    }

    /// Removes uploads. What cannot be removed is removed by a later round of the sweeper.
    ///
    /// # Errors
    /// If the place does not respond.
    pub(crate) async fn remove_uploads(&self, ids: Vec<UploadId>) -> io::Result<()> {
        let of = ids.iter().map(|id| upload_directory(*id));
        match &self.place {
            Place::Directory(directory) => {
                let (directory, of) = (Arc::clone(directory), of.collect::<Vec<_>>());
                run(move || {
                    of.iter().for_each(|below| directory.remove(below));
                    Ok(())
                })
                .await
            }
            Place::Bucket(bucket) => bucket.remove_all(of).await,
        }
    }

    /// Removes what the server left in its staging, and what no living server stages.
    ///
    /// # Errors
    /// If the staging cannot be read.
    pub(crate) async fn remove_staged(&self) -> io::Result<u64> {
        let stagings = self.stagings();
        run(move || {
            let now = SystemTime::now();
            stagings.iter().try_fold(0, |removed, staging| Ok(removed + staging.sweep(now)?))
        })
        .await
    }

    /// Each staging once.
    fn stagings(&self) -> Vec<Arc<Staging>> {
        let mut stagings = vec![Arc::clone(&self.staging)];
        if !Arc::ptr_eq(&self.staging, &self.local) {
            stagings.push(Arc::clone(&self.local));
        }
        stagings
    }
}

/// The directory of an upload below the place of media.
fn upload_directory(id: UploadId) -> String {
    format!("{DIRECTORY}/{id}")
}

/// Runs work that may block.
async fn run<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    blocking::run(work).await.map_err(io::Error::other)?
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
