//! A client of the SDK, and those that replace it in forked processes.

use clipia::{Builder, Clipia, Error};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// A client of the SDK, and in a forked process a new one with the same settings: neither threads nor connections survive a
/// fork.
pub(crate) struct ProcessClient {
    /// The settings of the client, without a file: only one client may use a file.
    settings: Builder,
    /// The id of the process that made this.
    process: u32,
    clipia: Clipia,
    /// The client of another process, with the id of the process. It is locked only by a thread that has the GIL. A thread that
    /// forks has the GIL, too, so a forked process finds it unlocked.
    forked: Mutex<Option<(u32, Clipia)>>,
}

impl ProcessClient {
    pub(crate) fn new(settings: Builder, pending_file: Option<PathBuf>) -> Result<Arc<Self>, Error> {
        let builder = settings.clone();
        let builder = match pending_file {
            Some(file) => builder.pending_file(file),
            None => builder,
        };
        let clipia = builder.build()?;
        Ok(Arc::new(Self { settings, process: std::process::id(), clipia, forked: Mutex::default() }))
    }

    /// The client of the calling process.
    pub(crate) fn clipia(&self) -> Result<Clipia, Error> {
        let process = std::process::id();
        if self.process == process {
            return Ok(self.clipia.clone());
        }
        let mut forked = self.forked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, clipia)) = forked.as_ref().filter(|(of, _)| *of == process) {
            return Ok(clipia.clone());
        }
        let clipia = self.settings.clone().build()?;
        // The client of another process is not dropped, because its connections are in use there.
        std::mem::forget(forked.replace((process, clipia.clone())));
        Ok(clipia)
    }
}
