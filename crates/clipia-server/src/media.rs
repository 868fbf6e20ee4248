//! The files that generations make.
//!
//! A file is at `media/{request}/{secret}/{name}` below the data directory and at the same path of the server. The
//! secret is random: who knows an id cannot guess the address of its files.

use clipia_api::types::{Audio, Image, Output, Video};
use clipia_queue::RequestId;
use serde_json::{Map, Value};
use std::io;
use std::path::{Path, PathBuf};

/// Where media are served.
pub const PATH: &str = "/media";

/// A file to keep.
pub struct MediaFile {
    /// Its name, such as `image-1.png`.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// The directory of media.
#[derive(Clone, Debug)]
pub struct MediaStore {
    directory: PathBuf,
}

impl MediaStore {
    /// Media below `data`.
    ///
    /// # Errors
    /// If the directory cannot be made.
    pub fn open(data: &Path) -> io::Result<Self> {
        let directory = data.join("media");
        std::fs::create_dir_all(&directory)?;
        Ok(Self { directory })
    }

    /// Where the files are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Keeps the files of a request, on the disk before it returns, and tells the path of their directory on the server.
    ///
    /// # Errors
    /// If they cannot be written.
    pub async fn keep(&self, id: RequestId, files: Vec<MediaFile>) -> io::Result<String> {
        let secret = hex::encode(rand::random::<[u8; 16]>());
        self.keep_at(format!("{id}/{secret}"), files).await
    }

    /// Keeps files in a directory of a name that everybody may know.
    ///
    /// # Errors
    /// If they cannot be written.
    pub async fn keep_at(&self, below: String, files: Vec<MediaFile>) -> io::Result<String> {
        let directory = self.directory.join(&below);
        let written = tokio::task::spawn_blocking(move || write(&directory, &files));
        written.await.map_err(io::Error::other)??;
        Ok(format!("{PATH}/{below}"))
    }

    /// The file of this server that `url` names, if `url` is one below `base_url`.
    pub fn own_file(&self, url: &str, base_url: &str) -> Option<PathBuf> {
        let below = url.strip_prefix(base_url)?.strip_prefix(PATH)?.strip_prefix('/')?;
        let plain = |part: &str| {
            !part.is_empty()
                && part != ".."
                && part != "."
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        below.split('/').all(plain).then(|| self.directory.join(below))
    }
}

/// The address of the image that an input starts from, where it has to be fetched: it is neither in the address itself
/// nor, by its beginning, a file of this server.
pub fn source_elsewhere<'a>(input: &'a Map<String, Value>, base_url: &str) -> Option<&'a str> {
    let url = input.get("image_url")?.as_str()?;
    let here = url.starts_with("data:")
        || url
            .strip_prefix(base_url)
            .and_then(|path| path.strip_prefix(PATH))
            .is_some_and(|path| path.starts_with('/'));
    (!here).then_some(url)
}

fn write(directory: &Path, files: &[MediaFile]) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    for file in files {
        let path = directory.join(&file.name);
        std::fs::write(&path, &file.bytes)?;
        std::fs::File::open(&path)?.sync_all()?;
    }
    std::fs::File::open(directory)?.sync_all()
}

/// `output` with every path of this server made an address under `base_url`.
pub fn absolute(output: Output, base_url: &str) -> Output {
    with_urls(output, |url| {
        if url.starts_with('/') {
            url.insert_str(0, base_url);
        }
    })
}

/// `output`, whose URLs are names of files, with the files at `directory`.
pub fn placed(output: Output, directory: &str) -> Output {
    with_urls(output, |name| *name = format!("{directory}/{name}"))
}

fn with_urls(mut output: Output, mut change: impl FnMut(&mut String)) -> Output {
    for Image { url, original_url, .. } in &mut output.images {
        change(url);
        original_url.iter_mut().for_each(&mut change);
    }
    if let Some(Video { url, original_url, .. }) = &mut output.video {
        change(url);
        original_url.iter_mut().for_each(&mut change);
    }
    for Audio { url, .. } in output.audio.iter_mut().chain(&mut output.audios) {
        change(url);
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_files_are_own() {
        let media = MediaStore { directory: PathBuf::from("data/media") };
        let own = |url| media.own_file(url, "http://localhost:80");
        assert_eq!(own("http://localhost:80/media/a/b/c.png"), Some(PathBuf::from("data/media/a/b/c.png")));
        for url in [
            "http://localhost:80/media/../clipia.db",
            "http://localhost:80/media/a/../../clipia.db",
            "http://localhost:80/media/%2e%2e/clipia.db",
            "http://localhost:80/media//etc/passwd",
            "http://localhost:80/v1/models",
            "http://other/media/a/b/c.png",
        ] {
            assert_eq!(own(url), None, "{url}");
        }
    }

    #[test]
    fn what_is_absolute_stays() {
        let mut output = Output::default();
        output.images.push(Image::at("/media/a.webp".into()));
        output.images.push(Image::at("https://elsewhere/a.webp".into()));
        let urls: Vec<String> =
            absolute(output, "http://here").images.into_iter().map(|image| image.url).collect();
        assert_eq!(urls, ["http://here/media/a.webp", "https://elsewhere/a.webp"]);
    }
}
