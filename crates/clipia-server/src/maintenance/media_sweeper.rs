//! Removing files that no output names: of attempts that were lost, and of what was never written to its end.

use super::{Service, Trouble};
use crate::media::{MediaStore, PARTS, directories};
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

/// From one sweep to the next.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// Requests that one step looks at.
const STEP: usize = 256;

/// From one step to the next: a sweep is in no hurry, and whatever else needs the disk is.
const REST: Duration = Duration::from_millis(20);

pub(crate) struct MediaSweeper {
    media: MediaStore,
    store: Arc<dyn Store>,
    /// Whether files are still to be left to their owner: nothing that this process makes is open to others, and what an
    /// earlier one made may be.
    tighten: AtomicBool,
}

impl MediaSweeper {
    pub(crate) fn new(store: Arc<dyn Store>, media: MediaStore) -> Self {
        Self { media, store, tighten: AtomicBool::new(true) }
    }
}

impl Service for MediaSweeper {
    const NAME: &'static str = "media_sweeper";

    fn pause(&self) -> Duration {
        EVERY
    }

    async fn round(&self, _rested: Duration) -> Result<u64, Trouble> {
        let removed = round(&self.media, self.store.as_ref(), self.tighten.load(Ordering::Relaxed)).await?;
        self.tighten.store(false, Ordering::Relaxed);
        if removed > 0 {
            tracing::info!(removed, "removed directories of media that no output names");
        }
        Ok(removed)
    }
}

/// The directories of a request's files, by their names.
struct Found {
    id: RequestId,
    directories: Vec<String>,
}

/// Looks at everything once; tells how many directories were removed.
async fn round(media: &MediaStore, store: &dyn Store, tighten: bool) -> io::Result<u64> {
    let parts = media.clone();
    let mut removed = blocking::run(move || remove_parts(&parts)).await.map_err(io::Error::other)??;
    let top = media.directory().to_owned();
    let mut entries = blocking::run(move || fs::read_dir(top)).await.map_err(io::Error::other)??;
    loop {
        let looked = blocking::run(move || {
            let found = look(&mut entries, tighten);
            (entries, found)
        });
        let (left, found) = looked.await.map_err(io::Error::other)?;
        entries = left;
        let Some(found) = found? else {
            return Ok(removed);
        };
        // Asked after the look: a directory that was seen is of an attempt that had begun by then. Where no attempt is in
        // force now, the output says all that will ever be named.
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
        tokio::time::sleep(REST).await;
    }
}

/// The directories that no output names and none will. What is of a request that the store does not know stays: the store
/// may be an older backup, and the newer one may come back.
fn unnamed<'f>(found: &'f Found, known: &HashMap<RequestId, RequestOutput>) -> Vec<&'f str> {
    let named = match known.get(&found.id) {
        None => return Vec::new(),
        // Its worker may have written what it is about to name.
        Some(RequestOutput { phase: Phase::Running, .. }) => return Vec::new(),
        Some(RequestOutput { output, .. }) => serde_json::to_string(output).unwrap_or_default(),
    };
    // Anywhere in the output, also where only an executor knows that it is a URL.
    found.directories.iter().map(String::as_str).filter(|name| !named.contains(name)).collect()
}

/// The next requests that have files; nothing at the end.
fn look(entries: &mut ReadDir, tighten: bool) -> io::Result<Option<Vec<Found>>> {
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
    // A step may see nothing but what is none of a request's.
    Ok((seen > 0).then_some(found))
}

/// Removes what was not written to its end, and is not being written.
fn remove_parts(media: &MediaStore) -> io::Result<u64> {
    let mut removed = 0;
    let entries = match fs::read_dir(media.directory().join(PARTS)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if !media.is_being_written(&path) {
            media.remove(&path);
            removed += 1;
        }
    }
    Ok(removed)
}

/// Leaves a directory and what is in it to its owner.
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
