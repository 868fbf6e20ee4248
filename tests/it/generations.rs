//! A generation of each kind by the SDK, and the files it makes.

use crate::support::{Options, Raw, Server};
use clipia::{Clipia, Completed, Outcome, Status, json};
use std::path::Path;

fn client(server: &Server, key: &str) -> Clipia {
    Clipia::builder().key(key).base_url(&server.url).build().unwrap()
}

/// The one file that a generation made.
async fn file(completed: &Completed, directory: &Path) -> Vec<u8> {
    let paths = completed.download(directory).await.unwrap();
    assert_eq!(paths.len(), 1, "{paths:?}");
    std::fs::read(&paths[0]).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_and_a_clip_that_starts_from_it() {
    let server = Server::start(Options::default());
    let clipia = client(&server, &server.live_key);
    let directory = tempfile::tempdir().unwrap();
    let input =
        json!({ "prompt": "a red fox in snow", "seed": 7, "resolution": "0.5K", "aspect_ratio": "16:9" });
    let fox = clipia.submit("nano-banana-2", &input).await.unwrap();
    let picture = fox.wait().await.unwrap().completed().unwrap();
    let png = file(&picture, directory.path()).await;
    let decoded = image::load_from_memory_with_format(&png, image::ImageFormat::Png).unwrap();
    assert_eq!((decoded.width(), decoded.height()), (512, 288));

    let again = clipia.subscribe("nano-banana-2", &input).await.unwrap().completed().unwrap();
    assert!(file(&again, directory.path()).await == png, "the same seed draws the same picture");
    let other = json!({ "prompt": "a lighthouse", "seed": 7, "resolution": "0.5K", "aspect_ratio": "16:9" });
    let other = clipia.subscribe("nano-banana-2", other).await.unwrap().completed().unwrap();
    assert!(file(&other, directory.path()).await != png, "another prompt draws another picture");

    let original = picture.output().images[0].original_url.clone().unwrap();
    let sway = json!({ "prompt": "sway", "image_url": original, "duration": 1, "resolution": "480p" });
    let clip = clipia.subscribe("seedance-2-fast-i2v", sway).await.unwrap().completed().unwrap();
    let video = clip.output().video.clone().unwrap();
    assert_eq!((video.width, video.height), (Some(854), Some(480)));
    let mp4 = file(&clip, directory.path()).await;
    assert_eq!(&mp4[4..8], b"ftyp");
    assert!((movie_seconds(&mp4) - 1.0).abs() < 0.1, "{}", movie_seconds(&mp4));
    media_are_served(&original, &png).await;
}

/// The duration that an MP4's movie header tells, in seconds.
fn movie_seconds(mp4: &[u8]) -> f64 {
    let at = mp4.windows(4).position(|name| name == b"mvhd").expect("an MP4 has a movie header") + 4;
    assert_eq!(mp4[at], 0, "version 0");
    let number = |from: usize| f64::from(u32::from_be_bytes(mp4[from..from + 4].try_into().unwrap()));
    number(at + 16) / number(at + 12)
}

/// A file has its type and length, comes in ranges, and needs no key.
async fn media_are_served(url: &str, content: &[u8]) {
    let (server, path) = url.split_at(url.find("/media/").unwrap());
    let whole = Raw::new(server).get(path).await.expect(200);
    assert_eq!(whole.header("content-type"), "image/png");
    assert_eq!(whole.header("content-length"), content.len().to_string());
    assert!(whole.body == content);
    let part = Raw::new(server).header("range", "bytes=10-19").get(path).await.expect(206);
    assert_eq!(part.header("content-range"), format!("bytes 10-19/{}", content.len()));
    assert_eq!(part.body, content[10..20]);
    Raw::new(server).get(&format!("{path}.not")).await.expect_error("not_found");
    Raw::new(server).get("/media/../clipia.db").await.expect_error("not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clip_whose_progress_is_followed() {
    let server = Server::start(Options::default());
    let clipia = client(&server, &server.live_key);
    let waves =
        json!({ "prompt": "waves at dusk", "duration": 2, "resolution": "480p", "aspect_ratio": "1:1" });
    let submitted = clipia.submit("seedance-2-fast-t2v", waves).await.unwrap();
    assert_eq!(submitted.cost().get(), 24);
    let mut updates = clipia.generation(submitted.id()).updates();
    let mut last = None;
    while let Some(update) = updates.next().await {
        last = Some(update.unwrap().status);
    }
    assert_eq!(last, Some(Status::Completed));
    let directory = tempfile::tempdir().unwrap();
    let mp4 = file(&submitted.wait().await.unwrap().completed().unwrap(), directory.path()).await;
    assert!((movie_seconds(&mp4) - 2.0).abs() < 0.1, "{}", movie_seconds(&mp4));
}

#[tokio::test(flavor = "multi_thread")]
async fn speech_is_heard() {
    let server = Server::start(Options::default());
    let clipia = client(&server, &server.live_key);
    let input = json!({ "text": "the queue is open" });
    let speech = clipia.subscribe("gemini-3-1-flash-tts", input).await.unwrap().completed().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let wav = file(&speech, directory.path()).await;
    assert_eq!((&wav[..4], &wav[8..12]), (&b"RIFF"[..], &b"WAVE"[..]));
    assert!(wav[44..].iter().any(|byte| *byte != 0), "there is a sound in it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_an_outcome_and_the_sandbox_is_done_at_once() {
    let server = Server::start(Options::default());
    let input = json!({ "prompt": "sway", "image_url": "data:image/png;base64,AAAA", "duration": 1 });
    let outcome = client(&server, &server.live_key).subscribe("seedance-2-fast-i2v", input).await.unwrap();
    let Outcome::Failed(failed) = outcome else { panic!("{outcome:?}") };
    assert!(!failed.message().is_empty());

    let sandbox = client(&server, &server.test_key);
    let submitted = sandbox.submit("nano-banana-2", json!({ "prompt": "fox" })).await.unwrap();
    assert_eq!(submitted.response().status, Status::Completed);
    let directory = tempfile::tempdir().unwrap();
    let sample = file(&submitted.wait().await.unwrap().completed().unwrap(), directory.path()).await;
    assert!(image::load_from_memory(&sample).is_ok());
}
