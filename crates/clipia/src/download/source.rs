//! A file on its media host: its URL, the requests for it, what a response says of it, and errors about it.

use super::page;
use super::response::{self, MediaResponse, Version};
use crate::base_url::without_secrets;
use crate::connection::Connection;
use crate::error::{Error, deepest};
use crate::retry_after::retry_after;
use clipia_api::types::RequestId;
use reqwest::Response;
use reqwest::header::{ACCEPT_ENCODING, IF_RANGE, RANGE};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

pub(super) struct Source {
    pub(super) connection: Arc<Connection>,
    pub(super) request_id: RequestId,
    pub(super) url: Url,
    /// The URL without secrets, for errors and for the partial file.
    pub(super) shown: String,
    /// Whether the file is an image, a clip or a sound, which is never a page of text.
    pub(super) is_media: bool,
}

impl Source {
    /// The file at `address`, which may be relative to the base URL.
    pub(super) fn new(
        connection: &Arc<Connection>,
        request_id: &RequestId,
        address: &str,
        is_media: bool,
    ) -> Result<Self, Error> {
        let refused = |url: String, reason: &str| Error::Download {
            request_id: request_id.clone(),
            url,
            reason: reason.to_owned(),
            transient: false,
            retry_after: None,
        };
        let Ok(mut url) = connection.base_url.join(address) else {
            // Not shown, because any part of the text may be secret.
            return Err(refused("…".to_owned(), "it is not a URL"));
        };
        if !matches!(url.scheme(), "http" | "https") {
            // The rest of such a URL may be the whole file, as in `data:`.
            return Err(refused(format!("{}:…", url.scheme()), "it is neither https nor http"));
        }
        url.set_fragment(None);
        let (shown, connection) = (without_secrets(&url), Arc::clone(connection));
        Ok(Self { connection, request_id: request_id.clone(), url, shown, is_media })
    }

    /// Requests the file, or the bytes after those that were kept.
    pub(super) async fn request(
        &self,
        kept: Option<(&Version, u64)>,
    ) -> Result<(Response, MediaResponse), Error> {
        // The file is wanted as it was made, so a content coding is not.
        let mut request = self.connection.media()?.get(self.url.clone()).header(ACCEPT_ENCODING, "identity");
        if let Some((version, bytes)) = kept {
            request = request.header(RANGE, format!("bytes={bytes}-")).header(IF_RANGE, &version.validator);
        }
        let response = request.send().await.map_err(|error| self.broken(error))?;
        let (status, headers) = (response.status(), response.headers());
        let meaning = response::read(kept, status, headers, response.content_length());
        Ok((response, meaning))
    }

    /// The version of the file in a response with the whole of it, if a rest can be asked for later.
    pub(super) fn version(&self, response: &Response, size: Option<u64>) -> Option<Version> {
        let headers = response.headers();
        response::validator(headers).map(|validator| Version {
            url: self.shown.clone(),
            validator: validator.to_owned(),
            size,
            content_type: response::content_type(headers).map(str::to_owned),
        })
    }

    /// Refuses an empty body and a page in place of a picture, a clip or a sound.
    pub(super) fn check_beginning(&self, response: &Response, beginning: &[u8]) -> Result<(), Error> {
        if !self.is_media {
            return Ok(());
        }
        if beginning.is_empty() {
            return Err(self.failed("the media host sent an empty file", true, None));
        }
        let content_type = response::content_type(response.headers());
        if !page::is_page(content_type, beginning) {
            return Ok(());
        }
        let (kind, text) = (content_type.unwrap_or("no type"), String::from_utf8_lossy(beginning));
        // A redirect may have led to a URL with a signature of its own.
        let urls = [&self.url, response.url()];
        let (kind, text) = (page::redacted(kind, &urls), page::redacted(&text, &urls));
        let reason = format!("the media host sent a page in place of the file, of `{kind}`: {text}");
        Err(self.failed(reason, false, None))
    }

    /// The error of a response that refuses the file.
    pub(super) fn refused(&self, response: &Response, reason: &str, transient: bool) -> Error {
        let reason = page::redacted(reason, &[&self.url, response.url()]);
        self.failed(reason, transient, retry_after(response.headers()))
    }

    pub(super) fn failed(
        &self,
        reason: impl Into<String>,
        transient: bool,
        retry_after: Option<Duration>,
    ) -> Error {
        let (request_id, url) = (self.request_id.clone(), self.shown.clone());
        Error::Download { request_id, url, reason: reason.into(), transient, retry_after }
    }

    pub(super) fn broken(&self, error: reqwest::Error) -> Error {
        let transient = !error.is_builder() && !error.is_redirect();
        self.failed(page::redacted(&deepest(&error.without_url()), &[&self.url]), transient, None)
    }
}
