//! How to reach the administration of a running server.

use crate::Secret;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// How to reach the administration of a running server. The server writes it to a file of its data directory, which only its
/// user can read: whoever can read it runs the server anyway.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Access {
    /// Where the administration listens, such as `http://127.0.0.1:43210`.
    pub url: String,
    /// What it takes as `Authorization: Bearer`.
    pub token: Secret,
}

impl Access {
    /// The name of the file.
    pub const FILE: &str = "admin.json";

    /// The path of the file in the data directory `data`.
    pub fn path(data: &Path) -> PathBuf {
        data.join(Self::FILE)
    }

    /// The access to the server that runs on the directory `data`.
    ///
    /// # Errors
    /// If no server runs there, or the file is another user's.
    pub fn read(data: &Path) -> io::Result<Self> {
        serde_json::from_slice(&std::fs::read(Self::path(data))?).map_err(io::Error::other)
    }
}
