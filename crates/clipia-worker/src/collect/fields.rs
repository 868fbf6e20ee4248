//! The fields that a program adds to its output.

use super::{CollectError, FIELDS_BYTES_MAX};
use clipia_api::types::Output;
use serde_json::{Map, Value};
use std::collections::HashMap;

/// The names of the files in `out/`, by their names in the output.
pub(super) type Places = HashMap<String, String>;

/// The fields of an entry that say what its file is. The file decides them.
const OF_THE_FILE: [&str; 9] = [
    "url",
    "original_url",
    "width",
    "height",
    "duration",
    "format",
    "file_name",
    "content_type",
    "file_size",
];

/// Merges fields into the output. A field replaces one of the same name that a program added before.
///
/// # Errors
/// [`CollectError::Fields`] if the fields name a file that is not in `out/`, or are too large.
pub(super) fn merge(
    output: &mut Output,
    fields: Map<String, Value>,
    by: &'static str,
    places: &Places,
) -> Result<(), CollectError> {
    let mut merged = Ok(());
    for (key, value) in fields {
        let done = match key.as_str() {
            "images" => entries(
                value,
                output.images.iter_mut().map(|image| {
                    (image.original_url.as_ref().unwrap_or(&image.url).clone(), &mut image.extra)
                }),
                places,
            ),
            "video" => {
                entry(value, output.video.as_mut().map(|video| (video.url.clone(), &mut video.extra)), places)
            }
            "audio" => {
                entry(value, output.audio.as_mut().map(|audio| (audio.url.clone(), &mut audio.extra)), places)
            }
            "audios" => entries(
                value,
                output.audios.iter_mut().map(|audio| (audio.url.clone(), &mut audio.extra)),
                places,
            ),
            "files" => entries(
                value,
                output.files.iter_mut().map(|file| (file.url.clone(), &mut file.extra)),
                places,
            ),
            _ => {
                output.extra.insert(key, value);
                continue;
            }
        };
        merged =
            merged.and(done.map_err(|why| CollectError::Fields { by, why: format!("says `{key}`, {why}") }));
    }
    merged?;
    let bytes = serde_json::to_vec(output).map_or(usize::MAX, |json| json.len());
    if bytes > FIELDS_BYTES_MAX {
        let why = format!("makes the output too large: at most {FIELDS_BYTES_MAX} bytes of JSON are allowed");
        return Err(CollectError::Fields { by, why });
    }
    Ok(())
}

/// The name of an entry's file in the output, and the entry's fields.
type Target<'o> = (String, &'o mut Map<String, Value>);

/// Merges a list into the entries of a list, one by one.
fn entries<'o>(
    value: Value,
    mut targets: impl Iterator<Item = Target<'o>>,
    places: &Places,
) -> Result<(), String> {
    match value {
        Value::Null => Ok(()),
        Value::Array(values) => values.into_iter().try_for_each(|value| entry(value, targets.next(), places)),
        _ => Err("which is not a list".to_owned()),
    }
}

/// Merges an object into an entry.
fn entry(value: Value, target: Option<Target<'_>>, places: &Places) -> Result<(), String> {
    let fields = match value {
        Value::Null => return Ok(()),
        Value::Object(fields) => fields,
        _ => return Err("with an entry that is not an object".to_owned()),
    };
    let (name, target) = target.ok_or("of which `out/` has no file")?;
    for (key, value) in fields {
        match key.as_str() {
            // A program may repeat the name of the file; any other URL would not lead to it.
            "url" | "original_url" => {
                let same = value
                    .as_str()
                    .is_some_and(|url| url == name || places.get(&name).is_some_and(|place| place == url));
                if !same {
                    return Err(format!("with `{key}` {value}, which is not that of the file: leave it out"));
                }
            }
            key if OF_THE_FILE.contains(&key) => {}
            _ => {
                target.insert(key, value);
            }
        }
    }
    Ok(())
}
