//! The result of a tool about generations: a sentence, a small picture, links to the originals, and all of it as data.

use crate::preview::preview;
use crate::progress::in_words;
use crate::waiting::Known;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clipia::{Completed, Credits, Output, Status, why_failed};
use rmcp::model::{Annotations, CallToolResult, ContentBlock, ImageContent, Resource, Role, TextContent};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use url::Url;

/// The most bytes of an output in a result. A longer one is left out: its files are links. With a picture of 64 KiB in base64 a result has
/// less than 100 KB.
const OUTPUT_BYTES_MAX: usize = 16 * 1024;

/// The most links of a result.
const LINKS_MAX: usize = 20;

/// A generation in a result.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Generation {
    /// The id. It is also the id of its task.
    pub(crate) request_id: String,
    /// IN_QUEUE, IN_PROGRESS, COMPLETED, FAILED or CANCELED.
    pub(crate) status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    /// Credits reserved, or charged at the end. A generation that FAILED or was CANCELED costs nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cost_credits: Option<f64>,
    /// Credits of the account after the submit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) balance_after: Option<f64>,
    /// What was made, with the URLs of the files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<Value>,
    /// Paths of the saved files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) saved: Vec<String>,
    /// What of the input the model does not apply.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// What to call next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_step: Option<String>,
}

/// How generations are shown.
#[derive(Clone, Copy)]
pub(crate) struct Show<'a> {
    pub(crate) preview: bool,
    /// Where the files are saved.
    pub(crate) save_to: Option<&'a Path>,
}

/// A generation, and what a result shows beside its data.
pub(crate) struct Shown {
    pub(crate) generation: Generation,
    sentence: String,
    links: Vec<Resource>,
    picture: Option<Vec<u8>>,
    failed: bool,
}

impl Shown {
    /// Saves the files if that is wanted, and draws the preview.
    pub(crate) async fn of(known: &Known, show: Show<'_>) -> Self {
        let response = &known.response;
        let mut generation = Generation {
            request_id: response.request_id.to_string(),
            status: response.status.to_string(),
            model: response.model.clone(),
            cost_credits: response.cost.map(Credits::as_f64),
            ..Generation::default()
        };
        let (id, words) =
            (&response.request_id, in_words(&response.status, response.queue_position, response.progress));
        let (mut links, mut picture) = (Vec::new(), None);
        let sentence = match (&known.completed, &response.status) {
            (Some(completed), _) => {
                let saved = save(completed, show.save_to).await;
                generation.output = Some(output(completed.output()));
                links = self::links(completed, saved.as_deref().unwrap_or_default());
                let made = made(completed, response.cost);
                let saved = match saved {
                    Ok(paths) => {
                        generation.saved = paths.iter().map(|path| path.display().to_string()).collect();
                        if paths.is_empty() {
                            String::new()
                        } else {
                            format!(" Saved: {}.", generation.saved.join(", "))
                        }
                    }
                    Err(why) => format!(" The files were not saved: {why}."),
                };
                if show.preview {
                    picture = preview(completed).await;
                }
                format!("{made} Request {id}.{saved}")
            }
            (None, Status::Failed) => {
                let (code, message) = why_failed(response);
                generation.error = Some(message.to_owned());
                format!("FAILED: {message} ({code}). The credits were returned. Request {id}.")
            }
            (None, Status::Canceled) => {
                format!("CANCELED by an operator. The credits were returned. Request {id}.")
            }
            _ => {
                let next = format!("Call wait_generation with request_id \"{id}\".");
                generation.next_step = Some(next.clone());
                format!("Not ended yet: {words}. {next}")
            }
        };
        let failed = matches!(response.status, Status::Failed | Status::Canceled);
        Self { generation, sentence, links, picture, failed }
    }

    /// The result about this generation alone.
    pub(crate) fn result(self) -> CallToolResult {
        let mut structured = serde_json::to_value(&self.generation).unwrap_or_default();
        shorten(&mut structured);
        let mut result = CallToolResult::success(content(self.sentence(), self.picture, self.links));
        result.structured_content = Some(structured);
        result.is_error = Some(self.failed);
        result
    }

    fn sentence(&self) -> String {
        let warnings: String =
            self.generation.warnings.iter().map(|warning| format!(" Warning: {warning}.")).collect();
        format!("{}{warnings}", self.sentence)
    }
}

/// The result about several generations, or about why nothing is known of one.
pub(crate) fn result_of_many(all: Vec<Result<Shown, (String, String)>>) -> CallToolResult {
    let (mut generations, mut sentences, mut links, mut picture) = (Vec::new(), Vec::new(), Vec::new(), None);
    let mut room = OUTPUT_BYTES_MAX;
    for shown in all {
        match shown {
            Ok(shown) => {
                let mut structured = serde_json::to_value(&shown.generation).unwrap_or_default();
                let bytes = structured.to_string().len();
                if bytes > room {
                    drop_output(&mut structured, bytes);
                }
                room = room.saturating_sub(bytes);
                generations.push(structured);
                sentences.push(shown.sentence());
                picture = picture.or(shown.picture);
                links.extend(shown.links);
            }
            Err((id, why)) => {
                generations.push(json!({ "request_id": id, "status": "UNKNOWN", "error": why }));
                sentences.push(format!("Request {id}: {why}"));
            }
        }
    }
    links.truncate(LINKS_MAX);
    let mut result = CallToolResult::success(content(sentences.join("\n"), picture, links));
    result.structured_content = Some(json!({ "generations": generations }));
    result
}

fn content(sentence: String, picture: Option<Vec<u8>>, links: Vec<Resource>) -> Vec<ContentBlock> {
    let mut content = vec![ContentBlock::Text(TextContent::new(sentence))];
    if let Some(webp) = picture {
        let picture = ImageContent::new(STANDARD.encode(webp), "image/webp");
        let both = Annotations::default().with_audience(vec![Role::User, Role::Assistant]);
        content.push(ContentBlock::Image(picture.with_annotations(both)));
    }
    // A model reads no original: the links are for the person.
    let person = || Annotations::default().with_audience(vec![Role::User]);
    content.extend(links.into_iter().map(|link| ContentBlock::ResourceLink(link.with_annotations(person()))));
    content
}

async fn save(completed: &Completed, directory: Option<&Path>) -> Result<Vec<PathBuf>, String> {
    match directory {
        Some(directory) => completed.download(directory).await.map_err(|error| error.to_string()),
        None => Ok(Vec::new()),
    }
}

/// A link to each original: to the saved file, or else to its URL.
fn links(completed: &Completed, saved: &[PathBuf]) -> Vec<Resource> {
    let files = completed.files();
    let links = files.iter().enumerate().take(LINKS_MAX).map(|(index, file)| {
        let path = saved.get(index);
        let uri = path.and_then(|path| Url::from_file_path(path).ok()).map(String::from);
        let name = path.and_then(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned());
        let link = Resource::new(
            uri.unwrap_or_else(|| file.url().to_owned()),
            name.unwrap_or_else(|| file.name().to_owned()),
        );
        match media_type(path.map_or(Path::new(file.url()), PathBuf::as_path)) {
            Some(media_type) => link.with_mime_type(media_type),
            None => link,
        }
    });
    links.collect()
}

/// The media type of a file by its extension, for the kinds of files that models make.
fn media_type(path: &Path) -> Option<&'static str> {
    Some(match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        _ => return None,
    })
}

/// What was made, and for how much: `nano-banana-2 made 1 image for 12 credits.`
fn made(completed: &Completed, cost: Option<Credits>) -> String {
    let output = completed.output();
    let counted = |number: usize, one: &str| match number {
        0 => None,
        1 => Some(format!("1 {one}")),
        number => Some(format!("{number} {one}s")),
    };
    let sounds = usize::from(output.audio.is_some()) + output.audios.len();
    let made: Vec<String> = [
        counted(output.images.len(), "image"),
        counted(usize::from(output.video.is_some()), "video"),
        counted(sounds, "audio file"),
        counted(output.files.len(), "file"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let made = if made.is_empty() { "no file".to_owned() } else { made.join(" and ") };
    let cost = cost.map(|cost| format!(" for {cost} credits")).unwrap_or_default();
    format!("{} made {made}{cost}.", completed.model().unwrap_or("The model"))
}

/// An output as it is on the wire.
fn output(output: &Output) -> Value {
    let mut all: Map<String, Value> = output.extra.clone();
    let images = output.images.iter().map(|image| {
        with(
            &image.extra,
            [
                ("url", json!(image.url)),
                ("original_url", json!(image.original_url)),
                ("width", json!(image.width)),
                ("height", json!(image.height)),
                ("seed", json!(image.seed)),
            ],
        )
    });
    let video = output.video.as_ref().map(|video| {
        with(
            &video.extra,
            [
                ("url", json!(video.url)),
                ("original_url", json!(video.original_url)),
                ("width", json!(video.width)),
                ("height", json!(video.height)),
                ("duration", json!(video.duration)),
            ],
        )
    });
    let sound = |audio: &clipia::Audio| {
        with(&audio.extra, [("url", json!(audio.url)), ("format", json!(audio.format))])
    };
    let files = output.files.iter().map(|file| {
        with(
            &file.extra,
            [
                ("url", json!(file.url)),
                ("file_name", json!(file.file_name)),
                ("content_type", json!(file.content_type)),
                ("file_size", json!(file.file_size)),
            ],
        )
    });
    let mut put = |name: &str, value: Value| {
        if !value.is_null() && value != json!([]) {
            all.insert(name.to_owned(), value);
        }
    };
    put("images", images.collect());
    put("video", json!(video));
    put("audio", json!(output.audio.as_ref().map(sound)));
    put("audios", output.audios.iter().map(sound).collect());
    put("files", files.collect());
    put("seed", json!(output.seed));
    put("procedural", json!(output.procedural));
    Value::Object(all)
}

/// The entries that have a value, over those of `extra`.
fn with<const N: usize>(extra: &Map<String, Value>, entries: [(&str, Value); N]) -> Value {
    let mut all = extra.clone();
    let entries = entries.into_iter().filter(|(_, value)| !value.is_null());
    all.extend(entries.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(all)
}

/// Leaves the output out if it is too long for a result.
fn shorten(structured: &mut Value) {
    let bytes = structured.to_string().len();
    if bytes > OUTPUT_BYTES_MAX {
        drop_output(structured, bytes);
    }
}

fn drop_output(structured: &mut Value, bytes: usize) {
    if let Some(output) = structured.get_mut("output") {
        *output = json!({ "left_out": format!("{bytes} bytes are too long for a result; the links lead to the files") });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de";

    fn running(status: &str, position: Option<u64>) -> Known {
        let response = json!({ "request_id": ID, "status": status, "queue_position": position, "model": "m", "cost": 12,
            "error": { "code": "GENERATION_FAILED", "message": "too violent" } });
        Known { response: serde_json::from_value(response).unwrap(), completed: None }
    }

    const PLAIN: Show<'_> = Show { preview: false, save_to: None };

    #[tokio::test]
    async fn a_result_says_what_is_known_and_what_to_do() {
        let queued = Shown::of(&running("IN_QUEUE", Some(2)), PLAIN).await.result();
        let text = queued.content[0].as_text().unwrap().text.clone();
        assert_eq!(
            text,
            format!("Not ended yet: 3rd in line. Call wait_generation with request_id \"{ID}\".")
        );
        let structured = queued.structured_content.unwrap();
        assert_eq!(structured["cost_credits"], 12.0);
        assert!(structured["next_step"].as_str().unwrap().contains("wait_generation"));
        let failed = Shown::of(&running("FAILED", None), PLAIN).await.result();
        assert_eq!(failed.is_error, Some(true));
        let text = &failed.content[0].as_text().unwrap().text;
        assert!(
            text.starts_with("FAILED: too violent (GENERATION_FAILED). The credits were returned."),
            "{text}"
        );
        let canceled = Shown::of(&running("CANCELED", None), PLAIN).await.result();
        assert_eq!(canceled.is_error, Some(true));
    }

    #[test]
    fn an_output_is_shown_as_it_came() {
        let wire = json!({
            "images": [{ "url": "https://a/1.webp", "original_url": "https://a/1.png", "width": 8, "height": 4, "seed": 7 }],
            "video": { "url": "https://a/2.mp4", "duration": 5.0 }, "audio": { "url": "https://a/3.wav", "format": "wav" },
            "seed": 7, "procedural": true, "mesh": { "url": "https://a/4.glb" },
        });
        let parsed: Output = serde_json::from_value(wire.clone()).unwrap();
        assert_eq!(output(&parsed), wire);
    }

    #[test]
    fn a_long_output_is_left_out() {
        let image = json!({ "url": "x".repeat(1_000) });
        let mut structured = json!({ "request_id": ID, "output": { "images": vec![image; 100] } });
        shorten(&mut structured);
        assert!(structured.to_string().len() < 1_000, "{structured}");
        let many: Vec<_> = (0..20)
            .map(|_| {
                let output = Some(json!({ "text": "x".repeat(10_000) }));
                let generation = Generation { request_id: ID.to_owned(), output, ..Generation::default() };
                let picture = Some(vec![0; crate::preview::BYTES_MAX]);
                Ok(Shown { generation, sentence: "a".repeat(200), links: Vec::new(), picture, failed: false })
            })
            .collect();
        let bytes = serde_json::to_string(&result_of_many(many)).unwrap().len();
        assert!(bytes < 100_000, "{bytes} bytes");
    }
}
