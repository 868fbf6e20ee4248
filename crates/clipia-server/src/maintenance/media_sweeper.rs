//! The media sweeper removes files that no output names: files of attempts that were lost, and staged files that were never
//! completed.

use super::{DoneBy, RoundError, Service};
use crate::media::{Found, MediaStore};
use crate::store::{RequestOutput, Store};
use clipia_queue::RequestId;
use clipia_queue::lifecycle::Phase;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The pause between two rounds.
const INTERVAL: Duration = Duration::from_secs(60 * 60);

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

/// Checks all media once; returns how many directories it removed.
async fn sweep(media: &MediaStore, store: &dyn Store, tighten: bool) -> io::Result<u64> {
    let mut removed = media.remove_staged().await?;
    let mut walk = media.walk(tighten).await?;
    while let Some(found) = walk.step().await? {
        // The store is asked after the directories were read. A directory that was read belongs to an attempt that had begun
        // by then. So where no attempt runs now, the output names all that will ever be named.
        let ids = found.iter().map(|found| found.id).collect();
        let known = store.outputs(ids).await.map_err(io::Error::other)?;
        let known: HashMap<_, _> = known.into_iter().map(|known| (known.id, known)).collect();
        let (mut lost, mut empty) = (Vec::new(), Vec::new());
        for found in found {
            lost.extend(unnamed(&found, &known).into_iter().map(|name| format!("{}/{name}", found.id)));
            if found.directories.is_empty() {
                empty.push(found.id);
            }
        }
        removed += lost.len() as u64;
        media.remove_found(lost, empty).await?;
        tokio::time::sleep(STEP_PAUSE).await;
    }
    Ok(removed)
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
