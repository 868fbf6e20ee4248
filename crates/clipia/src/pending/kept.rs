//! The list of a client, and its file if it has one.

use super::entry::{Entry, Pending};
use super::journal::Journal;
use super::list::List;
use crate::error::Error;
use clipia_api::Status;
use clipia_api::types::RequestId;
use jiff::Timestamp;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a client has pending.
#[derive(Debug, Default)]
pub(crate) struct PendingList(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    list: List,
    journal: Option<Journal>,
}

impl PendingList {
    /// The list in a file, which is made if it is missing.
    ///
    /// # Errors
    /// [`Error::PendingFile`], of the kind `WouldBlock` if another client has the file, `InvalidData` if the file is not such a list.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let opened = Journal::open(path);
        let (journal, list) = opened.map_err(|cause| Error::PendingFile { path: path.to_owned(), cause })?;
        Ok(Self(Mutex::new(Kept { list, journal: Some(journal) })))
    }

    pub(crate) fn all(&self) -> Vec<Pending> {
        self.kept().list.all()
    }

    /// Records a submit that is about to be sent. Returns whether it is new: the same submit may be listed already.
    ///
    /// # Errors
    /// [`Error::PendingFile`] if the record could not be written. The submit must not be sent.
    pub(crate) fn begun(&self, model: &str, idempotency_key: &str) -> Result<bool, Error> {
        let entry = Entry::Begun(Pending {
            model: model.to_owned(),
            idempotency_key: idempotency_key.to_owned(),
            request_id: None,
            submitted_at: Timestamp::now(),
        });
        let mut kept = self.kept();
        let is_new = kept.list.concerns(&entry);
        match kept.take(entry) {
            Ok(()) => Ok(is_new),
            Err(cause) => {
                let path = kept.journal.as_ref().map(|journal| journal.path().to_owned()).unwrap_or_default();
                Err(Error::PendingFile { path, cause })
            }
        }
    }

    /// Records that a submit was accepted.
    pub(crate) fn accepted(&self, idempotency_key: &str, request_id: &RequestId) {
        let (idempotency_key, request_id) = (idempotency_key.to_owned(), request_id.clone());
        self.change(Entry::Accepted { idempotency_key, request_id });
    }

    /// Records that a submit was refused, or was never sent.
    pub(crate) fn refused(&self, idempotency_key: &str) {
        self.change(Entry::Refused { idempotency_key: idempotency_key.to_owned() });
    }

    /// Records what a response says of a generation. Only its end changes the list.
    pub(crate) fn seen(&self, request_id: &RequestId, status: &Status) {
        if status.is_terminal() {
            self.change(Entry::Ended { request_id: request_id.clone() });
        }
    }

    /// What cannot be written now is found by the next run: it asks for a generation that has ended.
    fn change(&self, entry: Entry) {
        if let Err(error) = self.kept().take(entry) {
            tracing::warn!(%error, "cannot write the file of pending generations");
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn take(&mut self, entry: Entry) -> io::Result<()> {
        let written = match &mut self.journal {
            Some(journal) if self.list.concerns(&entry) => journal.write(&entry),
            _ => Ok(()),
        };
        if written.is_ok() || !matches!(entry, Entry::Begun(_)) {
            self.list.take(entry);
        }
        if let Some(journal) = self.journal.as_mut().filter(|journal| journal.is_long(self.list.len())) {
            // The long file is still right.
            if let Err(error) = journal.rewrite(&self.list) {
                tracing::warn!(%error, "cannot shorten the file of pending generations");
            }
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_stays_short_however_many_generations_have_ended() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pending.jsonl");
        let list = PendingList::open(&path).unwrap();
        assert!(list.begun("m", "runs").unwrap() && !list.begun("m", "runs").unwrap());
        for number in 0..5_000 {
            let (key, id) = (format!("key {number}"), RequestId::from(format!("id {number}")));
            assert!(list.begun("m", &key).unwrap());
            list.accepted(&key, &id);
            list.seen(&id, &Status::Completed);
        }
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 1_010, "{lines} lines");
        let pending = list.all();
        assert_eq!(pending.len(), 1);
        drop(list);
        assert_eq!(PendingList::open(&path).unwrap().all(), pending);
    }
}
