//! A generation of the SDK with the client that can renew it in a forked process.

use crate::process_client::ProcessClient;
use clipia::{Error, Generation};
use std::ops::Deref;
use std::sync::Arc;

/// A generation of the SDK, and the client that made it.
#[derive(Clone)]
pub(crate) struct Live {
    generation: Generation,
    client: Arc<ProcessClient>,
    /// The id of the process whose connections `generation` has.
    process: u32,
}

impl Live {
    /// A generation of the client in this process.
    pub(crate) fn new(client: Arc<ProcessClient>, generation: Generation) -> Self {
        Self { generation, client, process: std::process::id() }
    }

    /// Whether its connections are those of the calling process.
    pub(crate) fn is_of_this_process(&self) -> bool {
        self.process == std::process::id()
    }

    /// The same generation with the client of the calling process.
    pub(crate) fn in_this_process(&self) -> Result<Self, Error> {
        if self.is_of_this_process() {
            return Ok(self.clone());
        }
        let generation = self.client.clipia()?.resume(self.generation.saved());
        Ok(Self::new(self.client.clone(), generation))
    }
}

impl Deref for Live {
    type Target = Generation;

    fn deref(&self) -> &Generation {
        &self.generation
    }
}
