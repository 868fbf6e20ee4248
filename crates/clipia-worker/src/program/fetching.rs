//! The files of an input: what its parameters name by URL is fetched before the program runs.

use super::directory::JobDirectory;
use crate::executor::JobError;
use crate::inputs::Inputs;
use crate::job::Job;
use clipia_queue::input::FILE_TYPES;
use serde_json::{Value, json};
use std::io;
use std::path::{Path, PathBuf};

/// The most bytes of all files of one input.
const INPUT_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// The most files of one input.
const INPUT_FILES_MAX: usize = 64;

/// The longest extension of a file's name that is taken over from a URL, in bytes.
const EXTENSION_BYTES_MAX: usize = 5;

/// The extensions of media types. Programs choose a decoder by them.
const EXTENSIONS: [(&str, &str); 16] = [
    ("image/png", "png"),
    ("image/jpeg", "jpg"),
    ("image/webp", "webp"),
    ("image/gif", "gif"),
    ("image/avif", "avif"),
    ("image/bmp", "bmp"),
    ("image/tiff", "tiff"),
    ("video/mp4", "mp4"),
    ("video/webm", "webm"),
    ("video/quicktime", "mov"),
    ("audio/mpeg", "mp3"),
    ("audio/wav", "wav"),
    ("audio/x-wav", "wav"),
    ("audio/ogg", "ogg"),
    ("audio/flac", "flac"),
    ("audio/mp4", "m4a"),
];

/// Whether a file of the input is on another host.
pub(super) fn is_elsewhere(job: &Job, inputs: &dyn Inputs) -> bool {
    files(job).iter().any(|(_, urls)| urls.list().iter().any(|url| inputs.is_elsewhere(job, url)))
}

/// Fetches the files of the input into the job's directory. The job's input names them by their paths afterwards.
///
/// # Errors
/// As [`Inputs::fetch`], and [`JobError::Failed`] for too many files.
pub(super) async fn fetch(
    job: &mut Job,
    inputs: &dyn Inputs,
    directory: &JobDirectory,
) -> Result<(), JobError> {
    let files = files(job);
    if files.iter().map(|(_, urls)| urls.list().len()).sum::<usize>() > INPUT_FILES_MAX {
        return Err(JobError::Failed(format!("an input may have {INPUT_FILES_MAX} files")));
    }
    let mut room = INPUT_BYTES_MAX;
    for (parameter, urls) in files {
        let mut paths = Vec::new();
        for (number, url) in (1..).zip(urls.list()) {
            let name = match urls {
                Urls::One(_) => safe(&parameter),
                Urls::Many(_) => format!("{}-{number}", safe(&parameter)),
            };
            let path =
                fetch_one(job, inputs, (&parameter, url), &directory.input().join(name), &mut room).await?;
            paths.push(path.to_string_lossy().into_owned());
        }
        let value = match urls {
            Urls::One(_) => json!(paths.pop()),
            Urls::Many(_) => json!(paths),
        };
        job.input.insert(parameter, value);
    }
    Ok(())
}

async fn fetch_one(
    job: &Job,
    inputs: &dyn Inputs,
    (parameter, url): (&str, &str),
    to: &Path,
    room: &mut u64,
) -> Result<PathBuf, JobError> {
    let media_type = inputs.fetch(job, parameter, url, to, *room).await?;
    let extension = media_type.as_deref().and_then(extension_of).or_else(|| extension_in(url));
    let path = extension.map_or_else(|| to.to_path_buf(), |extension| to.with_extension(extension));
    let kept = std::fs::rename(to, &path).and_then(|()| std::fs::metadata(&path));
    let kept =
        kept.map_err(|error: io::Error| JobError::Unavailable(format!("cannot keep an input: {error}")))?;
    *room = room.saturating_sub(kept.len());
    Ok(path)
}

/// The URLs of a parameter.
enum Urls {
    One(String),
    Many(Vec<String>),
}

impl Urls {
    fn list(&self) -> &[String] {
        match self {
            Self::One(url) => std::slice::from_ref(url),
            Self::Many(urls) => urls,
        }
    }
}

/// The parameters that name files.
fn files(job: &Job) -> Vec<(String, Urls)> {
    let parameters = job.model.input_schema.iter().flat_map(|schema| &schema.parameters);
    let files = parameters.filter(|parameter| FILE_TYPES.contains(&parameter.type_.as_str()));
    let urls = |value: &Value| match value {
        Value::String(url) => Some(Urls::One(url.clone())),
        Value::Array(urls) => {
            let urls: Option<Vec<String>> = urls.iter().map(|url| url.as_str().map(str::to_owned)).collect();
            urls.map(Urls::Many)
        }
        _ => None,
    };
    files
        .filter_map(|parameter| Some((parameter.name.clone(), urls(job.input.get(&parameter.name)?)?)))
        .collect()
}

/// A parameter's name as the name of a file.
fn safe(parameter: &str) -> String {
    let safe = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-');
    parameter.chars().map(|char| if safe(char) { char } else { '_' }).collect()
}

fn extension_of(media_type: &str) -> Option<&str> {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    EXTENSIONS.iter().find(|(name, _)| *name == essence).map(|(_, extension)| *extension)
}

/// The extension of the last part of a URL's path.
fn extension_in(url: &str) -> Option<&str> {
    if url.starts_with("data:") {
        return None;
    }
    let path = url.split(['?', '#']).next()?;
    let (_, extension) = path.rsplit('/').next()?.rsplit_once('.')?;
    let is_plain = (1..=EXTENSION_BYTES_MAX).contains(&extension.len())
        && extension.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_plain.then_some(extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_by_its_type_and_else_by_its_url() {
        assert_eq!(extension_of("image/JPEG; q=1"), Some("jpg"));
        assert_eq!(extension_of("application/zip"), None);
        for (url, extension) in [
            ("https://a.example/b/fox.PNG?x=1.gif", Some("PNG")),
            ("https://a.example/b.c/fox", None),
            ("https://a.example/fox.", None),
            ("https://a.example/fox.x/../..", None),
            ("https://a.example/fox.verylong", None),
            ("data:image/png;base64,AA.png", None),
        ] {
            assert_eq!(extension_in(url), extension, "{url}");
        }
        assert_eq!(safe("../a b"), "___a_b");
    }
}
