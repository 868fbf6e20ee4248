//! Renditions of pictures, for display.

use super::CollectError;
use super::listing::Found;
use clipia_render::{NoRendition, SOURCE_BYTES_MAX, rendition};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// The most pictures of an output that get a rendition.
pub(super) const RENDITIONS_MAX: usize = 64;

/// Held while a picture is decoded and encoded, which takes up to [`clipia_render::SOURCE_MEMORY_MAX`] of memory.
static ONE_AT_ONCE: Mutex<()> = Mutex::new(());

/// Writes the rendition of a picture to the new file `to`; returns its length. None where the picture has none: it is too large to be
/// decoded, or there is no room for another file.
///
/// # Errors
/// [`CollectError::Broken`] if the picture cannot be decoded.
pub(super) fn write(mut picture: File, found: &Found, to: &Path) -> Result<Option<u64>, CollectError> {
    if found.bytes > SOURCE_BYTES_MAX as u64 {
        return Ok(None);
    }
    let _one = ONE_AT_ONCE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut encoded = Vec::new();
    (&mut picture).take(SOURCE_BYTES_MAX as u64).read_to_end(&mut encoded)?;
    let webp = match rendition(&encoded) {
        Ok(webp) => webp,
        Err(NoRendition::Broken(why)) => return Err(CollectError::Broken { name: found.name.clone(), why }),
        Err(NoRendition::Cost(_) | NoRendition::Unsuited(_)) => return Ok(None),
    };
    match write_new(to, &webp) {
        Ok(()) => Ok(Some(webp.len() as u64)),
        // The picture itself is enough.
        Err(_) => Ok(None),
    }
}

fn write_new(to: &Path, webp: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(to)?;
    file.write_all(webp).inspect_err(|_| drop(fs::remove_file(to)))
}
