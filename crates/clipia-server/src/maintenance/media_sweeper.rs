//! The media sweeper removes files that no output names: files of attempts that were lost, and staged files that were never
//! completed.

use super::{DoneBy, RoundError, Service};
use crate::media::{MediaStore, STAGING, directories};
use crate::store::{RequestOutput, Store};
use crate::{blocking, private};
use clipia_queue::RequestId;
use clipia_queue::lifecycle::Phase;
use std::collections::HashMap;
use std::fs::{self, ReadDir};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The pause between two rounds.
const INTERVAL: Duration = Duration::from_secs(60 * 60);

/// The most directories of one step.
const STEP: usize = 256;

/// The pause between two steps. A sweep can wait, and other users of the disk cannot.
const STEP_PAUSE: Duration = Duration::from_millis(20);

pub(crate) struct MediaSweeper {
    media: MediaStore,
    store: Arc<dyn Store>,
    /// Whether the next round restricts permissions to the owner. Only files of an earlier process may be open to other users,
    /// so one round is enough.
    tighten: AtomicBool,
}

impl MediaSweeper {
    pub(crate) fn new(store: Arc<dyn Store>, media: MediaStore) -> Self {
        Self { media, store, tighten: AtomicBool::new(true) }
    }
}

impl Service for MediaSweeper {
    const NAME: &'static str = "media_sweeper";
    const DONE_BY: DoneBy = DoneBy::OneNode;

    fn pause(&self) -> Duration {
        INTERVAL
    }

    async fn round(&self, _paused: Duration) -> Result<u64, RoundError> {
        let removed = sweep(&self.media, self.store.as_ref(), self.tighten.load(Ordering::Relaxed)).await?;
        self.tighten.store(false, Ordering::Relaxed);
        if removed > 0 {
            tracing::info!(removed, "removed directories of media that no output names");
        }
        Ok(removed)
    }
}

/// The names of the directories with a request's files.
struct Found {
    id: RequestId,
    directories: Vec<String>,
}

/// Checks all media once; returns how many directories it removed.
async fn sweep(media: &MediaStore, store: &dyn Store, tighten: bool) -> io::Result<u64> {
    let staging = media.clone();
    let mut removed = blocking::run(move || remove_staged(&staging)).await.map_err(io::Error::other)??;
    let top = media.directory().to_owned();
    let mut entries = blocking::run(move || fs::read_dir(top)).await.map_err(io::Error::other)??;
    loop {
        let step = blocking::run(move || {
            let found = next_step(&mut entries, tighten);
            (entries, found)
        });
        let (left, found) = step.await.map_err(io::Error::other)?;
        entries = left;
        let Some(found) = found? else {
            return Ok(removed);
        };
        // The store is asked after the directories were read. A directory that was read belongs to an attempt that had begun
        // by then. So where no attempt runs now, the output names all that will ever be named.
        let ids = found.iter().map(|found| found.id).collect();
        let known = store.outputs(ids).await.map_err(io::Error::other)?;
        let known: HashMap<_, _> = known.into_iter().map(|known| (known.id, known)).collect();
        let media = media.clone();
        let removing = move || {
            let mut removed = 0;
            for found in found {
                let of_request = media.directory().join(found.id.to_string());
                let unnamed = unnamed(&found, &known);
                removed += unnamed.len() as u64;
                unnamed.iter().for_each(|name| media.remove(&of_request.join(name)));
                if found.directories.is_empty() {
                    media.remove_empty(&of_request);
                }
            }
            removed
        };
        removed += blocking::run(removing).await.map_err(io::Error::other)?;
        tokio::time::sleep(STEP_PAUSE).await;
    }
}

/// The directories that no output names or will name. Files of a request that the store does not know stay: the store may be
/// an old backup, and the operator may restore a newer one.
fn unnamed<'f>(found: &'f Found, known: &HashMap<RequestId, RequestOutput>) -> Vec<&'f str> {
    let named = match known.get(&found.id) {
        None => return Vec::new(),
        // The worker may have written files that its output is about to name.
        Some(RequestOutput { phase: Phase::Running, .. }) => return Vec::new(),
        Some(RequestOutput { output, .. }) => serde_json::to_string(output).unwrap_or_default(),
    };
    // A name anywhere in the output counts, since only the executor knows which texts are URLs.
    found.directories.iter().map(String::as_str).filter(|name| !named.contains(name)).collect()
}

/// The next requests with files; none at the end.
fn next_step(entries: &mut ReadDir, tighten: bool) -> io::Result<Option<Vec<Found>>> {
    let (mut found, mut seen) = (Vec::new(), 0);
    for entry in entries.by_ref().take(STEP) {
        let entry = entry?;
        seen += 1;
        let name = entry.file_name();
        if tighten {
            tighten_all(&entry.path());
        }
        let id = name.to_str().and_then(|name| {
            let id: RequestId = name.parse().ok()?;
            (id.to_string() == name).then_some(id)
        });
        if let Some(id) = id {
            found.push(Found { id, directories: directories(&entry.path())? });
        }
    }
    // A step without any request is not the end.
    Ok((seen > 0).then_some(found))
}

/// Removes staged directories that no write in progress uses.
fn remove_staged(media: &MediaStore) -> io::Result<u64> {
    let mut removed = 0;
    let entries = match fs::read_dir(media.directory().join(STAGING)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if !media.is_being_staged(&path) {
            media.remove(&path);
            removed += 1;
        }
    }
    Ok(removed)
}

/// Restricts the permissions of a file, or of a directory and all its content, to the owner.
fn tighten_all(path: &Path) {
    let tightened = private::tighten(path).and_then(|()| {
        if fs::symlink_metadata(path)?.is_dir() {
            for entry in fs::read_dir(path)? {
                tighten_all(&entry?.path());
            }
        }
        Ok(())
    });
    if let Err(error) = tightened
        && error.kind() != ErrorKind::NotFound
    {
        tracing::debug!(%error, path = %path.display(), "other users may read media");
    }
}
