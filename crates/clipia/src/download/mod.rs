//! Saving the files of a result.
//!
//! `files` says which there are and what each is called, `extension` how its name ends, `transfer` fetches one,
//! `answer` reads what its host answers, `page` tells an error page from a file, `partial` is the file until it
//! is whole, `existing` what has its name already.
//!
//! A file is streamed to a hidden name beside its own, `.{name}.part`, and renamed once it is whole, so that
//! its name never stands for half a file. What a broken transfer, a dropped future or a killed process leaves
//! there is gone on with by `Range`, where the host's validator proves that it is the beginning of the same
//! file; the validator is kept in `.{name}.part.json`. Where it proves nothing the file begins anew. The
//! partial file is locked by the one who writes it.

mod answer;
mod existing;
mod extension;
mod files;
mod page;
mod partial;
mod transfer;

use crate::error::Error;
use crate::generation::Generation;
use crate::outcome::Completed;
use crate::request::Operation;
use clipia_api::types::RequestId;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::fmt;
use std::future::{Future, IntoFuture};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use tracing::Instrument;
use transfer::Transfer;

pub(crate) use answer::check_redirect;

/// Files of one result fetched at once.
const FILES_AT_ONCE: usize = 4;

type OnProgress = Box<dyn FnMut(&DownloadProgress) + Send>;

/// The files of a result about to be saved; `.await` begins, and returns their paths in the output's order.
/// Made by [`Completed::download`] and [`Generation::download`].
///
/// Dropping it ends it. The same download into the same directory, in this process or another, on this day or
/// another, goes on from there: what has come is not fetched again, if the host can tell that the file is
/// still the same. A file that is there already, in the size that the host announces and with the same first
/// 64 KiB, is left as it is. A file of other content is not replaced: that is an [`Error::Io`] of the kind
/// `AlreadyExists`, unless [`overwrite`](Self::overwrite) says otherwise. Two downloads of one file at once are
/// safe: the second waits for the first.
///
/// Saved is everything with a URL: images, video and audio, and what an output has under keys that this version
/// of the crate does not know (at most 1,000 files), which is named by its key: `0198c2…-model-3d-1.glb`. Those
/// come last. How a name ends is told by the content type, else by the URL, else by what the output says of the
/// file, else by the first bytes; it is never the ending of a program. A host that sends an error page or nothing in
/// place of an image, a video or an audio file is an [`Error::Download`].
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

/// Whose files.
enum Source {
    Generation(Generation),
    Completed(Box<Completed>),
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

    /// Saves the optimised renditions, which are smaller, instead of the originals. Where a file has both,
    /// the rendition is named so: `0198c2…-image-1-rendition.webp`.
    pub fn renditions(mut self) -> Self {
        self.renditions = true;
        self
    }

    /// Fetches every file, whatever is there, and replaces what has its name once it is whole.
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// Called when the host has answered for a file and its name is known, with every piece of it, and when it
    /// is whole. The files of a result take turns.
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
        let (inner, request_id, dir) = (completed.client(), completed.id(), self.dir.as_path());
        tokio::fs::create_dir_all(dir).await.map_err(|source| Error::Io {
            request_id: request_id.clone(),
            path: dir.to_owned(),
            source,
        })?;
        // An output that is no object is not read, and stays as it came.
        let unread = completed.response().extra.get("output");
        let files = files::of(completed.output(), unread, self.renditions);
        if files.more {
            tracing::warn!(%request_id, saved = files.all.len(), "more files than are saved");
        }
        let (report, overwrite) = (&Report::new(files.all.len(), self.on_progress), self.overwrite);
        let mut saving: Vec<_> = files
            .all
            .iter()
            .enumerate()
            .map(|(index, file)| async move {
                Transfer::new(inner, request_id, file, index, dir, overwrite, report)?.save().await
            })
            .collect();
        // First the files that this version knows: a failure of another must not end them.
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

/// How far one file of a download is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DownloadProgress {
    /// Which file, from 0, in the order of the paths that the download returns.
    pub file: usize,
    /// Where it is once it is whole.
    pub path: PathBuf,
    /// How much of it is here, what earlier downloads left included. Falls to 0 where the host can't go on
    /// from there.
    pub bytes: u64,
    /// Its size, if the host tells.
    pub total_bytes: Option<u64>,
    /// How many files are whole.
    pub files_done: usize,
    /// How many files there are.
    pub files: usize,
}

/// Tells the caller how far the files are.
struct Report {
    files: usize,
    done: AtomicUsize,
    callback: Option<Mutex<OnProgress>>,
}

impl Report {
    fn new(files: usize, callback: Option<OnProgress>) -> Self {
        Self { files, done: AtomicUsize::new(0), callback: callback.map(Mutex::new) }
    }

    fn tell(&self, progress: &mut DownloadProgress) {
        let Some(callback) = &self.callback else { return };
        progress.files_done = self.done.load(Ordering::Relaxed);
        // A callback that panicked ended the download; if another is asked for, the callback knows best.
        callback.lock().unwrap_or_else(PoisonError::into_inner)(progress);
    }

    fn tell_whole(&self, progress: &mut DownloadProgress) {
        self.done.fetch_add(1, Ordering::Relaxed);
        self.tell(progress);
    }
}
