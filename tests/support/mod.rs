//! Starts the real program, speaks HTTP to it byte for byte, and receives its webhooks.

mod program;
mod raw;
mod receiver;
mod server;

pub(crate) use program::cargo;
pub(crate) use raw::Raw;
pub(crate) use receiver::Receiver;
pub(crate) use server::{Options, Server};

use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long anything awaited may take before the test fails. Generous: the machine may be busy with other tests, and
/// only a failing test waits this long.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// The top of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}
