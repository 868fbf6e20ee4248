//! The server that `clipia serve --dev` runs, for the commands in its directory: they need no variables.

use crate::whole_file;
use anyhow::Context;
use clipia_admin::Secret;
use clipia_server::{Config, Service};
use serde::{Deserialize, Serialize};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the server may take to accept a connection: it is on this machine.
const ANSWERS_WITHIN: Duration = Duration::from_millis(300);

/// The address of the server and its first live key.
pub(crate) struct DevServer {
    pub(crate) url: String,
    pub(crate) key: Secret,
}

/// The content of the file, which only its owner may read.
#[derive(Deserialize, Serialize)]
struct Kept {
    base_url: String,
    key: String,
}

impl DevServer {
    /// The server whose data directory is in this directory, if it runs.
    pub(crate) fn here() -> Option<Self> {
        let kept = read(Path::new(Config::DATA))?;
        let url: reqwest::Url = kept.base_url.parse().ok()?;
        let addresses = (url.host_str()?, url.port_or_known_default()?).to_socket_addrs().ok()?;
        let runs = addresses.into_iter().any(|at| TcpStream::connect_timeout(&at, ANSWERS_WITHIN).is_ok());
        runs.then(|| Self { url: kept.base_url, key: kept.key.into() })
    }

    /// Keeps the address of a server with `--dev`, and at its first start the key, in the data directory.
    pub(crate) fn keep(service: &Service, data: &Path) -> anyhow::Result<()> {
        let key = service.first_keys().map(|keys| keys.live_key.clone()).or_else(|| Some(read(data)?.key));
        let Some(key) = key else { return Ok(()) };
        let kept = Kept { base_url: service.url().to_owned(), key };
        whole_file::write_private(&path(data), &serde_json::to_vec(&kept)?)
            .context("keeping the key for the commands in this directory")
    }
}

fn path(data: &Path) -> PathBuf {
    data.join("dev-client.json")
}

/// What is kept; nothing if the file is missing or is none of ours.
fn read(data: &Path) -> Option<Kept> {
    serde_json::from_slice(&std::fs::read(path(data)).ok()?).ok()
}
