//! How to reach the administration of a running server.

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::{fmt, io};

/// How to reach the administration of a running server.
#[derive(Clone, Serialize, Deserialize)]
pub struct Access {
    /// Where it listens.
    pub url: String,
    /// What it takes as `Authorization: Bearer`.
    pub token: String,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Access {
    /// New access to an administration that listens at `address`.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { url: format!("http://{address}"), token: hex::encode(rand::random::<[u8; 32]>()) }
    }

    fn path(data: &Path) -> PathBuf {
        data.join("admin.json")
    }

    /// The access to the server that runs on the directory `data`.
    ///
    /// # Errors
    /// If none runs there, or the file is another user's.
    pub fn read(data: &Path) -> io::Result<Self> {
        serde_json::from_slice(&std::fs::read(Self::path(data))?).map_err(io::Error::other)
    }

    /// Writes the file, for its owner's eyes.
    pub(crate) fn write(&self, data: &Path) -> io::Result<()> {
        let path = Self::path(data);
        let text = serde_json::to_vec(self).map_err(io::Error::other)?;
        Self::remove(data);
        io::Write::write_all(&mut crate::private::create_new(&path)?, &text)
    }

    /// Removes the file, if it is there.
    pub(crate) fn remove(data: &Path) {
        let _ = std::fs::remove_file(Self::path(data));
    }
}
