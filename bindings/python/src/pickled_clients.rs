//! The clients of handles that came out of a pickle: one for each server and key, which all of them share, as they
//! would share the client that they came from.

use crate::session;
use clipia::Clipia;
use pyo3::prelude::*;
use std::ffi::OsString;
use std::sync::{Mutex, PoisonError};

/// Clients kept. A process sees one; one more than these makes the oldest be forgotten, and handles of its generations
/// get another.
const CLIENTS_MAX: usize = 16;

struct Known {
    base_url: String,
    variables: Variables,
    /// A client of before a fork is of no use after it.
    process: u32,
    clipia: Clipia,
}

/// The environment variables that a client here depends on.
const VARIABLES: [&str; 3] = ["CLIPIA_KEY", "CLIPIA_API_KEY", "CLIPIA_ALLOW_HTTP"];
type Variables = [Option<OsString>; VARIABLES.len()];

static CLIENTS: Mutex<Vec<Known>> = Mutex::new(Vec::new());

/// The client for the server at `base_url` with the key of the environment.
pub(crate) fn client(py: Python<'_>, base_url: &str) -> PyResult<Clipia> {
    let (variables, process) = (VARIABLES.map(std::env::var_os), std::process::id());
    let mut clients = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
    clients.retain(|known| known.process == process);
    if let Some(known) =
        clients.iter().find(|known| known.base_url == base_url && known.variables == variables)
    {
        return Ok(known.clipia.clone());
    }
    let clipia = session::build(py, session::defaults().base_url(base_url))?;
    if clients.len() == CLIENTS_MAX {
        clients.remove(0);
    }
    clients.push(Known { base_url: base_url.to_owned(), variables, process, clipia: clipia.clone() });
    Ok(clipia)
}
