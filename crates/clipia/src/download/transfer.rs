//! Fetching one file, however often its transfer breaks.

use super::answer::{self, Answer, Version};
use super::files::{File, extension};
use super::partial::Partial;
use super::{DownloadProgress, Report};
use crate::base_url::without_secrets;
use crate::client::Inner;
use crate::error::{Error, deepest};
use crate::request::{Operation, retry_after, retrying};
use crate::retry::{self, Bounds};
use clipia_api::types::RequestId;
use reqwest::Response;
use reqwest::header::{ACCEPT_ENCODING, IF_RANGE, RANGE};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::Url;

/// One file on its way.
pub(super) struct Transfer<'a> {
    inner: &'a Inner,
    request_id: RequestId,
    file: &'a File<'a>,
    index: usize,
    dir: &'a Path,
    report: &'a Report,
    url: Url,
    /// The URL as errors and the partial file may have it.
    shown: String,
    stem: String,
    /// Where it is until it is whole.
    part: PathBuf,
}

/// What one try came to.
enum Step {
    Saved(PathBuf),
    /// It broke, but more of the file is here than ever before in this download.
    Further {
        bytes: u64,
        error: Error,
    },
}

impl<'a> Transfer<'a> {
    pub(super) fn new(
        inner: &'a Inner,
        request_id: &RequestId,
        file: &'a File<'a>,
        index: usize,
        dir: &'a Path,
        report: &'a Report,
    ) -> Result<Self, Error> {
        let refused = |url: String, reason: &str| Error::Download {
            request_id: request_id.clone(),
            url,
            reason: reason.to_owned(),
            transient: false,
            retry_after: None,
        };
        let Ok(mut url) = inner.base_url.join(file.url) else {
            // Not shown: what may be secret in it can't be told.
            return Err(refused("…".to_owned(), "it is not a URL"));
        };
        if !matches!(url.scheme(), "http" | "https") {
            // What follows may be the whole file, as in `data:`.
            return Err(refused(format!("{}:…", url.scheme()), "it is neither https nor http"));
        }
        url.set_fragment(None);
        let (shown, stem) = (without_secrets(&url), file.stem(request_id));
        let part = dir.join(format!(".{stem}.part"));
        let request_id = request_id.clone();
        Ok(Self { inner, request_id, file, index, dir, report, url, shown, stem, part })
    }

    /// Tries until the file is whole. What counts as a retry is a try that came no further, so that a long
    /// transfer over a bad line ends as long as it moves at all.
    pub(super) async fn save(&self) -> Result<PathBuf, Error> {
        let mut reached = 0;
        loop {
            let bounds = Bounds { within: Duration::MAX, ..self.inner.bounds };
            let operation = Operation::about("download", &self.request_id);
            match retrying(operation, bounds, |_| self.step(reached)).await? {
                Step::Saved(path) => return Ok(path),
                Step::Further { bytes, error } => {
                    let pause = retry::pause(&error, 1, bounds.pause_first, rand::random());
                    let Some(pause) = pause else { return Err(error) };
                    tracing::debug!(request_id = %self.request_id, %error, bytes, "going on");
                    tokio::time::sleep(pause).await;
                    reached = bytes;
                }
            }
        }
    }

    /// One try, from what is there already. `reached` is how far an earlier one came.
    async fn step(&self, reached: u64) -> Result<Step, Error> {
        let mut part = Partial::open(&self.part).await.map_err(|source| self.unwritten(source))?;
        let kept = |part: &Partial| part.kept().map_or(0, |(_, bytes)| bytes);
        let reached = kept(&part).max(reached);
        match self.fetch(&mut part).await {
            Ok(path) => Ok(Step::Saved(path)),
            Err(error) if error.is_retryable() && kept(&part) > reached => {
                Ok(Step::Further { bytes: kept(&part), error })
            }
            Err(error) => Err(error),
        }
    }

    /// Fetches what `part` lacks, in one transfer.
    async fn fetch(&self, part: &mut Partial) -> Result<PathBuf, Error> {
        let kept = part.kept().filter(|(version, _)| version.url == self.shown);
        if let Some((version, bytes)) = kept
            && version.size == Some(bytes)
        {
            let mut progress = self.progress(version.content_type.as_deref(), bytes, version.size);
            return self.finish(part, &mut progress).await;
        }
        let (mut response, mut answer) = self.ask(kept).await?;
        if answer == Answer::Unfit {
            (response, answer) = self.ask(None).await?;
        }
        let (end, mut progress) = match answer {
            Answer::Rest { end, size } => {
                let content_type = kept.and_then(|(version, _)| version.content_type.as_deref());
                (Some(end), self.progress(content_type, part.bytes(), Some(size)))
            }
            Answer::Whole { size } => {
                let content_type = answer::content_type(response.headers());
                let mut progress = self.progress(content_type, 0, size);
                if let Some(size) = size
                    && is_file_of(&progress.path, size).await
                {
                    part.clear().await.map_err(|source| self.unwritten(source))?;
                    progress.bytes = size;
                    self.report.tell_whole(&mut progress);
                    return Ok(progress.path);
                }
                let version = answer::validator(response.headers()).map(|validator| Version {
                    url: self.shown.clone(),
                    validator: validator.to_owned(),
                    size,
                    content_type: content_type.map(str::to_owned),
                });
                part.begin(version).await.map_err(|source| self.unwritten(source))?;
                (size, progress)
            }
            Answer::Refused { reason, transient } => {
                return Err(self.failed(reason, transient, retry_after(response.headers())));
            }
            Answer::Unfit => {
                return Err(self.failed("the media host answers ranges nobody asked for", false, None));
            }
        };
        self.report.tell(&mut progress);
        self.receive(response, end, part, &mut progress).await?;
        if let Some(total) = progress.total_bytes.filter(|total| *total != progress.bytes) {
            return Err(self.failed(format!("{} bytes came of {total}", progress.bytes), true, None));
        }
        self.finish(part, &mut progress).await
    }

    /// Asks for the file, or for what follows after what is there of it.
    async fn ask(&self, kept: Option<(&Version, u64)>) -> Result<(Response, Answer), Error> {
        // What is saved is what was made: no coding.
        let mut request = self.inner.media()?.get(self.url.clone()).header(ACCEPT_ENCODING, "identity");
        if let Some((version, bytes)) = kept {
            request = request.header(RANGE, format!("bytes={bytes}-")).header(IF_RANGE, &version.validator);
        }
        let response = request.send().await.map_err(|error| self.broken(error))?;
        let answer = answer::read(kept, response.status(), response.headers(), response.content_length());
        Ok((response, answer))
    }

    /// Writes a body that has to end at `end`.
    async fn receive(
        &self,
        mut response: Response,
        end: Option<u64>,
        part: &mut Partial,
        progress: &mut DownloadProgress,
    ) -> Result<(), Error> {
        let unwritten = |source| self.unwritten(source);
        while let Some(bytes) = response.chunk().await.map_err(|error| self.broken(error))? {
            progress.bytes += bytes.len() as u64;
            if let Some(end) = end.filter(|end| *end < progress.bytes) {
                // Whatever these are, they are not this file.
                part.clear().await.map_err(unwritten)?;
                return Err(self.failed(format!("more than the {end} bytes announced came"), true, None));
            }
            part.write(&bytes).await.map_err(unwritten)?;
            self.report.tell(progress);
        }
        Ok(())
    }

    async fn finish(&self, part: &mut Partial, progress: &mut DownloadProgress) -> Result<PathBuf, Error> {
        let path = progress.path.clone();
        part.finish(&path).await.map_err(|source| self.unwritten(source))?;
        tracing::debug!(
            request_id = %self.request_id, bytes = progress.bytes, path = %path.display(), "downloaded"
        );
        self.report.tell_whole(progress);
        Ok(path)
    }

    fn progress(&self, content_type: Option<&str>, bytes: u64, total_bytes: Option<u64>) -> DownloadProgress {
        let extension = extension(content_type, &self.url, self.file.format);
        DownloadProgress {
            file: self.index,
            path: self.dir.join(format!("{}.{extension}", self.stem)),
            bytes,
            total_bytes,
            files_done: 0,
            files: self.report.files,
        }
    }

    fn failed(&self, reason: impl Into<String>, transient: bool, retry_after: Option<Duration>) -> Error {
        let (request_id, url) = (self.request_id.clone(), self.shown.clone());
        Error::Download { request_id, url, reason: reason.into(), transient, retry_after }
    }

    fn broken(&self, error: reqwest::Error) -> Error {
        let transient = !error.is_builder() && !error.is_redirect();
        self.failed(deepest(&error.without_url()), transient, None)
    }

    fn unwritten(&self, source: io::Error) -> Error {
        Error::Io { request_id: self.request_id.clone(), path: self.part.clone(), source }
    }
}

/// Whether there is a file of this size.
async fn is_file_of(path: &Path, size: u64) -> bool {
    tokio::fs::symlink_metadata(path).await.is_ok_and(|file| file.is_file() && file.len() == size)
}
