//! Fetching one file, however often its transfer breaks.

use super::answer::{self, Answer, Version};
use super::existing::{self, Existing};
use super::extension::{self, FIRST_BYTES};
use super::files::File;
use super::partial::Partial;
use super::{DownloadProgress, Report, page};
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
    overwrite: bool,
    report: &'a Report,
    url: Url,
    /// The URL as errors and the partial file may have it.
    shown: String,
    stem: String,
    /// The partial file.
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
        overwrite: bool,
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
            // Not shown: nobody can tell which part of it is secret.
            return Err(refused("…".to_owned(), "it is not a URL"));
        };
        if !matches!(url.scheme(), "http" | "https") {
            // The rest of the URL may be the whole file, as in `data:`.
            return Err(refused(format!("{}:…", url.scheme()), "it is neither https nor http"));
        }
        url.set_fragment(None);
        let (shown, stem) = (without_secrets(&url), file.stem(request_id));
        let part = dir.join(format!(".{stem}.part"));
        let request_id = request_id.clone();
        Ok(Self { inner, request_id, file, index, dir, overwrite, report, url, shown, stem, part })
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
        // A partial file too short to be named is of no use.
        let kept = kept.and_then(|(version, bytes)| {
            let content_type = version.content_type.as_deref();
            let enough = bytes >= FIRST_BYTES as u64 || version.size == Some(bytes);
            let decided = extension::by_head(content_type, &self.url, self.file.said);
            let by_beginning = || enough.then(|| extension::by_beginning(content_type, part.beginning()));
            Some((version, bytes, decided.or_else(by_beginning)?))
        });
        if let Some((version, bytes, extension)) = kept
            && version.size == Some(bytes)
        {
            let mut progress = self.progress(extension, bytes, version.size);
            return self.finish(part, &mut progress).await;
        }
        let (mut response, mut answer) = self.ask(kept.map(|(version, bytes, _)| (version, bytes))).await?;
        if answer == Answer::Unfit {
            (response, answer) = self.ask(None).await?;
        }
        match (answer, kept) {
            (Answer::Rest { end, size }, Some((_, bytes, extension))) => {
                let mut progress = self.progress(extension, bytes, Some(size));
                self.look(&progress.path, Some(size)).await?;
                self.report.tell(&mut progress);
                self.receive(response, Some(end), part, &mut progress).await
            }
            (Answer::Whole { size }, _) => self.receive_whole(response, size, part).await,
            (Answer::Refused { reason, transient }, _) => {
                let reason = page::told(&reason, &[&self.url, response.url()]);
                Err(self.failed(reason, transient, retry_after(response.headers())))
            }
            (Answer::Unfit | Answer::Rest { .. }, _) => {
                Err(self.failed("the media host answers ranges nobody asked for", false, None))
            }
        }
    }

    /// Receives a file from its first byte. What was kept is given up only once the body is known to be no error
    /// page, and to be wanted.
    async fn receive_whole(
        &self,
        mut response: Response,
        size: Option<u64>,
        part: &mut Partial,
    ) -> Result<PathBuf, Error> {
        let content_type = answer::content_type(response.headers()).map(str::to_owned);
        let content_type = content_type.as_deref();
        let version = answer::validator(response.headers()).map(|validator| Version {
            url: self.shown.clone(),
            validator: validator.to_owned(),
            size,
            content_type: content_type.map(str::to_owned),
        });
        let decided = extension::by_head(content_type, &self.url, self.file.said);
        if let Some(extension) = decided {
            let mut progress = self.progress(extension, 0, size);
            if self.look(&progress.path, size).await?.is_none() {
                self.report.tell(&mut progress);
            }
        }
        let mut first = Vec::new();
        let is_media = self.file.is_media();
        let undecided =
            |first: &[u8]| decided.is_none() || is_media && page::is_possible(content_type, first);
        self.gather(&mut response, &mut first, |first| first.len() >= FIRST_BYTES || !undecided(first))
            .await?;
        let beginning = &first[..first.len().min(FIRST_BYTES)];
        if is_media && beginning.is_empty() {
            return Err(self.failed("the media host sent an empty file", true, None));
        }
        if is_media && page::is_page(content_type, beginning) {
            let (kind, text) = (content_type.unwrap_or("no type"), String::from_utf8_lossy(beginning));
            // A redirect may have led to a URL with a signature of its own.
            let urls = [&self.url, response.url()];
            let (kind, text) = (page::told(kind, &urls), page::told(&text, &urls));
            let reason = format!("the media host sent a page in place of the file, of `{kind}`: {text}");
            return Err(self.failed(reason, false, None));
        }
        let extension = decided.unwrap_or_else(|| extension::by_beginning(content_type, beginning));
        let mut progress = self.progress(extension, 0, size);
        if let Some(there) = self.look(&progress.path, size).await? {
            self.gather(&mut response, &mut first, |first| first.len() >= there.len()).await?;
            if !first.starts_with(&there) {
                return Err(self.unsaved(&progress.path, existing::taken()));
            }
            part.clear().await.map_err(|source| self.unwritten(source))?;
            progress.bytes = size.unwrap_or_default();
            self.report.tell_whole(&mut progress);
            return Ok(progress.path);
        }
        part.begin(version).await.map_err(|source| self.unwritten(source))?;
        if decided.is_none() {
            self.report.tell(&mut progress);
        }
        if !first.is_empty() {
            self.add(&first, size, part, &mut progress).await?;
        }
        self.receive(response, size, part, &mut progress).await
    }

    /// What the file that has the name begins with, if it may be this one; `None` where the name is free or to be
    /// overwritten, or where only the whole content can tell.
    async fn look(&self, path: &Path, size: Option<u64>) -> Result<Option<Vec<u8>>, Error> {
        if self.overwrite {
            return Ok(None);
        }
        let looked = path.to_owned();
        let existing = tokio::task::spawn_blocking(move || existing::look(&looked)).await;
        match existing.map_err(io::Error::from).flatten().map_err(|source| self.unsaved(path, source))? {
            Existing::Nothing => Ok(None),
            Existing::File { beginning, size: there } if size == Some(there) => Ok(Some(beginning)),
            Existing::File { .. } if size.is_none() => Ok(None),
            Existing::File { .. } | Existing::Other => Err(self.unsaved(path, existing::taken())),
        }
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

    /// Reads on until these first bytes are enough, or all.
    async fn gather(
        &self,
        response: &mut Response,
        first: &mut Vec<u8>,
        enough: impl Fn(&[u8]) -> bool,
    ) -> Result<(), Error> {
        while !enough(first)
            && let Some(bytes) = response.chunk().await.map_err(|error| self.broken(error))?
        {
            first.extend_from_slice(&bytes);
        }
        Ok(())
    }

    /// Writes a body that has to end at `end`, and gives the file its name.
    async fn receive(
        &self,
        mut response: Response,
        end: Option<u64>,
        part: &mut Partial,
        progress: &mut DownloadProgress,
    ) -> Result<PathBuf, Error> {
        while let Some(bytes) = response.chunk().await.map_err(|error| self.broken(error))? {
            self.add(&bytes, end, part, progress).await?;
        }
        if let Some(total) = progress.total_bytes.filter(|total| *total != progress.bytes) {
            return Err(self.failed(format!("{} bytes came of {total}", progress.bytes), true, None));
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
        let unwritten = |source| self.unwritten(source);
        progress.bytes += bytes.len() as u64;
        if let Some(end) = end.filter(|end| *end < progress.bytes) {
            // Whatever these are, they are not this file.
            part.clear().await.map_err(unwritten)?;
            return Err(self.failed(format!("more than the {end} bytes announced came"), true, None));
        }
        part.write(bytes).await.map_err(unwritten)?;
        self.report.tell(progress);
        Ok(())
    }

    async fn finish(&self, part: &mut Partial, progress: &mut DownloadProgress) -> Result<PathBuf, Error> {
        let path = progress.path.clone();
        part.finish(&path, self.overwrite).await.map_err(|source| self.unsaved(&path, source))?;
        tracing::debug!(
            request_id = %self.request_id, bytes = progress.bytes, path = %path.display(), "downloaded"
        );
        self.report.tell_whole(progress);
        Ok(path)
    }

    fn progress(&self, extension: &str, bytes: u64, total_bytes: Option<u64>) -> DownloadProgress {
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
        self.failed(page::told(&deepest(&error.without_url()), &[&self.url]), transient, None)
    }

    fn unwritten(&self, source: io::Error) -> Error {
        self.unsaved(&self.part, source)
    }

    fn unsaved(&self, path: &Path, source: io::Error) -> Error {
        Error::Io { request_id: self.request_id.clone(), path: path.to_owned(), source }
    }
}
