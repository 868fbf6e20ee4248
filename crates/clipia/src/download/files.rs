//! The files of an output, and the name of each without its extension.

use super::extension::Description;
use clipia_api::types::{Output, RequestId};
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};

/// Files that are saved under keys that this version does not know. More than these are a mistake or an attack.
const UNKNOWN_MAX: usize = 1000;

/// Levels below its key on which such a file is found.
const DEPTH_MAX: usize = 8;

/// Characters of a key, and of an id, in a name.
const KEY_MAX: usize = 32;
const ID_MAX: usize = 64;

/// One file of a result.
#[derive(Debug, PartialEq)]
pub(super) struct File<'a> {
    kind: String,
    /// The number of the file within its kind, from 1.
    number: usize,
    pub(super) url: &'a str,
    /// Whether the file is a rendition, and the original is another file.
    rendition: bool,
    pub(super) description: Description<'a>,
}

impl File<'_> {
    /// The name without the extension: letters, digits and hyphens. The extension depends on the host.
    pub(super) fn stem(&self, id: &RequestId) -> String {
        let rendition = if self.rendition { "-rendition" } else { "" };
        let id = match safe(id.as_str(), ID_MAX) {
            id if id.is_empty() => "generation".to_owned(),
            id => id,
        };
        format!("{id}-{}-{}{rendition}", self.kind, self.number)
    }

    /// Whether the file is an image, a clip or a sound, which is never a page of text.
    pub(super) fn is_media(&self) -> bool {
        matches!(self.kind.as_str(), "image" | "video" | "audio")
    }
}

/// The files of an output.
#[derive(Debug, Default)]
pub(super) struct Files<'a> {
    /// The files that this version knows, in the output's order, and after them the others.
    pub(super) all: Vec<File<'a>>,
    /// The number of files that this version knows.
    pub(super) known: usize,
    /// Whether the output has more files than are saved.
    pub(super) more: bool,
    renditions: bool,
    /// The URLs of all files, and the number of files of each kind. An output may have tens of thousands.
    urls: HashSet<&'a str>,
    numbers: HashMap<String, usize>,
}

/// Every file of an output. The original goes before the rendition, unless `renditions` are wanted. `unread` is the
/// value of an output that could not be parsed.
pub(super) fn of<'a>(output: &'a Output, unread: Option<&'a Value>, renditions: bool) -> Files<'a> {
    let mut files = Files { renditions, ..Files::default() };
    for image in &output.images {
        files.add("image", Some(&image.url), image.original_url.as_deref(), description(&image.extra));
    }
    if let Some(video) = &output.video {
        files.add("video", Some(&video.url), video.original_url.as_deref(), description(&video.extra));
    }
    for audio in output.audio.iter().chain(&output.audios) {
        let description = Description { format: audio.format.as_deref(), ..description(&audio.extra) };
        files.add("audio", Some(&audio.url), None, description);
    }
    for file in &output.files {
        let described = Description {
            name: file.file_name.as_deref(),
            content_type: file.content_type.as_deref(),
            ..description(&file.extra)
        };
        files.add("file", Some(&file.url), text(&file.extra, "original_url"), described);
    }
    files.known = files.all.len();
    for (key, value) in &output.extra {
        files.add_unknown(&kind(key), value, 0);
    }
    if let Some(unread) = unread {
        files.add_unknown("output", unread, 0);
    }
    files
}

impl<'a> Files<'a> {
    fn add(
        &mut self,
        kind: &str,
        url: Option<&'a str>,
        original: Option<&'a str>,
        description: Description<'a>,
    ) {
        let rendition = self.renditions && url.is_some() && original.is_some_and(|_| original != url);
        let Some(url) = (if rendition { url } else { original.or(url) }) else { return };
        // The first of `audios` is often repeated as `audio`.
        if !self.urls.insert(url) {
            return;
        }
        let number = self.numbers.entry(kind.to_owned()).or_default();
        *number += 1;
        self.all.push(File { kind: kind.to_owned(), number: *number, url, rendition, description });
    }

    /// Adds the files under a key that this version does not know: an object with a URL, a bare URL
    /// directly under the key, or a list of either.
    fn add_unknown(&mut self, kind: &str, value: &'a Value, depth: usize) {
        if self.all.len() - self.known >= UNKNOWN_MAX {
            self.more = true;
            return;
        }
        match value {
            Value::String(text) if depth <= 1 && is_http(text) => {
                self.add(kind, Some(text), None, Description::default())
            }
            Value::Array(values) if depth < DEPTH_MAX => {
                values.iter().for_each(|value| self.add_unknown(kind, value, depth + 1));
            }
            Value::Object(object) => {
                let (url, original) = (text(object, "url"), text(object, "original_url"));
                if url.or(original).is_some() {
                    self.add(kind, url, original, description(object));
                } else if depth < DEPTH_MAX {
                    // A bare text two levels down is not a file: it may be any link.
                    object.values().for_each(|value| self.add_unknown(kind, value, depth + 2));
                }
            }
            _ => {}
        }
    }
}

/// What the entry of a file says of it.
fn description(object: &Map<String, Value>) -> Description<'_> {
    Description {
        format: text(object, "format"),
        name: text(object, "file_name").or_else(|| text(object, "name")),
        content_type: text(object, "content_type").or_else(|| text(object, "mime_type")),
    }
}

fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    object.get(key)?.as_str().filter(|text| !text.is_empty())
}

fn is_http(text: &str) -> bool {
    let begins =
        |scheme: &str| text.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme));
    begins("https://") || begins("http://")
}

/// The kind of the files under a key.
fn kind(key: &str) -> String {
    match safe(&key.to_ascii_lowercase(), KEY_MAX).as_str() {
        "images" => "image".to_owned(),
        "videos" => "video".to_owned(),
        "audios" => "audio".to_owned(),
        "files" | "" => "file".to_owned(),
        other => other.to_owned(),
    }
}

/// The text with letters, digits and single hyphens only.
fn safe(text: &str, length_max: usize) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        match c {
            _ if safe.len() >= length_max => break,
            c if c.is_ascii_alphanumeric() => safe.push(c),
            _ if !safe.is_empty() && !safe.ends_with('-') => safe.push('-'),
            _ => {}
        }
    }
    safe.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::extension::{by_beginning, by_head};
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use url::Url;

    fn names(output: Value, renditions: bool) -> Vec<(String, String)> {
        let output: Output = serde_json::from_value(output).unwrap();
        let id: RequestId = "0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de".parse().unwrap();
        let files = of(&output, None, renditions);
        let name = |file: &File<'_>| file.stem(&id)[37..].to_owned();
        files.all.iter().map(|file| (name(file), file.url.to_owned())).collect()
    }

    #[test]
    fn everything_with_a_url_is_a_file_named_by_its_key() {
        let deep = |levels| (0..levels).fold(json!({"url": "https://m/1"}), |inner, _| json!([inner]));
        for (output, want) in [
            (json!({"model_3d": {"url": "https://m/1"}}), vec![("model-3d-1", "https://m/1")]),
            (json!({"mesh": "https://m/1"}), vec![("mesh-1", "https://m/1")]),
            (json!({"mesh": "HTTP://m/1"}), vec![("mesh-1", "HTTP://m/1")]),
            (json!({"mesh": "m/1", "seed": 7, "note": "https", "none": null}), vec![]),
            (
                json!({"parts": [{"url": "/1", "original_url": "/2"}, "https://m/3", 4, {"original_url": "/5"}]}),
                vec![("parts-1", "/2"), ("parts-2", "https://m/3"), ("parts-3", "/5")],
            ),
            (
                json!({"files": [{"url": "/1", "file_name": "a.zip"}, {"url": "/2"}]}),
                vec![("file-1", "/1"), ("file-2", "/2")],
            ),
            (json!({"result": {"mesh": {"url": "/1"}, "docs": "https://m/2"}}), vec![("result-1", "/1")]),
            (json!({"mesh": {"url": ""}, "more": {"url": 5}}), vec![]),
            (json!({"a": deep(DEPTH_MAX - 1), "b": deep(DEPTH_MAX + 1)}), vec![("a-1", "https://m/1")]),
            (
                json!({"../..\\É x\u{7}_Y!": {"url": "/1"}, "!": {"url": "/2"}}),
                vec![("file-1", "/2"), ("x-y-1", "/1")],
            ),
            (json!({"a".repeat(99): {"url": "/1"}}), vec![(&*("a".repeat(KEY_MAX) + "-1"), "/1")]),
            // A URL is saved once, and files of one kind are counted together.
            (
                json!({"images": [{"url": "/1"}], "image": {"url": "/2"}, "thumbnail": {"url": "/1"}}),
                vec![("image-1", "/1"), ("image-2", "/2")],
            ),
        ] {
            let names = names(output.clone(), false);
            let names: Vec<_> = names.iter().map(|(name, url)| (name.as_str(), url.as_str())).collect();
            assert_eq!(names, want, "{output}");
        }
        // An output that could not be parsed.
        let (nothing, unread) = (Output::default(), [json!("https://m/1"), json!([{"url": "https://m/1"}])]);
        for unread in &unread {
            let files = of(&nothing, Some(unread), false);
            assert_eq!(files.all.iter().map(|file| file.url).collect::<Vec<_>>(), ["https://m/1"]);
        }
        let pair = json!({"model": {"url": "/1", "original_url": "/2"}});
        assert_eq!(names(pair, true), [("model-1-rendition".to_owned(), "/1".to_owned())]);
        let many: Vec<_> = (0..UNKNOWN_MAX + 5).map(|n| json!({"url": format!("/{n}")})).collect();
        assert_eq!(names(json!({"parts": many}), false).len(), UNKNOWN_MAX);
    }

    #[test]
    fn an_id_is_safe_in_a_name() {
        for (id, want) in [("req_Ab.9", "req-Ab-9"), ("../../etc/x", "etc-x"), ("CON", "CON")] {
            assert_eq!(safe(id, ID_MAX), want);
        }
        let unread = json!("https://m/1");
        let output = Output::default();
        let files = of(&output, Some(&unread), false);
        assert_eq!(files.all[0].stem(&"ä/..".into()), "generation-output-1");
    }

    /// A text by which a host may describe a file.
    fn description_text() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "(image|text|application|model|x)/(png|html|x-sh|javascript|octet-stream|[a-z.+-]{1,12})(;.{0,5})?",
            "[ -~]{0,12}[.](png|exe|sh|html?|js|svg|py|php|desktop|lnk|[a-zA-Z0-9 /\\\\]{1,9})",
        ]
    }

    /// Extensions of files that are executed, or shown as a page, when they are opened.
    const RUN: &str = "app apk bat cmd com cpl deb desktop dll dmg elf exe hta htm html iso jar js jse lnk msi php pl ps1 py rpm \
                       scr sh so swf vbs wasm wsf xhtml xml";

    proptest! {
        /// A file always gets a plain name in the directory, and never that of a program or a page.
        #[test]
        fn any_download_gets_a_plain_name(
            id in any::<String>(),
            key in prop_oneof![any::<String>(), "(images?|video|audios?|[./\\\\a-z]{1,40})"],
            [path, name, format, content_type, of_host] in [description_text(), description_text(), description_text(), description_text(), description_text()],
            bytes in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..64),
                proptest::sample::select(vec![&b"MZ\x90"[..], b"#!/bin/sh\n", b"<html>", b"\x7fELF", b"PK\x03\x04", b"<?xml ?><svg"]).prop_map(<[u8]>::to_vec),
            ],
        ) {
            let url = Url::parse("https://media.example/").unwrap().join(&path);
            let url = url.unwrap_or_else(|_| Url::parse("https://media.example/1").unwrap());
            let entry = json!({"url": url.as_str(), "file_name": name, "format": format, "content_type": content_type});
            let output: Output = serde_json::from_value(json!({ key: [entry] })).unwrap_or_default();
            for file in of(&output, None, false).all {
                let stem = file.stem(&id.as_str().into());
                let extension = by_head(Some(&of_host), &url, file.description).unwrap_or_else(|| by_beginning(Some(&of_host), &bytes));
                let plain = |text: &str, also: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c));
                prop_assert!(plain(&stem, "-") && plain(extension, ""), "{stem}.{extension}");
                prop_assert!(!stem.starts_with('-') && !extension.is_empty() && stem.len() + extension.len() < 200, "{stem}.{extension}");
                prop_assert!(!RUN.split_whitespace().any(|run| run == extension), "{stem}.{extension}");
            }
        }
    }
}
