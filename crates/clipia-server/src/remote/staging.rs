//! The files of an attempt's output, while they arrive in pieces.
//!
//! The file `a.png` of an attempt is at `files/a.png` in the attempt's directory, and `received/a.png` says how much of it was
//! received and checked. What stands in a file beyond that is part of a piece that did not arrive whole: the next piece replaces it.
//! A piece is on the disk before its response, so that an upload goes on after the server was killed, where it was.

use super::piece::Piece;
use crate::api_error::ApiError;
use crate::media::is_file_name;
use crate::{blocking, failpoints, private};
use axum::body::BodyDataStream;
use bytes::{Bytes, BytesMut};
use clipia_worker::{Content, MediaFile, regular};
use futures_util::StreamExt;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex as SyncMutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// The most files of an output.
const FILES_MAX: usize = 4_096;

/// The bytes that are written to the disk at once.
const WRITE_BYTES: usize = 512 * 1024;

/// The time in which a piece must arrive: this, and a second for so many bytes. So a client that sends a byte now and then does
/// not hold a slot for long.
const TIMEOUT: Duration = Duration::from_secs(60);
const BYTES_PER_SECOND_MIN: u64 = 16 * 1024;

/// The directories of an attempt's directory.
const FILES: &str = "files";
const RECEIVED: &str = "received";
const NEW: &str = "new";

/// Why a piece was not kept.
#[derive(Debug)]
pub(super) enum NotKept {
    /// The call is at fault.
    Refused(ApiError),
    /// The piece cannot be written.
    Disk(io::Error),
}

impl From<io::Error> for NotKept {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

/// The error of a call that is at fault.
fn refused(message: impl Into<String>) -> NotKept {
    NotKept::Refused(ApiError::invalid(message))
}

/// The files of one attempt.
#[derive(Debug)]
pub(super) struct StagedFiles {
    directory: PathBuf,
    /// The most bytes of all files together.
    bytes_max: u64,
    files: SyncMutex<BTreeMap<String, Staged>>,
}

/// A file, of which a part was received.
#[derive(Clone, Debug)]
struct Staged {
    /// The length of the whole file, as the latest piece says it.
    total: u64,
    /// What was received; held by the call that receives a piece.
    received: Arc<Mutex<Received>>,
    /// Ends the call that receives a piece, in favour of a later one.
    superseded: CancellationToken,
}

/// How much of a file was received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Received {
    bytes: u64,
    /// The length of the whole file; none before its first piece.
    total: Option<u64>,
}

impl Received {
    fn is_whole(self) -> bool {
        self.total == Some(self.bytes)
    }
}

impl StagedFiles {
    /// The files in this directory: those of a process before, if there are any.
    ///
    /// # Errors
    /// If the directory cannot be made or read.
    pub(super) async fn open(directory: PathBuf, bytes_max: u64) -> io::Result<Self> {
        let opening = blocking::run(move || {
            for part in [FILES, RECEIVED, NEW] {
                private::directory(&directory.join(part))?;
            }
            let files = read(&directory)?;
            Ok(Self { directory, bytes_max, files: SyncMutex::new(files) })
        });
        opening.await.map_err(io::Error::other)?
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<String, Staged>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Receives a piece of the file `name`. Returns how many bytes of the file there are then.
    ///
    /// # Errors
    /// [`NotKept`]. Nothing of the piece is kept then.
    pub(super) async fn receive(
        &self,
        name: &str,
        piece: Piece,
        body: &mut BodyDataStream,
    ) -> Result<u64, NotKept> {
        let Staged { received, superseded, .. } = self.begin(name, piece)?;
        let ends = superseded.clone();
        let receiving = async {
            let mut held = received.lock_owned().await;
            if ends.is_cancelled() {
                return Err(refused(SUPERSEDED));
            }
            if held.total != Some(piece.total) {
                // A file of another length is another file, and is received from its first byte on.
                *held = Received::default();
            }
            // A piece that is here already, or one after a gap: the next piece begins at what was received.
            if piece.start != held.bytes || held.is_whole() {
                return Ok(held.bytes);
            }
            self.write(name, piece, held, body).await
        };
        tokio::select! {
            result = receiving => result,
            () = superseded.cancelled() => Err(refused(SUPERSEDED)),
        }
    }

    /// The file of a piece. An earlier call that receives a piece of it ends.
    fn begin(&self, name: &str, piece: Piece) -> Result<Staged, NotKept> {
        if !is_file_name(name) {
            return Err(refused("the name of a file has letters, digits, `.`, `_` and `-`, 255 at most"));
        }
        let mut files = self.files();
        let known = files.get(name);
        if let Some(known) = known {
            known.superseded.cancel();
        }
        if known.is_some_and(|known| known.total != piece.total && piece.start > 0) {
            return Err(refused(format!(
                "the file `{name}` was begun with another length: begin it again at 0"
            )));
        }
        if known.is_none() && files.len() >= FILES_MAX {
            return Err(refused(format!("an output has {FILES_MAX} files at most")));
        }
        let others = files.iter().filter(|(other, _)| *other != name).map(|(_, other)| other.total);
        if others.fold(piece.total, u64::saturating_add) > self.bytes_max {
            return Err(refused(format!("the files of an output have {} bytes at most", self.bytes_max)));
        }
        let received = known.map(|known| Arc::clone(&known.received)).unwrap_or_default();
        let staged = Staged { total: piece.total, received, superseded: CancellationToken::new() };
        files.insert(name.to_owned(), staged.clone());
        Ok(staged)
    }

    /// Writes a piece that follows what was received.
    async fn write(
        &self,
        name: &str,
        piece: Piece,
        held: OwnedMutexGuard<Received>,
        body: &mut BodyDataStream,
    ) -> Result<u64, NotKept> {
        let paths = Paths::of(&self.directory, name);
        let mut receiving = run(move || Receiving::begin(paths, held)).await?;
        let result = arrive(&mut receiving, piece, body).await;
        match (result, receiving) {
            (Ok(()), Some(receiving)) => run(move || receiving.keep(piece)).await,
            (Err(refused), Some(receiving)) => {
                // What cannot be cut now is cut by the next piece.
                let _ = run(move || Ok(receiving.cut()?)).await;
                Err(refused)
            }
            (Err(error), None) => Err(error),
            (Ok(()), None) => Err(given_up().into()),
        }
    }

    /// The files of an output, all of which must be whole.
    ///
    /// # Errors
    /// `invalid_request` names the first that is not.
    pub(super) fn whole(&self, listed: &[(String, u64)]) -> Result<Vec<MediaFile>, ApiError> {
        let files = self.files();
        let whole = |(name, bytes): &(String, u64)| {
            let not_whole = |why: std::fmt::Arguments<'_>| {
                ApiError::invalid(format!("the file `{name}` is not whole: {why}"))
            };
            let file =
                files.get(name).ok_or_else(|| not_whole(format_args!("nothing of it was received")))?;
            let received = file.received.try_lock().map(|received| *received);
            let received =
                received.map_err(|_| not_whole(format_args!("a piece of it is being received")))?;
            if !received.is_whole() || received.bytes != *bytes {
                return Err(not_whole(format_args!("{} of {bytes} bytes were received", received.bytes)));
            }
            let path = Paths::of(&self.directory, name).file;
            Ok(MediaFile { name: name.clone(), content: Content::Sealed { path, bytes: *bytes } })
        };
        listed.iter().map(whole).collect()
    }
}

/// The paths of a file.
struct Paths {
    file: PathBuf,
    /// Where it stands how much was received.
    mark: PathBuf,
    /// The next mark, until it is written.
    new_mark: PathBuf,
}

impl Paths {
    fn of(directory: &Path, name: &str) -> Self {
        let path = |part: &str| directory.join(part).join(name);
        Self { file: path(FILES), mark: path(RECEIVED), new_mark: path(NEW) }
    }
}

/// The message of a call that a later one has ended.
const SUPERSEDED: &str = "a later call sends a piece of the same file";

/// A piece that is being written. Whichever thread writes has the lock of the file: a call that was given up does not write into
/// the piece of the next one.
struct Receiving {
    file: File,
    digest: Sha256,
    paths: Paths,
    held: OwnedMutexGuard<Received>,
}

impl Receiving {
    /// Opens the file behind what was received.
    fn begin(paths: Paths, held: OwnedMutexGuard<Received>) -> Result<Option<Self>, NotKept> {
        let mut file = match held.bytes {
            0 => {
                remove(&paths.mark)?;
                remove(&paths.file)?;
                private::create_new(&paths.file)?
            }
            _ => regular::open_to_write(&paths.file)?,
        };
        if file.metadata()?.len() < held.bytes {
            return Err(io::Error::other("a file that was received in part was cut").into());
        }
        file.set_len(held.bytes)?;
        file.seek(SeekFrom::Start(held.bytes))?;
        Ok(Some(Self { file, digest: Sha256::new(), paths, held }))
    }

    fn write(mut self, bytes: &Bytes) -> io::Result<Self> {
        failpoints::write(&mut self.file, bytes)?;
        self.digest.update(bytes);
        Ok(self)
    }

    /// Keeps the piece if its digest is the announced one. Returns how many bytes of the file there are.
    fn keep(mut self, piece: Piece) -> Result<u64, NotKept> {
        let digest: [u8; 32] = self.digest.finalize_reset().into();
        if digest != piece.digest {
            self.cut()?;
            return Err(refused("the piece is not the one that `Content-Digest` names: send it again"));
        }
        self.file.sync_data()?;
        let Paths { mark, new_mark, .. } = &self.paths;
        remove(new_mark)?;
        let mut new = private::create_new(new_mark)?;
        failpoints::write(&mut new, format!("{} {}", piece.end(), piece.total).as_bytes())?;
        fs::rename(new_mark, mark)?;
        *self.held = Received { bytes: piece.end(), total: Some(piece.total) };
        Ok(piece.end())
    }

    /// Takes what was written of the piece away.
    fn cut(self) -> io::Result<()> {
        self.file.set_len(self.held.bytes)
    }
}

/// Writes the body of a piece. `receiving` is none after a write that failed.
async fn arrive(
    receiving: &mut Option<Receiving>,
    piece: Piece,
    body: &mut BodyDataStream,
) -> Result<(), NotKept> {
    let start = Instant::now();
    let (mut come, mut bytes) = (0_u64, BytesMut::new());
    loop {
        let until = start + TIMEOUT + Duration::from_secs(come / BYTES_PER_SECOND_MIN);
        let chunk = timeout_at(until, body.next()).await;
        let chunk = chunk.map_err(|_| refused("the piece took too long to arrive"))?;
        let chunk = chunk.transpose().map_err(|_| refused("the body broke off"))?;
        let is_end = chunk.is_none();
        bytes.extend_from_slice(&chunk.unwrap_or_default());
        let arrived = come + bytes.len() as u64;
        if arrived > piece.bytes || is_end && arrived < piece.bytes {
            let sent = if is_end { arrived.to_string() } else { format!("more than {}", piece.bytes) };
            return Err(refused(format!(
                "the body has {sent} bytes, and `Content-Range` says {}",
                piece.bytes
            )));
        }
        if bytes.len() >= WRITE_BYTES || is_end && !bytes.is_empty() {
            let full = std::mem::take(&mut bytes).freeze();
            come = arrived;
            let writer = receiving.take().ok_or_else(given_up)?;
            *receiving = run(move || Ok(Some(writer.write(&full)?))).await?;
        }
        if is_end {
            return Ok(());
        }
    }
}

/// The error of a file of which a piece was lost.
fn given_up() -> io::Error {
    io::Error::other("a piece of the file was not written")
}

async fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, NotKept> + Send + 'static,
) -> Result<T, NotKept> {
    blocking::run(work).await.map_err(io::Error::other)?
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The files in an attempt's directory of which something was received.
fn read(directory: &Path) -> io::Result<BTreeMap<String, Staged>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory.join(RECEIVED))? {
        let Ok(name) = entry?.file_name().into_string() else { continue };
        let Some((received, total)) = marked(&directory.join(RECEIVED).join(&name)) else { continue };
        // A whole file has a second name where the server was killed while it kept the output.
        let there = fs::symlink_metadata(directory.join(FILES).join(&name));
        if is_file_name(&name) && there.is_ok_and(|there| there.is_file() && there.len() >= received) {
            let received = Arc::new(Mutex::new(Received { bytes: received, total: Some(total) }));
            files.insert(name, Staged { total, received, superseded: CancellationToken::new() });
        }
    }
    Ok(files)
}

/// How much of a file was received, and how long it is.
fn marked(mark: &Path) -> Option<(u64, u64)> {
    let text = io::read_to_string(regular::open(mark).ok()?).ok()?;
    let (received, total) = text.split_once(' ')?;
    let (received, total) = (received.parse().ok()?, total.parse().ok()?);
    (received <= total).then_some((received, total))
}
