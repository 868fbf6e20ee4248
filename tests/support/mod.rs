//! Support for the tests: starts the real program, calls it over HTTP, receives its webhooks, and checks its responses against
//! the spec.

mod agent;
mod emulator;
mod program;
mod proxy;
mod raw;
mod receiver;
pub(crate) mod s3;
mod schema;
mod server;
mod serving;
mod worker;

pub(crate) use agent::{Able, Agent, REVISIONS, metadata};
pub(crate) use emulator::Emulator;
pub(crate) use program::{cargo, command, example, output, output_on_terminal};
pub(crate) use proxy::{Faults, Proxy};
pub(crate) use raw::{Raw, Response};
pub(crate) use receiver::{Delivery, Receiver};
pub(crate) use schema::Spec;
pub(crate) use server::{Options, Server, Stderr};
pub(crate) use worker::{Worker, worker_token, write_warm_program};

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

/// The longest wait of a test for anything. It is long because the machine may be busy, and only a failing test waits so long.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

/// The top of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// The memory peak of a process, in MiB; 0 if the system does not report it.
fn memory_peak(process: &Child) -> u64 {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{}/status", process.id())) else { return 0 };
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")).unwrap();
    kilobytes.parse::<u64>().unwrap() / 1024
}

/// Calls `probe` until it returns a value.
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
