//! Inputs that are files, written to the disk for an executor that reads files.

use super::fetching::{Arriving, TooLong, Wanted, failed, is_shortage};
use super::input_hosts::InputHosts;
use super::{Inputs, Job, JobError};
use crate::media::{MediaStore, is_away};
use crate::outbound::Outbound;
use crate::{blocking, private};
use async_trait::async_trait;
use clipia_queue::media_address;
use clipia_worker::{DataUrl, content_type};
use file_format::FileFormat;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The longest time of a fetch from another host, however large the file.
const FETCH_MAX: Duration = Duration::from_secs(10 * 60);

/// The first bytes of a file that tell its format.
const START_BYTES: u64 = 64 * 1024;

/// The media type of a page that a site shows instead of a file.
const PAGE: &str = "text/html";

/// The inputs of this server's executors.
#[derive(Clone)]
pub(crate) struct ServerInputs {
    media: MediaStore,
    outbound: Outbound,
    hosts: InputHosts,
}

impl ServerInputs {
    /// Inputs that are in `media`, or are fetched by `outbound`.
    pub(crate) fn new(media: MediaStore, outbound: Outbound) -> Self {
        Self { media, outbound, hosts: InputHosts::default() }
    }
}

#[async_trait]
impl Inputs for ServerInputs {
    fn is_elsewhere(&self, job: &Job, url: &str) -> bool {
        media_address::is_elsewhere(url, &job.base_url)
    }

    async fn fetch(
        &self,
        job: &Job,
        parameter: &str,
        url: &str,
        to: &Path,
        bytes_max: u64,
    ) -> Result<Option<String>, JobError> {
        let told = if let Some(data) = DataUrl::read(parameter, url) {
            write(parameter, data?, to, bytes_max).await?
        } else if media_address::is_elsewhere(url, &job.base_url) {
            self.fetch_elsewhere(job, parameter, url, to, bytes_max).await?
        } else {
            self.copy_own(job, parameter, url, to, bytes_max).await?
        };
        let found = format(to).await.map_err(unwritable)?;
        let media_type = found.or(told.filter(|told| told != "application/octet-stream"));
        if media_type.as_deref() == Some(PAGE) {
            return Err(failed(parameter, "leads to a web page: give the URL of the file itself"));
        }
        Ok(media_type)
    }
}

impl ServerInputs {
    async fn fetch_elsewhere(
        &self,
        job: &Job,
        parameter: &str,
        url: &str,
        to: &Path,
        bytes_max: u64,
    ) -> Result<Option<String>, JobError> {
        let wanted = Wanted { parameter, url, account: &job.account, bytes_max, time_max: FETCH_MAX };
        let mut arriving = Arriving::begin(wanted, &self.hosts, &self.outbound).await?;
        let told = arriving.media_type().map(str::to_owned);
        let mut file = create(to).await.map_err(unwritable)?;
        while let Some(piece) = arriving.piece().await? {
            file.write_all(&piece).await.map_err(unwritable)?;
        }
        file.flush().await.map_err(unwritable)?;
        Ok(told)
    }

    /// Copies a file of this server.
    async fn copy_own(
        &self,
        job: &Job,
        parameter: &str,
        url: &str,
        to: &Path,
        bytes_max: u64,
    ) -> Result<Option<String>, JobError> {
        let located = self.media.own_file(url, &job.base_url);
        let located = located.ok_or_else(|| failed(parameter, "names no file of this server"))?;
        let mut own = located.open().await.map_err(|error| unreadable(parameter, &error))?;
        if own.length() > bytes_max {
            return Err(failed(parameter, TooLong(bytes_max)));
        }
        let mut file = create(to).await.map_err(unwritable)?;
        while let Some(chunk) = own.chunk().await.map_err(|error| unreadable(parameter, &error))? {
            file.write_all(&chunk).await.map_err(unwritable)?;
        }
        file.flush().await.map_err(unwritable)?;
        Ok(Some(content_type(url).to_owned()))
    }
}

/// Writes the file in a `data:` URL.
async fn write(
    parameter: &str,
    DataUrl { media_type, bytes }: DataUrl,
    to: &Path,
    bytes_max: u64,
) -> Result<Option<String>, JobError> {
    if bytes.len() as u64 > bytes_max {
        return Err(failed(parameter, TooLong(bytes_max)));
    }
    let mut file = create(to).await.map_err(unwritable)?;
    file.write_all(&bytes).await.map_err(unwritable)?;
    file.flush().await.map_err(unwritable)?;
    Ok(Some(media_type))
}

async fn create(path: &Path) -> io::Result<File> {
    let path = path.to_owned();
    let created = blocking::run(move || private::create_new(&path)).await;
    created.map_err(io::Error::other)?.map(File::from_std)
}

/// The media type that the first bytes of a file tell, if they tell one of a picture, a clip or a sound.
async fn format(path: &Path) -> io::Result<Option<String>> {
    let mut start = Vec::new();
    File::open(path).await?.take(START_BYTES).read_to_end(&mut start).await?;
    let format = FileFormat::from_bytes(&start);
    let media_type = format.media_type();
    let is_media = ["image/", "video/", "audio/"].iter().any(|family| media_type.starts_with(family));
    Ok((is_media || media_type == PAGE).then(|| media_type.to_owned()))
}

/// The error of a file that cannot be written: this machine is at fault.
fn unwritable(error: io::Error) -> JobError {
    JobError::Unavailable(format!("cannot write an input: {error}"))
}

/// The error of a file of this server that cannot be read.
pub(super) fn unreadable(parameter: &str, error: &io::Error) -> JobError {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory => {
            failed(parameter, "names no file of this server")
        }
        _ if is_shortage(error) || is_away(error) => {
            JobError::Unavailable(format!("cannot read media: {error}"))
        }
        _ => failed(parameter, "names a file of this server that cannot be read"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::AccountId;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use clipia_queue::RequestId;
    use serde_json::json;
    use std::sync::Arc;
    use tokio::net::TcpListener;

    const BASE: &str = "http://here";
    const BYTES_MAX: u64 = 1_000;
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

    fn job() -> Job {
        Job {
            id: RequestId(crate::ids::new(crate::clock::now())),
            account: AccountId("a".to_owned()),
            model: Arc::new(serde_json::from_value(json!({ "slug": "m", "type": "image" })).unwrap()),
            input: Default::default(),
            base_url: BASE.to_owned(),
            source: None,
            directory: None,
        }
    }

    /// A host that sends this response to each call.
    async fn host(head: &str, body: &[u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/a.png", listener.local_addr().unwrap());
        let response = [head.as_bytes(), b"connection: close\r\n\r\n", body].concat();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 2_048];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(&response).await;
            }
        });
        url
    }

    #[tokio::test]
    async fn a_file_is_written_from_wherever_it_is_or_the_caller_learns_why_not() {
        let data = tempfile::tempdir().unwrap();
        let media = MediaStore::of_test(data.path());
        std::fs::create_dir_all(data.path().join("media/r/s")).unwrap();
        std::fs::write(data.path().join("media/r/s/a.bin"), PNG).unwrap();
        std::fs::write(data.path().join("media/r/s/long.bin"), vec![0; 2_000]).unwrap();
        let inputs = ServerInputs::new(media, Outbound::new(true).unwrap());
        let ok = "HTTP/1.1 200 OK\r\n";
        let there = host(&format!("{ok}content-type: image/webp; q=1\r\n"), PNG).await;
        let text = host(&format!("{ok}content-type: text/plain\r\n"), b"a, b").await;
        let page = host(&format!("{ok}content-type: text/html; charset=utf-8\r\n"), b"log in").await;
        let announced = host(&format!("{ok}content-length: 2000\r\n"), b"").await;
        let endless = host(ok, &[0; 2_000]).await;
        let broken = host(&format!("{ok}content-length: 900\r\n"), b"a part").await;
        let gone = host("HTTP/1.1 410 Gone\r\n", b"").await;
        for (number, (url, expected)) in [
            (format!("data:image/jpeg;base64,{}", STANDARD.encode(PNG)), Ok((PNG, Some("image/png")))),
            (
                "data:text/plain;charset=utf-8;base64,YSwgYg==".to_owned(),
                Ok((&b"a, b"[..], Some("text/plain"))),
            ),
            ("data:image/png,a".to_owned(), Err("`image_url` is a data: URL that is not in base64")),
            (
                format!("data:image/png;base64,{}", STANDARD.encode([0; 2_000])),
                Err("the answer is longer than 1000 bytes"),
            ),
            (format!("{BASE}/media/r/s/a.bin"), Ok((PNG, Some("image/png")))),
            (format!("{BASE}/media/r/s/long.bin"), Err("longer than 1000 bytes")),
            (format!("{BASE}/media/r/s"), Err("`image_url` names no file of this server")),
            (format!("{BASE}/media/r/s/b.bin"), Err("`image_url` names no file of this server")),
            (format!("{BASE}/media/../clipia.db"), Err("`image_url` names no file of this server")),
            (there, Ok((PNG, Some("image/png")))),
            (text, Ok((b"a, b", Some("text/plain")))),
            (page, Err("`image_url` leads to a web page")),
            (announced, Err("longer than 1000 bytes")),
            (endless, Err("longer than 1000 bytes")),
            (broken, Err("the answer broke off")),
            (gone, Err("`image_url` was answered with 410")),
            ("http://10.0.0.1/a.png".to_owned(), Err("`image_url` must lead to a public address")),
            ("ftp://example.com/a.png".to_owned(), Err("`image_url` must begin with https://")),
        ]
        .into_iter()
        .enumerate()
        {
            let to = data.path().join(number.to_string());
            let fetched = inputs.fetch(&job(), "image_url", &url, &to, BYTES_MAX).await;
            match expected {
                Ok((content, media_type)) => {
                    assert_eq!(fetched.unwrap().as_deref(), media_type, "{url}");
                    assert_eq!(std::fs::read(&to).unwrap(), content, "{url}");
                }
                Err(part) => {
                    let error = fetched.unwrap_err();
                    assert!(
                        matches!(&error, JobError::Failed(why) if why.contains(part)),
                        "{url}: {error:?}"
                    );
                }
            }
        }
    }

    #[tokio::test]
    async fn a_disk_that_takes_nothing_is_not_the_callers_fault() {
        let data = tempfile::tempdir().unwrap();
        let media = MediaStore::of_test(data.path());
        let inputs = ServerInputs::new(media, Outbound::new(true).unwrap());
        let nowhere = data.path().join("none/a");
        let fetched =
            inputs.fetch(&job(), "image_url", "data:image/png;base64,AA==", &nowhere, BYTES_MAX).await;
        assert!(matches!(fetched, Err(JobError::Unavailable(_))), "{fetched:?}");
    }
}
