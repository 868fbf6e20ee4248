//! The pieces of a file as they arrive, for a caller who keeps them. The transfer is resumed whenever it breaks, with the checks of a
//! file that is saved.

use super::extension::FIRST_BYTES;
use super::page;
use super::response::{self, MediaResponse, Version};
use super::source::Source;
use crate::error::Error;
use crate::retry::{self, Attempts, Bounds};
use bytes::Bytes;
use reqwest::Response;
use std::time::Duration;

pub(super) struct Pieces {
    source: Source,
    /// Whether the caller can drop what it has, so that the file may begin again.
    can_restart: bool,
    received: u64,
    /// The most that was received before the latest break.
    reached: u64,
    /// The attempts since the latest progress.
    attempts: Attempts,
    /// The version of the file, if the host can prove that a rest is of the same.
    version: Option<Version>,
    open: Option<Open>,
    ended: bool,
}

/// A response whose body is read.
struct Open {
    response: Response,
    /// What was read of the body to recognise an error page.
    first: Option<Bytes>,
    /// The end of the body, counted from the first byte of the file.
    end: Option<u64>,
    /// The size of the whole file.
    size: Option<u64>,
}

pub(super) enum Piece {
    Bytes(Bytes),
    /// The file begins again: what came before does not count.
    Restart,
}

impl Pieces {
    pub(super) fn of(source: Source, can_restart: bool) -> Self {
        let (version, open, attempts) = (None, None, Attempts::default());
        Self { source, can_restart, received: 0, reached: 0, attempts, version, open, ended: false }
    }

    /// The next piece; `None` once the file is whole. As for a file that is saved, only attempts without progress count as retries.
    pub(super) async fn next(&mut self) -> Result<Option<Piece>, Error> {
        if self.ended {
            return Ok(None);
        }
        loop {
            let error = match self.read().await {
                Ok(Some(bytes)) => return Ok(Some(Piece::Bytes(bytes))),
                Ok(None) => {
                    self.ended = true;
                    return Ok(None);
                }
                Err(error) => error,
            };
            self.open = None;
            let is_resumable = self.received == 0 || self.version.is_some();
            let pause = self.pause(&error).filter(|_| is_resumable || self.can_restart);
            let Some(pause) = pause else {
                self.ended = true;
                return Err(error);
            };
            let (request_id, bytes) = (&self.source.request_id, self.received);
            tracing::debug!(%request_id, %error, bytes, "going on");
            tokio::time::sleep(pause).await;
            if !is_resumable {
                self.received = 0;
                return Ok(Some(Piece::Restart));
            }
        }
    }

    /// The size of the file, if the host has announced it.
    pub(super) fn size(&self) -> Option<u64> {
        self.open.as_ref()?.size
    }

    /// The error of a file that is longer than its caller allows.
    pub(super) fn too_long(&self, max: usize) -> Error {
        self.source.failed(format!("it has more than the {max} bytes that are allowed"), false, None)
    }

    /// The pause before another attempt, if there is one.
    fn pause(&mut self, error: &Error) -> Option<Duration> {
        let bounds = Bounds { within: Duration::MAX, ..self.source.connection.bounds };
        if error.is_retryable() && self.received > self.reached {
            (self.reached, self.attempts) = (self.received, Attempts::default());
            return retry::pause(error, 1, bounds.pause_first, rand::random());
        }
        self.attempts = self.attempts.with(error);
        retry::decide(error, self.attempts, Duration::ZERO, bounds, rand::random())
    }

    /// The next bytes of the response that is open, or of a new one.
    async fn read(&mut self) -> Result<Option<Bytes>, Error> {
        let open = match self.open.take() {
            Some(open) => open,
            None => self.begin().await?,
        };
        let open = self.open.insert(open);
        let bytes = match open.first.take() {
            Some(first) => Some(first),
            None => match open.response.chunk().await {
                Ok(bytes) => bytes,
                // The host closed the connection in another way than it should, after the whole file.
                Err(_) if open.size == Some(self.received) => None,
                Err(error) => return Err(self.source.broken(error)),
            },
        };
        let Some(bytes) = bytes else {
            return match open.size.filter(|size| *size != self.received) {
                Some(size) => {
                    Err(self.source.failed(format!("{} bytes came of {size}", self.received), true, None))
                }
                None => Ok(None),
            };
        };
        let received = self.received + bytes.len() as u64;
        if let Some(end) = open.end.filter(|end| *end < received) {
            // The host sends another file than it announced.
            self.version = None;
            return Err(self.source.failed(format!("more than the {end} bytes announced came"), true, None));
        }
        self.received = received;
        Ok(Some(bytes))
    }

    /// Requests the file, or the rest of it.
    async fn begin(&mut self) -> Result<Open, Error> {
        let kept =
            self.version.as_ref().filter(|_| self.received > 0).map(|version| (version, self.received));
        let (response, meaning) = self.source.request(kept).await?;
        match meaning {
            MediaResponse::Rest { end, size } => {
                Ok(Open { response, first: None, end: Some(end), size: Some(size) })
            }
            MediaResponse::Whole { size } if self.received == 0 => self.begin_whole(response, size).await,
            MediaResponse::Refused { reason, transient } => {
                Err(self.source.refused(&response, &reason, transient))
            }
            MediaResponse::Whole { .. } | MediaResponse::Unfit => {
                self.version = None;
                let reason = "it broke off, and the media host does not go on from there with the same file";
                Err(self.source.failed(reason, true, None))
            }
        }
    }

    async fn begin_whole(&mut self, mut response: Response, size: Option<u64>) -> Result<Open, Error> {
        self.version = self.source.version(&response, size);
        let content_type = response::content_type(response.headers()).map(str::to_owned);
        let mut first = Vec::new();
        while self.source.is_media
            && first.len() < FIRST_BYTES
            && page::is_possible(content_type.as_deref(), &first)
            && let Some(bytes) = response.chunk().await.map_err(|error| self.source.broken(error))?
        {
            first.extend_from_slice(&bytes);
        }
        self.source.check_beginning(&response, &first[..first.len().min(FIRST_BYTES)])?;
        let first = (!first.is_empty()).then(|| Bytes::from(first));
        Ok(Open { response, first, end: size, size })
    }
}
