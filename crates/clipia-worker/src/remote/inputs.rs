//! The files of inputs, which the server passes on.

use super::backoff::pause;
use super::calls::{CallFailed, Series, within};
use super::session::Session;
use super::wire;
use crate::data_url::DataUrl;
use crate::executor::JobError;
use crate::inputs::Inputs;
use crate::job::Job;
use crate::work::AttemptId;
use async_trait::async_trait;
use clipia_remote::types::GetInputQuery;
use file_format::FileFormat;
use serde_json::Value;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncSeekExt, AsyncWriteExt};
use tokio::time::{Instant, sleep};

/// How long the first bytes of a file may take. The server fetches it from another host meanwhile.
const HEAD_MAX: Duration = Duration::from_secs(60);

/// How long the next bytes of a file may take.
const NEXT_MAX: Duration = Duration::from_secs(30);

/// For how long a download is tried again that gets no further. The server may fetch a file for 10 minutes from another host.
const STUCK_MAX: Duration = Duration::from_secs(12 * 60);

/// The status of a file that cannot be had.
const UNAVAILABLE: u16 = 422;

/// The inputs of a session's requests.
pub(super) struct RemoteInputs {
    session: Arc<Session>,
    series: Series,
}

/// A download into a file, as far as it is.
struct Download {
    file: File,
    bytes_max: u64,
    /// How many bytes the file has.
    received: u64,
    media_type: Option<String>,
    /// When the last bytes came.
    last: Instant,
}

/// Why a download did not go on.
enum Broken {
    Call(CallFailed),
    Job(JobError),
}

impl RemoteInputs {
    /// The inputs of a session's requests.
    pub(super) fn new(session: Arc<Session>) -> Self {
        Self { session, series: Series::new("the download of inputs") }
    }

    async fn download(
        &self,
        attempt: AttemptId,
        query: &GetInputQuery,
        mut download: Download,
    ) -> Result<Option<String>, JobError> {
        let mut failures = 0;
        loop {
            let before = download.received;
            let error = match self.go_on(attempt, query, &mut download).await {
                Ok(()) => {
                    self.series.succeeded();
                    return Ok(download.media_type);
                }
                Err(Broken::Job(error)) => return Err(error),
                Err(Broken::Call(error)) => error,
            };
            if error.is_stale() || self.session.is_revoked(error.refused(), &error) {
                return Err(JobError::Stopped);
            }
            if !error.is_transient() {
                return Err(match error.refused() {
                    Some(UNAVAILABLE) => JobError::Failed(error.to_string()),
                    _ => {
                        JobError::Lost(format!("the server does not pass on `{}`: {error}", query.parameter))
                    }
                });
            }
            if download.last.elapsed() > STUCK_MAX {
                let error = error.with_causes();
                return Err(JobError::Unavailable(format!("cannot fetch `{}`: {error}", query.parameter)));
            }
            self.series.failed(&error);
            failures = if download.received > before { 1 } else { failures + 1 };
            sleep(pause(failures, rand::random())).await;
        }
    }

    /// Downloads from where the download is to the end.
    async fn go_on(
        &self,
        attempt: AttemptId,
        query: &GetInputQuery,
        download: &mut Download,
    ) -> Result<(), Broken> {
        let request = wire::request(attempt);
        let call = self.session.remote.input(&request, attempt.epoch.0, query, download.received);
        let mut part = within(HEAD_MAX, call).await?;
        if part.from != download.received {
            // The server begins anew.
            download.restart().await.map_err(unwritable)?;
        }
        if part.length.is_some_and(|length| length > download.bytes_max) {
            return Err(download.too_long(query));
        }
        download.media_type = part.media_type.take();
        while let Some(bytes) = within(NEXT_MAX, part.next()).await? {
            let bytes = bytes.as_ref();
            if download.received + bytes.len() as u64 > download.bytes_max {
                return Err(download.too_long(query));
            }
            download.file.write_all(bytes).await.map_err(unwritable)?;
            download.received += bytes.len() as u64;
            download.last = Instant::now();
        }
        download.file.flush().await.map_err(unwritable)
    }
}

impl Download {
    async fn new(to: &Path, bytes_max: u64) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        #[cfg(unix)]
        options.mode(0o600);
        let file = options.write(true).create_new(true).open(to).await?;
        Ok(Self { file, bytes_max, received: 0, media_type: None, last: Instant::now() })
    }

    /// Forgets what came so far.
    async fn restart(&mut self) -> io::Result<()> {
        self.received = 0;
        self.file.flush().await?;
        self.file.set_len(0).await?;
        self.file.rewind().await.map(drop)
    }

    fn too_long(&self, query: &GetInputQuery) -> Broken {
        let why = format!("`{}` is longer than {} bytes", query.parameter, self.bytes_max);
        Broken::Job(JobError::Failed(why))
    }
}

#[async_trait]
impl Inputs for RemoteInputs {
    fn is_elsewhere(&self, _: &Job, url: &str) -> bool {
        // The server itself is elsewhere.
        !url.starts_with("data:")
    }

    async fn fetch(
        &self,
        job: &Job,
        parameter: &str,
        url: &str,
        to: &Path,
        bytes_max: u64,
    ) -> Result<Option<String>, JobError> {
        let mut download = Download::new(to, bytes_max).await.map_err(unwritable_job)?;
        let number = number_of(job, parameter, url);
        let query = GetInputQuery { number, parameter: parameter.to_owned() };
        if let Some(read) = DataUrl::read(parameter, url) {
            let DataUrl { media_type, bytes } = read?;
            if bytes.len() as u64 > bytes_max {
                return Err(JobError::Failed(format!("`{parameter}` is longer than {bytes_max} bytes")));
            }
            download.file.write_all(&bytes).await.map_err(unwritable_job)?;
            download.file.flush().await.map_err(unwritable_job)?;
            return Ok(Some(type_of(&bytes).unwrap_or(media_type)).filter(|told| !told.is_empty()));
        }
        // The attempt has ended meanwhile where the session does not know it any more.
        let epoch = self.session.epoch_of(job.id).ok_or(JobError::Stopped)?;
        self.download(AttemptId { id: job.id, epoch }, &query, download).await
    }
}

/// Which of a parameter's files `url` names. Of several with one URL it is the first: they are one file.
fn number_of(job: &Job, parameter: &str, url: &str) -> u32 {
    let urls = job.input.get(parameter).and_then(Value::as_array);
    let number = urls.and_then(|urls| urls.iter().position(|named| named.as_str() == Some(url)));
    number.and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
}

/// The media type that the bytes of a file tell, if they tell one of a picture, a clip or a sound.
fn type_of(bytes: &[u8]) -> Option<String> {
    let found = FileFormat::from_bytes(bytes).media_type().to_owned();
    let is_media = ["image/", "video/", "audio/"].iter().any(|family| found.starts_with(family));
    is_media.then_some(found)
}

impl From<CallFailed> for Broken {
    fn from(error: CallFailed) -> Self {
        Self::Call(error)
    }
}

fn unwritable(error: io::Error) -> Broken {
    Broken::Job(unwritable_job(error))
}

/// The error of a file that cannot be written: this machine is at fault.
fn unwritable_job(error: io::Error) -> JobError {
    JobError::Unavailable(format!("cannot write an input: {error}"))
}
