//! What a program left in its output directory.

use crate::output::{Content, MediaFile};
use clipia_api::types::{Image, Output};
use serde_json::{Map, Value};
use std::path::Path;

/// Why there is no output.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// There is nothing.
    #[error("the program made nothing")]
    Nothing,
}

/// The output of a program, from the files in `out`.
///
/// # Errors
/// [`CollectError`] says why there is none.
pub async fn collect(
    out: &Path,
    _bytes_max: u64,
    extra: Map<String, Value>,
) -> Result<(Output, Vec<MediaFile>), CollectError> {
    let (mut output, mut files) = (Output { extra, ..Output::default() }, Vec::new());
    for entry in std::fs::read_dir(out).into_iter().flatten().flatten() {
        let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
        let bytes = entry.metadata().map_or(0, |metadata| metadata.len());
        output.images.push(Image::at(name.clone()));
        files.push(MediaFile { name, content: Content::File { path, bytes } });
    }
    if files.is_empty() && output.extra.is_empty() { Err(CollectError::Nothing) } else { Ok((output, files)) }
}
