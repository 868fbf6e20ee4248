//! Which errors of a command are failures of the store.

use super::command::Refusal;
use crate::store::{GrantRefused, KeepRefused, StoreError, SubmitRefused, WorkRefused, WorkerRefused};

pub(crate) use clipia_store::sqlite_faults::fault;

impl Refusal for StoreError {
    fn failure(&self) -> Option<&StoreError> {
        Some(self)
    }
}

impl Refusal for GrantRefused {
    fn failure(&self) -> Option<&StoreError> {
        if let Self::Store(error) = self { Some(error) } else { None }
    }
}

impl Refusal for KeepRefused {
    fn failure(&self) -> Option<&StoreError> {
        if let Self::Store(error) = self { Some(error) } else { None }
    }
}

impl Refusal for SubmitRefused {
    fn failure(&self) -> Option<&StoreError> {
        if let Self::Store(error) = self { Some(error) } else { None }
    }
}

impl Refusal for WorkRefused {
    fn failure(&self) -> Option<&StoreError> {
        if let Self::Store(error) = self { Some(error) } else { None }
    }
}

impl Refusal for WorkerRefused {
    fn failure(&self) -> Option<&StoreError> {
        if let Self::Store(error) = self { Some(error) } else { None }
    }
}
