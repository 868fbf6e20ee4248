//! Where the files of a generation are, as inputs and outputs name them.

use crate::input;
use clipia_api::types::{Audio, Image, Model, Output, OutputFile, Video};
use serde_json::{Map, Value};

/// Where media are served.
pub const PATH: &str = "/media";

/// Whether the file at `url` has to be fetched from another host: it is neither in the URL itself nor, by the URL's beginning,
/// a file of the server at `base_url`.
pub fn is_elsewhere(url: &str, base_url: &str) -> bool {
    let here = url.starts_with("data:")
        || url
            .strip_prefix(base_url)
            .and_then(|path| path.strip_prefix(PATH))
            .is_some_and(|path| path.starts_with('/'));
    !here
}

/// Whether an input of `model` names a file on another host.
pub fn names_elsewhere(model: &Model, input: &Map<String, Value>, base_url: &str) -> bool {
    input::files(model, input).any(|(_, url)| is_elsewhere(url, base_url))
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

/// The URLs of an output.
pub fn urls(output: &Output) -> impl Iterator<Item = &str> {
    let images = output.images.iter().flat_map(|image| [Some(&image.url), image.original_url.as_ref()]);
    let video = output.video.iter().flat_map(|video| [Some(&video.url), video.original_url.as_ref()]);
    let audio = output.audio.iter().chain(&output.audios).map(|audio| Some(&audio.url));
    let files = output.files.iter().map(|file| Some(&file.url));
    images.chain(video).chain(audio).chain(files).flatten().map(String::as_str)
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
    for OutputFile { url, .. } in &mut output.files {
        change(url);
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_absolute_stays() {
        let mut output = Output::default();
        output.images.push(Image::at("/media/a.webp".into()));
        output.images.push(Image::at("https://elsewhere/a.webp".into()));
        let urls: Vec<String> =
            absolute(output, "http://here").images.into_iter().map(|image| image.url).collect();
        assert_eq!(urls, ["http://here/media/a.webp", "https://elsewhere/a.webp"]);
    }

    #[test]
    fn each_url_of_an_output_is_told() {
        let output = json!({
            "images": [{ "url": "1", "original_url": "2" }],
            "video": { "url": "3", "original_url": "4" },
            "audio": { "url": "5" },
            "audios": [{ "url": "6" }],
            "files": [{ "url": "7" }],
        });
        let output: Output = serde_json::from_value(output).unwrap();
        let told: Vec<String> = urls(&output).map(str::to_owned).collect();
        assert_eq!(told, ["1", "2", "3", "4", "5", "6", "7"]);
        let mut changed = Vec::new();
        with_urls(output, |url| changed.push(url.clone()));
        assert_eq!(changed, told, "what is told is what is changed");
    }

    #[test]
    fn a_file_elsewhere_has_to_be_fetched() {
        for (url, elsewhere) in [
            ("data:image/png;base64,AA==", false),
            ("http://here/media/a.png", false),
            ("http://here/mediaeval.png", true),
            ("http://here/v1/models", true),
            ("https://there/media/a.png", true),
        ] {
            assert_eq!(is_elsewhere(url, "http://here"), elsewhere, "{url}");
        }
    }

    #[test]
    fn only_a_parameter_that_is_a_file_names_another_host() {
        let model = json!({"slug": "m", "type": "video", "input_schema": {"parameters": [
            {"name": "prompt", "type": "string"}, {"name": "voice_url", "type": "audio"}
        ]}});
        let model: Model = serde_json::from_value(model).unwrap();
        for (input, elsewhere) in [
            (json!({}), false),
            (json!({"prompt": "https://there/a.wav"}), false),
            (json!({"voice_url": "https://there/a.wav"}), true),
            (json!({"voice_url": "http://here/media/a.wav"}), false),
            (json!({"voice_url": 7}), false),
        ] {
            assert_eq!(
                names_elsewhere(&model, input.as_object().unwrap(), "http://here"),
                elsewhere,
                "{input}"
            );
        }
    }
}
