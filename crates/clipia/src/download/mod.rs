//! Downloads: saves the files of a result.
//!
//! `files` lists the files of an output and names them, `extension` chooses the extension of a name, `transfer` fetches
//! one file, `source` asks its host for it, `response` reads the response, `page` recognises an error page in place of a file, `partial`
//! is the file until it is whole, `existing` is a file that has the name already. `media_file` is a file that is not saved, and `pieces`
//! fetches it.
//!
//! A file is written under a hidden name beside its own, `.{name}.part`, and renamed once it is whole, so that its name
//! never stands for half a file. After a broken transfer, a dropped future or a killed process, the download resumes
//! from the partial file by `Range`, if the host's validator proves that it is the beginning of the same file.
//! `.{name}.part.json` keeps the validator. Without proof the file starts again. A download locks the partial file
//! while it writes.

mod existing;
mod extension;
mod files;
mod media_file;
mod page;
mod partial;
mod pieces;
mod progress;
mod response;
mod source;
mod transfer;

use crate::error::Error;
use crate::generation::Generation;
use crate::outcome::Completed;
use crate::request::Operation;
use crate::submit::Submitted;
use clipia_api::types::RequestId;
use futures_util::{StreamExt, TryStreamExt, stream};
use progress::{OnProgress, Reporter};
use std::fmt;
use std::future::{Future, IntoFuture};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use tracing::Instrument;
use transfer::Transfer;

pub use media_file::{MediaFile, MediaStream};
pub use progress::DownloadProgress;

/// Files of one result that are fetched at once.
const FILES_AT_ONCE: usize = 4;

/// A download of the files of a result; `.await` begins it, and returns their paths in the output's order.
/// Made by [`Completed::download`] and [`Generation::download`].
///
/// Dropping it ends it. The same download into the same directory resumes, in any process and at any time: received
/// bytes are not fetched again if the host can prove that the file is still the same. An existing file with the size
/// that the host announces and with the same first 64 KiB is left as it is. A file with other content is not replaced:
/// that is an [`Error::Io`] of the kind `AlreadyExists`, unless [`overwrite`](Self::overwrite) allows it. Two downloads
/// of one file at once are safe: the second waits for the first.
///
/// Everything with a URL is saved: images, video, audio and `files`, and files under keys of the output that this version of the
/// crate does not know (at most 1,000 files). The latter come last, and are named by their key:
/// `0198c2…-model-3d-1.glb`. The extension is chosen by the content type, else by the URL, else by what the output says
/// of the file, else by the first bytes. It is never that of a program. An error page or an empty body in place of an
/// image, a video or an audio file is an [`Error::Download`].
///
/// ```no_run
/// # async fn show(picture: clipia::Completed) -> Result<(), clipia::Error> {
/// let paths = picture
///     .download("out")
///     .on_progress(|file| println!("file {}: {} of {:?} bytes", file.file, file.bytes, file.total_bytes))
///     .await?;
/// # Ok(()) }
/// ```
#[must_use = "nothing is fetched until it is awaited"]
pub struct Download {
    source: Source,
    dir: PathBuf,
    renditions: bool,
    overwrite: bool,
    on_progress: Option<OnProgress>,
}

/// What is downloaded.
enum Source {
    Generation(Generation),
    Completed(Box<Completed>),
}

impl Generation {
    /// Asks for the result, and saves every file of it in `dir`, as
    /// [`Completed::download`](crate::Completed::download). It does not wait for the end of the generation.
    ///
    /// # Errors
    /// [`Error::StillRunning`] if the generation has not ended, [`Error::Failed`] and [`Error::Canceled`] if it has no
    /// output, and those of the download.
    pub fn download(&self, dir: impl AsRef<Path>) -> Download {
        Download::of_generation(self.clone(), dir.as_ref())
    }
}

impl Submitted {
    /// As [`Generation::download`].
    pub fn download(&self, dir: impl AsRef<Path>) -> Download {
        self.generation().download(dir)
    }
}

impl Completed {
    /// Saves every file of the output in `dir`, which is created if it is missing: `.await` begins, and returns the
    /// paths in the output's order.
    ///
    /// Files are fetched in full quality if the output has it, a few at a time. A file is there whole or not at all.
    /// Its name consists of the id, the kind, a number and the type: `0198c2…-image-1.png`. If this version does not
    /// know the kind, the name has the key of the output instead.
    ///
    /// # Errors
    /// [`Error::Download`], also for an error page in place of an image, a video or an audio file, and [`Error::Io`],
    /// also if a file of that name has other content. Saved files stay, and the same download resumes the others.
    pub fn download(&self, dir: impl AsRef<Path>) -> Download {
        Download::of_completed(self.clone(), dir.as_ref())
    }
}

impl Download {
    pub(crate) fn of_generation(generation: Generation, dir: &Path) -> Self {
        Self::new(Source::Generation(generation), dir)
    }

    pub(crate) fn of_completed(completed: Completed, dir: &Path) -> Self {
        Self::new(Source::Completed(Box::new(completed)), dir)
    }

    fn new(source: Source, dir: &Path) -> Self {
        Self { source, dir: dir.to_owned(), renditions: false, overwrite: false, on_progress: None }
    }

    /// Saves the optimised renditions, which are smaller, instead of the originals. If a file has both,
    /// the name says so: `0198c2…-image-1-rendition.webp`.
    pub fn renditions(mut self) -> Self {
        self.renditions = true;
        self
    }

    /// Fetches every file even if it exists, and replaces the existing file once the new one is whole.
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// Calls back when the host has responded and the name of a file is known, after every piece of it, and when it
    /// is whole. Calls for several files alternate.
    pub fn on_progress(mut self, callback: impl FnMut(&DownloadProgress) + Send + 'static) -> Self {
        self.on_progress = Some(Box::new(callback));
        self
    }

    fn request_id(&self) -> &RequestId {
        match &self.source {
            Source::Generation(generation) => generation.id(),
            Source::Completed(completed) => completed.id(),
        }
    }

    async fn save(self) -> Result<Vec<PathBuf>, Error> {
        let completed = match self.source {
            Source::Completed(completed) => *completed,
            Source::Generation(generation) => generation.outcome().await?.completed()?,
        };
        let (connection, request_id, dir) = (completed.connection(), completed.id(), self.dir.as_path());
        tokio::fs::create_dir_all(dir).await.map_err(|cause| Error::Io {
            request_id: request_id.clone(),
            path: dir.to_owned(),
            cause,
        })?;
        // An output that is not an object is not parsed, and stays as it was sent.
        let unread = completed.response().extra.get("output");
        let files = files::of(completed.output(), unread, self.renditions);
        if files.more {
            tracing::warn!(%request_id, saved = files.all.len(), "more files than are saved");
        }
        let (reporter, overwrite) = (&Reporter::new(files.all.len(), self.on_progress), self.overwrite);
        let mut saving: Vec<_> = files
            .all
            .iter()
            .enumerate()
            .map(|(index, file)| async move {
                Transfer::new(connection, request_id, file, index, dir, overwrite, reporter)?.save().await
            })
            .collect();
        // Files that this version knows come first, so that a failure of another file does not end them.
        let others = saving.split_off(files.known);
        let mut paths = Vec::new();
        for saving in [saving, others] {
            let saved: Vec<_> = stream::iter(saving).buffered(FILES_AT_ONCE).try_collect().await?;
            paths.extend(saved);
        }
        Ok(paths)
    }
}

impl IntoFuture for Download {
    type Output = Result<Vec<PathBuf>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let span = Operation::about("download", self.request_id()).span();
            self.save().instrument(span).await
        })
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("request_id", &format_args!("{}", self.request_id()))
            .field("dir", &self.dir)
            .field("renditions", &self.renditions)
            .field("overwrite", &self.overwrite)
            .finish_non_exhaustive()
    }
}
