//! Starts the real program, speaks HTTP to it byte for byte, receives its webhooks, and holds its answers
//! against the spec.

mod program;
mod raw;
mod receiver;
mod schema;
mod server;

pub(crate) use program::{cargo, command, example, output, output_on_terminal};
pub(crate) use raw::{Answer, Raw};
pub(crate) use receiver::{Delivery, Receiver};
pub(crate) use schema::Spec;
pub(crate) use server::{Options, Server, Stderr};

use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long anything awaited may take before the test fails. Generous: the machine may be busy with other tests, and
/// only a failing test waits this long.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// The top of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// What `probe` finds, asked again until it finds something.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut probe: impl FnMut() -> F) -> T {
    let polling = async {
        loop {
            if let Some(found) = probe().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, polling)
        .await
        .unwrap_or_else(|_| panic!("{what}: not within {DEADLINE:?}"))
}
