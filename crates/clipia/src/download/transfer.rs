//! The transfer of one file, resumed whenever it breaks.

use super::existing::{self, Existing};
use super::extension::{self, FIRST_BYTES};
use super::files::File;
use super::page;
use super::partial::Partial;
use super::progress::{DownloadProgress, Reporter};
use super::response::{self, MediaResponse};
use super::source::Source;
use crate::connection::Connection;
use crate::error::Error;
use crate::request::Operation;
use crate::retry::{self, Bounds};
use crate::retrying::retrying;
use clipia_api::types::RequestId;
use reqwest::Response;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The transfer of one file.
pub(super) struct Transfer<'a> {
    source: Source,
    file: &'a File<'a>,
    index: usize,
    dir: &'a Path,
    overwrite: bool,
    reporter: &'a Reporter,
    stem: String,
    /// The partial file.
    part: PathBuf,
}

/// The outcome of one attempt.
enum Attempt {
    Saved(PathBuf),
    /// The transfer broke, but has received more of the file than any attempt before.
    Further {
        bytes: u64,
        error: Error,
    },
}

impl<'a> Transfer<'a> {
    pub(super) fn new(
        connection: &Arc<Connection>,
        request_id: &RequestId,
        file: &'a File<'a>,
        index: usize,
        dir: &'a Path,
        overwrite: bool,
        reporter: &'a Reporter,
    ) -> Result<Self, Error> {
        let source = Source::new(connection, request_id, file.url, file.is_media())?;
        let stem = file.stem(request_id);
        let part = dir.join(format!(".{stem}.part"));
        Ok(Self { source, file, index, dir, overwrite, reporter, stem, part })
    }

    /// Makes attempts until the file is whole. Only attempts without progress count as retries, so that a long
    /// transfer over a bad line ends as long as it makes progress.
    pub(super) async fn save(&self) -> Result<PathBuf, Error> {
        let mut reached = 0;
        loop {
            let bounds = Bounds { within: Duration::MAX, ..self.source.connection.bounds };
            let operation = Operation::about("download", &self.source.request_id);
            match retrying(operation, bounds, |_| self.attempt(reached)).await? {
                Attempt::Saved(path) => return Ok(path),
                Attempt::Further { bytes, error } => {
                    let pause = retry::pause(&error, 1, bounds.pause_first, rand::random());
                    let Some(pause) = pause else { return Err(error) };
                    tracing::debug!(request_id = %self.source.request_id, %error, bytes, "going on");
                    tokio::time::sleep(pause).await;
                    reached = bytes;
                }
            }
        }
    }

    /// Makes one attempt, from the partial file on. `reached` is the most that earlier attempts received.
    async fn attempt(&self, reached: u64) -> Result<Attempt, Error> {
        let mut part = Partial::open(&self.part).await.map_err(|cause| self.unwritten(cause))?;
        let kept = |part: &Partial| part.kept().map_or(0, |(_, bytes)| bytes);
        let reached = kept(&part).max(reached);
        match self.fetch(&mut part).await {
            Ok(path) => Ok(Attempt::Saved(path)),
            Err(error) if error.is_retryable() && kept(&part) > reached => {
                Ok(Attempt::Further { bytes: kept(&part), error })
            }
            Err(error) => Err(error),
        }
    }

    /// Fetches the missing part of the file, in one transfer.
    async fn fetch(&self, part: &mut Partial) -> Result<PathBuf, Error> {
        let kept = part.kept().filter(|(version, _)| version.url == self.source.shown);
        // A partial file that is too short for choosing an extension cannot be resumed.
        let kept = kept.and_then(|(version, bytes)| {
            let content_type = version.content_type.as_deref();
            let enough = bytes >= FIRST_BYTES as u64 || version.size == Some(bytes);
            let decided = extension::by_head(content_type, &self.source.url, self.file.description);
            let by_beginning = || enough.then(|| extension::by_beginning(content_type, part.beginning()));
            Some((version, bytes, decided.or_else(by_beginning)?))
        });
        if let Some((version, bytes, extension)) = kept
            && version.size == Some(bytes)
        {
            let mut progress = self.progress(extension, bytes, version.size);
            return self.finish(part, &mut progress).await;
        }
        let kept_bytes = kept.map(|(version, bytes, _)| (version, bytes));
        let (mut response, mut meaning) = self.source.request(kept_bytes).await?;
        if meaning == MediaResponse::Unfit {
            (response, meaning) = self.source.request(None).await?;
        }
        match (meaning, kept) {
            (MediaResponse::Rest { end, size }, Some((_, bytes, extension))) => {
                let mut progress = self.progress(extension, bytes, Some(size));
                self.check_existing(&progress.path, Some(size)).await?;
                self.reporter.report(&mut progress);
                self.receive(response, Some(end), part, &mut progress).await
            }
            (MediaResponse::Whole { size }, _) => self.receive_whole(response, size, part).await,
            (MediaResponse::Refused { reason, transient }, _) => {
                Err(self.source.refused(&response, &reason, transient))
            }
            (MediaResponse::Unfit | MediaResponse::Rest { .. }, _) => {
                Err(self.source.failed("the media host sent a range that was not asked for", false, None))
            }
        }
    }

    /// Receives a file from its first byte. The partial file is emptied only once the body is known to be no error
    /// page, and to be needed.
    async fn receive_whole(
        &self,
        mut response: Response,
        size: Option<u64>,
        part: &mut Partial,
    ) -> Result<PathBuf, Error> {
        let content_type = response::content_type(response.headers()).map(str::to_owned);
        let content_type = content_type.as_deref();
        let version = self.source.version(&response, size);
        let decided = extension::by_head(content_type, &self.source.url, self.file.description);
        if let Some(extension) = decided {
            let mut progress = self.progress(extension, 0, size);
            if self.check_existing(&progress.path, size).await?.is_none() {
                self.reporter.report(&mut progress);
            }
        }
        let mut first = Vec::new();
        let is_media = self.source.is_media;
        let undecided =
            |first: &[u8]| decided.is_none() || is_media && page::is_possible(content_type, first);
        let enough = |first: &[u8]| first.len() >= FIRST_BYTES || !undecided(first);
        self.read_until(&mut response, &mut first, enough).await?;
        let beginning = &first[..first.len().min(FIRST_BYTES)];
        self.source.check_beginning(&response, beginning)?;
        let extension = decided.unwrap_or_else(|| extension::by_beginning(content_type, beginning));
        let mut progress = self.progress(extension, 0, size);
        if let Some(there) = self.check_existing(&progress.path, size).await? {
            self.read_until(&mut response, &mut first, |first| first.len() >= there.len()).await?;
            if !first.starts_with(&there) {
                return Err(self.unsaved(&progress.path, existing::name_taken()));
            }
            part.clear().await.map_err(|cause| self.unwritten(cause))?;
            progress.bytes = size.unwrap_or_default();
            self.reporter.report_whole(&mut progress);
            return Ok(progress.path);
        }
        part.begin(version).await.map_err(|cause| self.unwritten(cause))?;
        if decided.is_none() {
            self.reporter.report(&mut progress);
        }
        if !first.is_empty() {
            self.add(&first, size, part, &mut progress).await?;
        }
        self.receive(response, size, part, &mut progress).await
    }

    /// The first bytes of an existing file that may be the same as this one. `None` if the name is free, if the file is
    /// to be overwritten, or if only its whole content can decide. An error if the existing file is another.
    async fn check_existing(&self, path: &Path, size: Option<u64>) -> Result<Option<Vec<u8>>, Error> {
        if self.overwrite {
            return Ok(None);
        }
        let looked = path.to_owned();
        let existing = tokio::task::spawn_blocking(move || existing::look(&looked)).await;
        match existing.map_err(io::Error::from).flatten().map_err(|cause| self.unsaved(path, cause))? {
            Existing::Nothing => Ok(None),
            Existing::File { beginning, size: there } if size == Some(there) => Ok(Some(beginning)),
            Existing::File { .. } if size.is_none() => Ok(None),
            Existing::File { .. } | Existing::Other => Err(self.unsaved(path, existing::name_taken())),
        }
    }

    /// Reads first bytes until they are enough, or the body ends.
    async fn read_until(
        &self,
        response: &mut Response,
        first: &mut Vec<u8>,
        enough: impl Fn(&[u8]) -> bool,
    ) -> Result<(), Error> {
        while !enough(first)
            && let Some(bytes) = response.chunk().await.map_err(|error| self.source.broken(error))?
        {
            first.extend_from_slice(&bytes);
        }
        Ok(())
    }

    /// Writes a body that must end at `end`, and gives the file its name.
    async fn receive(
        &self,
        mut response: Response,
        end: Option<u64>,
        part: &mut Partial,
        progress: &mut DownloadProgress,
    ) -> Result<PathBuf, Error> {
        while let Some(bytes) = response.chunk().await.map_err(|error| self.source.broken(error))? {
            self.add(&bytes, end, part, progress).await?;
        }
        if let Some(total) = progress.total_bytes.filter(|total| *total != progress.bytes) {
            return Err(self.source.failed(format!("{} bytes came of {total}", progress.bytes), true, None));
        }
        self.finish(part, progress).await
    }

    async fn add(
        &self,
        bytes: &[u8],
        end: Option<u64>,
        part: &mut Partial,
        progress: &mut DownloadProgress,
    ) -> Result<(), Error> {
        let unwritten = |cause| self.unwritten(cause);
        progress.bytes += bytes.len() as u64;
        if let Some(end) = end.filter(|end| *end < progress.bytes) {
            // The host sends another file than it announced.
            part.clear().await.map_err(unwritten)?;
            return Err(self.source.failed(format!("more than the {end} bytes announced came"), true, None));
        }
        part.write(bytes).await.map_err(unwritten)?;
        self.reporter.report(progress);
        Ok(())
    }

    async fn finish(&self, part: &mut Partial, progress: &mut DownloadProgress) -> Result<PathBuf, Error> {
        let path = progress.path.clone();
        part.finish(&path, self.overwrite).await.map_err(|cause| self.unsaved(&path, cause))?;
        tracing::debug!(
            request_id = %self.source.request_id, bytes = progress.bytes, path = %path.display(), "downloaded"
        );
        self.reporter.report_whole(progress);
        Ok(path)
    }

    fn progress(&self, extension: &str, bytes: u64, total_bytes: Option<u64>) -> DownloadProgress {
        DownloadProgress {
            file: self.index,
            path: self.dir.join(format!("{}.{extension}", self.stem)),
            bytes,
            total_bytes,
            files_done: 0,
            files: self.reporter.files,
        }
    }

    fn unwritten(&self, cause: io::Error) -> Error {
        self.unsaved(&self.part, cause)
    }

    fn unsaved(&self, path: &Path, cause: io::Error) -> Error {
        Error::Io { request_id: self.source.request_id.clone(), path: path.to_owned(), cause }
    }
}
