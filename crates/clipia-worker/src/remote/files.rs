//! The files of an output, sent in pieces.

use super::backoff::pause;
use super::calls::{CALL_MAX, CallFailed, Series, within};
use super::pieces::PieceLength;
use super::session::Session;
use super::wire;
use crate::output::{Content, MediaFile};
use crate::work::{AttemptId, KeepError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use clipia_remote::types::SentFile;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::{Instant, sleep};

/// A shorter piece is hashed at once; a longer one on a thread for it.
const HASHED_AT_ONCE: usize = 64 * 1024;

/// How often a piece is sent that the server refuses: it may have been spoilt on its way.
const REFUSALS_MAX: u32 = 3;

/// The files of a session's outputs.
pub(super) struct Files {
    session: Arc<Session>,
    length: Mutex<PieceLength>,
    series: Series,
}

/// Files that the server has.
pub(super) struct Sent(Vec<Sending>);

impl Sent {
    /// The files as the wire names them.
    pub(super) fn names(&self) -> Vec<SentFile> {
        self.0.iter().map(|file| SentFile { bytes: file.bytes(), name: file.name.clone() }).collect()
    }
}

/// A file that is sent.
struct Sending {
    name: String,
    source: Source,
}

/// Where the bytes of a file are.
enum Source {
    Memory(Bytes),
    Disk { path: PathBuf, bytes: u64 },
}

/// A piece of a file.
struct Piece {
    bytes: Bytes,
    digest: String,
}

impl Sending {
    fn of(file: MediaFile) -> Self {
        let source = match file.content {
            Content::Bytes(bytes) => Source::Memory(bytes.into()),
            Content::File { path, bytes } | Content::Sealed { path, bytes } => Source::Disk { path, bytes },
        };
        Self { name: file.name, source }
    }

    fn bytes(&self) -> u64 {
        match &self.source {
            Source::Memory(bytes) => bytes.len() as u64,
            Source::Disk { bytes, .. } => *bytes,
        }
    }

    /// The piece of `length` bytes at `at`.
    async fn piece(&self, at: u64, length: u64) -> io::Result<Piece> {
        let too_long = |_| io::Error::other("a file is longer than the memory");
        let (start, length) =
            (usize::try_from(at).map_err(too_long), usize::try_from(length).map_err(too_long)?);
        match &self.source {
            Source::Memory(bytes) => {
                let start = start?;
                let bytes = bytes.slice(start..start + length);
                if length <= HASHED_AT_ONCE {
                    return Ok(Piece::of(bytes));
                }
                tokio::task::spawn_blocking(move || Piece::of(bytes)).await.map_err(io::Error::other)
            }
            Source::Disk { path, .. } => {
                let path = path.clone();
                let read = move || {
                    let mut file = File::open(path)?;
                    file.seek(SeekFrom::Start(at))?;
                    let mut bytes = vec![0; length];
                    file.read_exact(&mut bytes)?;
                    Ok(Piece::of(bytes.into()))
                };
                tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
            }
        }
    }
}

impl Piece {
    fn of(bytes: Bytes) -> Self {
        let digest = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(&bytes)));
        Self { bytes, digest }
    }
}

impl Files {
    /// The files of a session's outputs.
    pub(super) fn new(session: Arc<Session>) -> Self {
        Self { session, length: Mutex::default(), series: Series::new("the upload of files") }
    }

    /// Sends the files of an output, one after the other.
    pub(super) async fn send(&self, attempt: AttemptId, files: Vec<MediaFile>) -> Result<Sent, KeepError> {
        let sent = Sent(files.into_iter().map(Sending::of).collect());
        self.send_again(attempt, &sent).await?;
        Ok(sent)
    }

    /// Sends files of which the server may have lost a part.
    pub(super) async fn send_again(&self, attempt: AttemptId, sent: &Sent) -> Result<(), KeepError> {
        for file in &sent.0 {
            tokio::select! {
                sent = self.send_one(attempt, file) => sent?,
                // The request is released, and made again.
                () = self.session.stop.cancelled() => return Err(KeepError::NoRoom),
            }
        }
        Ok(())
    }

    async fn send_one(&self, attempt: AttemptId, file: &Sending) -> Result<(), KeepError> {
        let (mut at, mut failures, mut refusals) = (0, 0, 0);
        loop {
            let length = self.length(|length| length).bytes().min(file.bytes() - at);
            let piece = file.piece(at, length).await.map_err(|error| unreadable(&error))?;
            let asked = Instant::now();
            let error = match self.put(attempt, file, at, piece).await {
                Ok(received) if received > file.bytes() => {
                    return Err(KeepError::Unfit(
                        "the files could not be stored: their lengths changed".to_owned(),
                    ));
                }
                Ok(received) => {
                    self.series.succeeded();
                    self.length(|length_now| length_now.arrived(length, asked.elapsed()));
                    let is_whole = received == file.bytes();
                    if is_whole {
                        return Ok(());
                    }
                    // The server may have lost a part, as after a crash: the upload goes on at what it has.
                    (failures, at) = if received > at { (0, received) } else { (failures + 1, received) };
                    if failures > 0 {
                        sleep(pause(failures, rand::random())).await;
                    }
                    continue;
                }
                Err(error) => error,
            };
            if error.is_stale() || self.session.is_revoked(error.refused(), &error) {
                tracing::warn!(%error, "a lease was lost before the files were sent");
                return Err(KeepError::Lost);
            }
            if !error.is_transient() {
                refusals += 1;
                if refusals >= REFUSALS_MAX {
                    let error = error.with_causes();
                    tracing::error!(error, file = file.name, "the server refuses a file");
                    return Err(KeepError::Unfit("the files could not be stored".to_owned()));
                }
            }
            failures += 1;
            self.series.failed(&error);
            self.length(|length_now| length_now.failed(length));
            sleep(pause(failures, rand::random())).await;
        }
    }

    /// Sends a piece. Returns how much of the file the server has.
    async fn put(
        &self,
        attempt: AttemptId,
        file: &Sending,
        at: u64,
        piece: Piece,
    ) -> Result<u64, CallFailed> {
        let whole = file.bytes();
        let range = match piece.bytes.len() as u64 {
            0 => format!("bytes */{whole}"),
            length => format!("bytes {at}-{}/{whole}", at + length - 1),
        };
        let request = wire::request(attempt);
        let call = self.session.remote.put_piece(
            &request,
            attempt.epoch.0,
            &file.name,
            &piece.digest,
            &range,
            piece.bytes,
        );
        // The pieces are as long as the connection takes in a part of this time.
        Ok(within(CALL_MAX, call).await?.received)
    }

    /// The length of the next piece, after `change`.
    fn length(&self, change: impl FnOnce(PieceLength) -> PieceLength) -> PieceLength {
        let mut length = self.length.lock().unwrap_or_else(PoisonError::into_inner);
        *length = change(*length);
        *length
    }
}

/// A file of an output that cannot be read any more.
fn unreadable(error: &io::Error) -> KeepError {
    tracing::error!(%error, "an executor made files that cannot be read");
    KeepError::Unfit("the files could not be stored".to_owned())
}
