//! What a program wrote to its directory `out/`, as the output of a generation.
//!
//! Each file is judged by its content:
//!
//! | the content | becomes |
//! |---|---|
//! | PNG, JPEG, WebP, GIF | one of `images`, with width and height; of a PNG or JPEG there is a smaller WebP rendition |
//! | MP4, QuickTime, WebM or Matroska with a picture | `video`, with size and duration; every further one is one of `files` |
//! | WAV, MP3, Ogg, FLAC, AAC, M4A | `audio`, with its duration; several are `audios` |
//! | the JSON `output.json` | fields of the output |
//! | anything else, and what has no readable header | one of `files` |
//!
//! Files come in natural order: `image-2.png` before `image-10.png`. A file of a directory in `out/` is named after both:
//! `frames/1.png` becomes `frames-1.png`. Files whose name begins with a dot are no output. Only headers are read, so that the
//! memory does not depend on the length of a file.

mod fields;
mod listing;
mod media;
mod naming;
#[cfg(feature = "renditions")]
mod rendition;

use crate::output::{Content, MediaFile, content_type};
use clipia_api::types::{Audio, Image, Output, OutputFile, Video};
use listing::Found;
use media::Media;
use naming::Names;
use serde_json::{Map, Value};
use std::io::{self, Read};
use std::path::Path;

/// The most entries of `out/` and of its directories, hidden ones included.
pub const FILES_MAX: usize = 1_000;

/// How deep `out/` may be: a file of `out/frames` is at the depth 2.
pub const DEPTH_MAX: usize = 2;

/// The most bytes of `output.json`, and of the fields that a program adds to its output.
pub const FIELDS_BYTES_MAX: usize = 1024 * 1024;

/// The file whose fields become fields of the output.
const FIELDS: &str = "output.json";

/// Where fields come from, for messages.
const OF_FILE: &str = "`output.json`";
const OF_EVENT: &str = "`output` event";

/// Why `out/` is no output. The sentences are for the caller.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// Nothing was written.
    #[error("the program made nothing: `out/` has no file with content, and there is no `output.json`")]
    Nothing,
    /// `out/` itself is not a directory any more.
    #[error("`out/` is not a directory: the program replaced it")]
    NoDirectory,
    /// An entry is a symbolic link.
    #[error("`out/{0}` is a symbolic link, which is not followed: write the file itself")]
    Link(String),
    /// A file has a second name.
    #[error("`out/{0}` has a second name, a hard link: write a copy")]
    HardLink(String),
    /// An entry is a FIFO, a socket or a device.
    #[error("`out/{0}` is not a regular file")]
    Special(String),
    /// An entry is too deep.
    #[error("`out/{0}` is too deep: only `out/` and the directories in it may have files")]
    Deep(String),
    /// There are too many entries.
    #[error("`out/` has more than {FILES_MAX} files and directories: write an archive")]
    TooMany,
    /// The files have too many bytes.
    #[error("the files in `out/` have more than {max} bytes, which is `output_bytes_max`")]
    TooLarge {
        /// The most bytes of all files.
        max: u64,
    },
    /// A file was replaced or written to while it was read.
    #[error("`out/{0}` was changed after the program had said that it was done")]
    Changed(String),
    /// A picture cannot be shown.
    #[error("`out/{name}` is a broken picture: {why}")]
    Broken {
        /// The name of the file.
        name: String,
        /// What the decoder says.
        why: String,
    },
    /// The fields of the program are not usable.
    #[error("the program's {by} {why}")]
    Fields {
        /// Where the fields come from: `output.json`, or an event of the program.
        by: &'static str,
        /// What is wrong with them.
        why: String,
    },
    /// The directory cannot be read, most often because this process has no open file left.
    #[error("cannot read `out/`: {0}")]
    Io(#[from] io::Error),
    /// This process is shutting down.
    #[error("the output was not collected: this process is shutting down")]
    Ending,
}

/// The output that the directory `out` contains, and its files, which have at most `bytes_max` bytes together. The fields of
/// `extra` become fields of the output, after those of `output.json`. The files stay where they are: whoever stores them reads
/// them with [`regular::open`](crate::regular::open).
///
/// A field under another name than `images`, `video`, `audio`, `audios` and `files` is added as it is. Under these five names,
/// a program can add fields to the entries of its files, in their order: `{"images": [{"seed": 7}]}`. It can neither add an entry
/// without a file, nor say another URL, size or duration than those of the file.
///
/// # Errors
/// [`CollectError`]. [`CollectError::Io`] and [`CollectError::Ending`] are not the program's fault.
pub async fn collect(
    out: &Path,
    bytes_max: u64,
    extra: Map<String, Value>,
) -> Result<(Output, Vec<MediaFile>), CollectError> {
    // A directory without an entry is read sooner than a thread begins.
    if std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_none()) {
        return gather(out, bytes_max, extra);
    }
    let out = out.to_owned();
    let gathering = tokio::task::spawn_blocking(move || gather(&out, bytes_max, extra));
    gathering.await.unwrap_or(Err(CollectError::Ending))
}

fn gather(
    out: &Path,
    bytes_max: u64,
    extra: Map<String, Value>,
) -> Result<(Output, Vec<MediaFile>), CollectError> {
    let found = listing::list(out, bytes_max)?;
    let (fields, found): (Vec<Found>, Vec<Found>) = found.into_iter().partition(|found| found.name == FIELDS);
    if fields.is_empty() && extra.is_empty() && found.iter().all(|found| found.bytes == 0) {
        return Err(CollectError::Nothing);
    }
    let mut collected = Collected::default();
    for found in found {
        collected.add(out, found)?;
    }
    collected.settle_sounds();
    let mut output = collected.output;
    for found in fields {
        fields::merge(&mut output, read_fields(&found)?, OF_FILE, &collected.places)?;
    }
    fields::merge(&mut output, extra, OF_EVENT, &collected.places)?;
    Ok((output, collected.files))
}

/// The object in `output.json`.
fn read_fields(found: &Found) -> Result<Map<String, Value>, CollectError> {
    let refused = |why: String| CollectError::Fields { by: OF_FILE, why };
    if found.bytes > FIELDS_BYTES_MAX as u64 {
        return Err(refused(format!("has {} bytes, at most {FIELDS_BYTES_MAX} are allowed", found.bytes)));
    }
    let mut text = Vec::new();
    found.open()?.take(FIELDS_BYTES_MAX as u64).read_to_end(&mut text)?;
    match serde_json::from_slice(&text) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(refused("is not a JSON object".to_owned())),
        Err(error) => Err(refused(format!("is not JSON: {error}"))),
    }
}

/// What was collected so far.
#[derive(Default)]
struct Collected {
    output: Output,
    files: Vec<MediaFile>,
    names: Names,
    /// The names of the files in `out/` by their names in the output.
    places: fields::Places,
    #[cfg(feature = "renditions")]
    renditions: usize,
}

impl Collected {
    /// Adds a file to the output.
    fn add(&mut self, out: &Path, found: Found) -> Result<(), CollectError> {
        let mut file = found.open()?;
        let media = media::of(&mut file, found.bytes)?;
        let further_video = matches!(media, Media::Video { .. }) && self.output.video.is_some();
        let name = self.names.take(&found.name, media.extensions());
        match media {
            Media::Picture { width, height, format } => {
                let rendition = self.rendition(out, &found, file, &name, format)?;
                let url = rendition.unwrap_or_else(|| name.clone());
                self.output.images.push(Image {
                    original_url: Some(name.clone()),
                    width: Some(width),
                    height: Some(height),
                    ..Image::at(url)
                });
            }
            Media::Video { width, height, duration, .. } if !further_video => {
                self.output.video = Some(Video {
                    original_url: Some(name.clone()),
                    width,
                    height,
                    duration,
                    ..Video::at(name.clone())
                });
            }
            Media::Audio { duration, extensions } => {
                let format = extensions.first().map(|extension| (*extension).to_owned());
                let duration = duration.map(|duration| ("duration".to_owned(), Value::from(duration)));
                let extra = duration.into_iter().collect();
                self.output.audios.push(Audio { url: name.clone(), format, extra });
            }
            Media::Video { .. } | Media::Other => self.output.files.push(OutputFile {
                url: name.clone(),
                file_name: Some(name.clone()),
                content_type: Some(content_type(&name).to_owned()),
                file_size: Some(found.bytes),
                extra: Map::new(),
            }),
        }
        self.places.insert(name.clone(), found.name);
        self.files.push(MediaFile { name, content: Content::File { path: found.path, bytes: found.bytes } });
        Ok(())
    }

    /// One sound is `audio`, and several are `audios`.
    fn settle_sounds(&mut self) {
        if self.output.audios.len() == 1 {
            self.output.audio = self.output.audios.pop();
        }
    }

    /// Makes the rendition of a picture, and returns its name. None where the picture itself is for display.
    #[cfg(feature = "renditions")]
    fn rendition(
        &mut self,
        out: &Path,
        found: &Found,
        file: std::fs::File,
        name: &str,
        format: media::Picture,
    ) -> Result<Option<String>, CollectError> {
        if !format.has_rendition() || self.renditions == rendition::RENDITIONS_MAX {
            return Ok(None);
        }
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let rendition = self.names.take(&format!("{stem}.webp"), &["webp"]);
        let path = out.join(format!(".{rendition}"));
        let Some(bytes) = rendition::write(file, found, &path)? else {
            self.names.give_back(&rendition);
            return Ok(None);
        };
        self.renditions += 1;
        self.files.push(MediaFile { name: rendition.clone(), content: Content::File { path, bytes } });
        Ok(Some(rendition))
    }

    /// Without an encoder, every picture is for display itself.
    #[cfg(not(feature = "renditions"))]
    fn rendition(
        &mut self,
        _: &Path,
        _: &Found,
        _: std::fs::File,
        _: &str,
        _: media::Picture,
    ) -> Result<Option<String>, CollectError> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
