//! A walk over all requests that have files, for the media sweeper.

use super::directory::{Directory, next_step};
use super::{MediaStore, Place, bucket, run};
use clipia_queue::RequestId;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::ReadDir;
use std::io;
use std::sync::Arc;

/// The most requests of one step.
const STEP: usize = 256;

/// The names of the directories with a request's files.
pub(crate) struct Found {
    pub(crate) id: RequestId,
    pub(crate) directories: Vec<String>,
}

/// A walk that is under way.
pub(crate) enum Walk {
    Directory {
        entries: Option<ReadDir>,
        /// Whether to restrict the permissions of all that is found to the owner.
        tighten: bool,
    },
    Bucket {
        names: bucket::Names,
        /// The first name of the next step.
        next: Option<(RequestId, String)>,
    },
}

impl MediaStore {
    /// Begins a walk. In a directory, `tighten` restricts the permissions of all that is found to the owner.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub(crate) async fn walk(&self, tighten: bool) -> io::Result<Walk> {
        Ok(match &self.place {
            Place::Directory(directory) => {
                let directory = Arc::clone(directory);
                let entries = run(move || directory.entries()).await?;
                Walk::Directory { entries: Some(entries), tighten }
            }
            Place::Bucket(bucket) => Walk::Bucket { names: bucket.names(), next: None },
        })
    }

    /// Removes these directories of requests, and those of these requests if they are empty. What cannot be removed is found by a
    /// later walk.
    pub(crate) async fn remove_found(&self, unnamed: Vec<String>, empty: Vec<RequestId>) -> io::Result<()> {
        match &self.place {
            Place::Directory(directory) => {
                let directory: Arc<Directory> = Arc::clone(directory);
                run(move || {
                    unnamed.iter().for_each(|below| directory.remove(below));
                    empty.into_iter().for_each(|id| directory.remove_empty(id));
                    Ok(())
                })
                .await
            }
            Place::Bucket(bucket) => bucket.remove_all(unnamed.into_iter()).await,
        }
    }
}

impl Walk {
    /// The next requests; none at the end.
    ///
    /// # Errors
    /// If the place of media cannot be read.
    pub(crate) async fn step(&mut self) -> io::Result<Option<Vec<Found>>> {
        match self {
            Self::Directory { entries, tighten } => {
                let Some(mut left) = entries.take() else { return Ok(None) };
                let tighten = *tighten;
                let (left, found) = run(move || {
                    let found = next_step(&mut left, STEP, tighten)?;
                    Ok((left, found))
                })
                .await?;
                *entries = Some(left);
                Ok(found)
            }
            Self::Bucket { names, next } => {
                let mut found: BTreeMap<RequestId, BTreeSet<String>> = BTreeMap::new();
                loop {
                    let name = match next.take() {
                        Some(name) => Some(name),
                        None => names.next().await?,
                    };
                    match name {
                        None => break,
                        Some((id, secret)) if found.len() < STEP || found.contains_key(&id) => {
                            found.entry(id).or_default().insert(secret);
                        }
                        later => {
                            *next = later;
                            break;
                        }
                    }
                }
                let found = found
                    .into_iter()
                    .map(|(id, directories)| Found { id, directories: directories.into_iter().collect() });
                Ok((found.len() > 0).then(|| found.collect()))
            }
        }
    }
}

/// The request whose directory has this name, in the one spelling that this server makes.
pub(super) fn request(name: &str) -> Option<RequestId> {
    let id: RequestId = name.parse().ok()?;
    (id.to_string() == name).then_some(id)
}

/// Whether a directory of this name has the files of an attempt, or of an upload.
pub(super) fn is_secret(name: &str) -> bool {
    const SECRET_CHARACTERS: usize = 32;
    name.len() == SECRET_CHARACTERS && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
