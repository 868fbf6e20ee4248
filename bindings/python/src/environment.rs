//! The clients of handles that came out of a pickle: one for each server and key, which all of them share, as they
//! would share the client that they came from.

use crate::session;
use clipia::Clipia;
use pyo3::prelude::*;
use std::sync::{Mutex, PoisonError};

/// Clients kept. A process sees one; one more than these makes the oldest be forgotten, and handles of its generations
/// get another.
const CLIENTS_MAX: usize = 16;

struct Known {
    base_url: String,
    key: Option<String>,
    /// A client of before a fork is of no use after it.
    process: u32,
    clipia: Clipia,
}

static CLIENTS: Mutex<Vec<Known>> = Mutex::new(Vec::new());

/// The client for the server at `base_url` with the key in `CLIPIA_KEY`.
pub(crate) fn client(py: Python<'_>, base_url: &str) -> PyResult<Clipia> {
    let (key, process) = (std::env::var("CLIPIA_KEY").ok(), std::process::id());
    let mut clients = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
    clients.retain(|known| known.process == process);
    if let Some(known) = clients.iter().find(|known| known.base_url == base_url && known.key == key) {
        return Ok(known.clipia.clone());
    }
    let clipia = session::build(py, session::defaults().base_url(base_url))?;
    if clients.len() == CLIENTS_MAX {
        clients.remove(0);
    }
    clients.push(Known { base_url: base_url.to_owned(), key, process, clipia: clipia.clone() });
    Ok(clipia)
}
