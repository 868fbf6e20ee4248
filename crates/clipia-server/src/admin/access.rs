//! The file that tells how to reach the administration of a running server.

use clipia_admin::{Access, Secret};
use std::io;
use std::net::SocketAddr;
use std::path::Path;

/// New access to an administration that listens at `address`.
pub(crate) fn new(address: SocketAddr) -> Access {
    let token = hex::encode(rand::random::<[u8; 32]>());
    Access { url: format!("http://{address}"), token: Secret::from(token) }
}

/// Writes the file to the data directory, for its owner's eyes.
pub(crate) fn write(access: &Access, data: &Path) -> io::Result<()> {
    let text = serde_json::to_vec(access).map_err(io::Error::other)?;
    remove(data);
    io::Write::write_all(&mut crate::private::create_new(&Access::path(data))?, &text)
}

/// Removes the file from the data directory, if it is there.
pub(crate) fn remove(data: &Path) {
    let _ = std::fs::remove_file(Access::path(data));
}
