//! Where the files of a generation are, as inputs and outputs name them.

use clipia_api::types::{Audio, Image, Output, OutputFile, Video};
use serde_json::{Map, Value};

/// Where media are served.
pub const PATH: &str = "/media";

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
    fn an_image_elsewhere_has_to_be_fetched() {
        for (url, elsewhere) in [
            (json!("data:image/png;base64,AA=="), false),
            (json!("http://here/media/a.png"), false),
            (json!("http://here/mediaeval.png"), true),
            (json!("http://here/v1/models"), true),
            (json!("https://there/media/a.png"), true),
            (json!(7), false),
        ] {
            let mut input = Map::new();
            input.insert("image_url".to_owned(), url.clone());
            assert_eq!(source_elsewhere(&input, "http://here").is_some(), elsewhere, "{url}");
        }
        assert_eq!(source_elsewhere(&Map::new(), "http://here"), None);
    }
}
