//! The clients of handles from pickles. There is one for each server and key, which all these handles share, as they
//! would share the client that made them.

use crate::exceptions::raise;
use crate::process_client::ProcessClient;
use crate::session;
use pyo3::prelude::*;
use std::ffi::OsString;
use std::sync::{Arc, Mutex, PoisonError};

/// Clients that are kept. A process normally has one. A further one replaces the oldest, whose generations get a new
/// client.
const CLIENTS_MAX: usize = 16;

struct KeptClient {
    base_url: String,
    variables: Variables,
    /// The id of the process, because a client is of no use in a forked process.
    process: u32,
    client: Arc<ProcessClient>,
}

/// The environment variables that such a client depends on.
const VARIABLES: [&str; 3] = ["CLIPIA_KEY", "CLIPIA_API_KEY", "CLIPIA_ALLOW_HTTP"];
type Variables = [Option<OsString>; VARIABLES.len()];

static CLIENTS: Mutex<Vec<KeptClient>> = Mutex::new(Vec::new());

/// The client for the server at `base_url` with the key of the environment.
pub(crate) fn client(py: Python<'_>, base_url: &str) -> PyResult<Arc<ProcessClient>> {
    let (variables, process) = (VARIABLES.map(std::env::var_os), std::process::id());
    let mut clients = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
    clients.retain(|kept| kept.process == process);
    if let Some(kept) = clients.iter().find(|kept| kept.base_url == base_url && kept.variables == variables) {
        return Ok(kept.client.clone());
    }
    let settings = session::defaults().base_url(base_url);
    let client = ProcessClient::new(settings, None).map_err(|error| raise(py, error))?;
    if clients.len() == CLIENTS_MAX {
        clients.remove(0);
    }
    clients.push(KeptClient { base_url: base_url.to_owned(), variables, process, client: client.clone() });
    Ok(client)
}
