//! A generation of each kind with the SDK, and its files.

use crate::support::{Options, Raw, Server};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clipia::{Clipia, Completed, Outcome, Status, json};
use std::path::Path;
use std::sync::{Arc, Mutex};

fn client(server: &Server, key: &str) -> Clipia {
    Clipia::builder().key(key).base_url(&server.url).build().unwrap()
}

/// The one file of a generation.
async fn file(completed: &Completed, directory: &Path) -> Vec<u8> {
    let paths = completed.download(directory).await.unwrap();
    assert_eq!(paths.len(), 1, "{paths:?}");
    std::fs::read(&paths[0]).unwrap()
}

/// The one file of a generation, by a download that is stopped at its first bytes and another that continues it.
async fn stopped_and_continued(completed: &Completed) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let (sender, mut first) = tokio::sync::mpsc::unbounded_channel();
    let report = sender.clone();
    let download = completed.download(&directory).on_progress(move |file| report.send(file.bytes).unwrap());
    tokio::select! {
        biased;
        () = async { while first.recv().await.unwrap() == 0 {} } => {}
        ended = download.into_future() => panic!("{ended:?}"),
    }
    while first.try_recv().is_ok() {}
    let download = completed.download(&directory).on_progress(move |file| sender.send(file.bytes).unwrap());
    let paths = download.await.unwrap();
    assert!(first.recv().await.unwrap() > 0, "the server's validator lets it go on");
    std::fs::read(&paths[0]).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_and_a_clip_that_starts_from_it() {
    let server = Server::start(Options::default());
    let clipia = client(&server, &server.live_key);
    let directory = tempfile::tempdir().unwrap();
    let fox =
        |prompt: &str| json!({ "prompt": prompt, "seed": 7, "resolution": "0.5K", "aspect_ratio": "16:9" });
    let submitted = clipia.submit("nano-banana-2", fox("a red fox in snow")).await.unwrap();
    let picture = submitted.wait().await.unwrap().completed().unwrap();
    let (png, image) = (file(&picture, directory.path()).await, picture.output().images[0].clone());
    let decoded = image::load_from_memory_with_format(&png, image::ImageFormat::Png).unwrap();
    assert_eq!((decoded.width(), decoded.height()), (512, 288));
    assert_eq!((image.width, image.height), (Some(512), Some(288)));
    let original = image.original_url.unwrap();
    is_served(&original, "image/png", &png).await;
    let webp = served(&image.url, "image/webp").await;
    let decoded = image::load_from_memory_with_format(&webp, image::ImageFormat::WebP).unwrap();
    assert_eq!((decoded.width(), decoded.height()), (512, 288));

    let again = clipia.subscribe("nano-banana-2", fox("a red fox in snow")).await.unwrap();
    let again = file(&again.completed().unwrap(), directory.path()).await;
    assert!(again == png, "the same seed draws the same picture");
    let other = clipia.subscribe("nano-banana-2", fox("a lighthouse")).await.unwrap();
    let other = file(&other.completed().unwrap(), directory.path()).await;
    assert!(other != png, "another prompt draws another picture");

    let sway = |from: &str| json!({ "prompt": "sway", "image_url": from, "duration": 1, "resolution": "480p", "seed": 7 });
    let clip = clipia.subscribe("seedance-2-fast-i2v", sway(&original)).await.unwrap().completed().unwrap();
    let video = clip.output().video.clone().unwrap();
    assert_eq!((video.width, video.height, video.duration), (Some(854), Some(480), Some(1.0)));
    let mp4 = file(&clip, directory.path()).await;
    assert_eq!(Movie::read(&mp4), Movie { seconds: 1.0, width: 854, height: 480 });
    is_served(&video.url, "video/mp4", &mp4).await;
    assert_eq!(stopped_and_continued(&clip).await, mp4);

    // The input is a picture that this server does not have: the generation fails with the reason.
    let outcome = clipia.subscribe("seedance-2-fast-i2v", sway(&format!("{original}.not"))).await.unwrap();
    let Outcome::Failed(failed) = outcome else { panic!("{outcome:?}") };
    assert_eq!(failed.message(), "`image_url` names no file of this server");
}

/// The headers of an MP4.
#[derive(Debug, PartialEq)]
struct Movie {
    seconds: f64,
    width: u32,
    height: u32,
}

impl Movie {
    /// Reads the boxes (ISO 14496-12) down to the movie's and the first track's headers, both of version 0.
    fn read(mp4: &[u8]) -> Self {
        assert_eq!(mp4_box(mp4, b"ftyp").len() % 4, 0, "brands of four letters");
        assert!(!mp4_box(mp4, b"mdat").is_empty());
        let movie = mp4_box(mp4, b"moov");
        let header = mp4_box(movie, b"mvhd");
        let track = mp4_box(mp4_box(movie, b"trak"), b"tkhd");
        assert_eq!((header[0], track[0]), (0, 0), "version 0");
        let (scale, duration) = (number(header, 12), number(header, 16));
        // Sizes are in 16.16 fixed point, at the header's end.
        let (width, height) = (number(track, 76) >> 16, number(track, 80) >> 16);
        Self { seconds: f64::from(duration) / f64::from(scale), width, height }
    }
}

/// The content of the first box of this name.
fn mp4_box<'a>(mut within: &'a [u8], name: &[u8; 4]) -> &'a [u8] {
    while within.len() >= 8 {
        let size = usize::try_from(number(within, 0)).unwrap();
        assert!((8..=within.len()).contains(&size), "a box of {size} bytes in {}", within.len());
        if &within[4..8] == name {
            return &within[8..size];
        }
        within = &within[size..];
    }
    panic!("no box `{}`", String::from_utf8_lossy(name));
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// The file at `url`, which needs no key and has a type and a length.
async fn served(url: &str, content_type: &str) -> Vec<u8> {
    let (server, path) = url.split_at(url.find("/media/").unwrap());
    let whole = Raw::new(server).get(path).await.expect(200);
    assert_eq!(whole.header("content-type"), content_type);
    assert_eq!(whole.header("content-length"), whole.body.len().to_string());
    assert_eq!(whole.header("accept-ranges"), "bytes");
    whole.body.to_vec()
}

/// Checks that `url` serves `content`, completely and in ranges (RFC 9110, section 14).
async fn is_served(url: &str, content_type: &str, content: &[u8]) {
    assert!(served(url, content_type).await == content);
    let (server, path) = url.split_at(url.find("/media/").unwrap());
    let length = content.len();
    for (range, from, to) in [
        ("bytes=10-19".to_owned(), 10, 20),
        (format!("bytes={}-", length - 5), length - 5, length),
        ("bytes=-7".to_owned(), length - 7, length),
        (format!("bytes=0-{}", length * 2), 0, length),
    ] {
        let part = Raw::new(server).header("range", &range).get(path).await.expect(206);
        assert_eq!(part.header("content-range"), format!("bytes {from}-{}/{length}", to - 1));
        assert_eq!(part.header("content-type"), content_type);
        assert!(part.body == content[from..to], "{range}");
    }
    let beyond = Raw::new(server).header("range", &format!("bytes={length}-")).get(path).await.expect(416);
    assert_eq!(beyond.header("content-range"), format!("bytes */{length}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_files_of_generations_are_served() {
    let server = Server::start(Options::default());
    let submitted =
        client(&server, &server.test_key).submit("nano-banana-2", json!({ "prompt": "fox" })).await;
    let picture = submitted.unwrap().wait().await.unwrap().completed().unwrap();
    let url = &picture.output().images[0].url;
    let (_, path) = url.split_at(url.find("/media/").unwrap());
    let (directory, _) = path.rsplit_once('/').unwrap();
    let nobody = Raw::new(&server.url);
    for path in [
        &format!("{path}.not"),
        directory,
        "/media",
        "/media/../clipia.db",
        "/media/%2e%2e/clipia.db",
        "/media/..%2fclipia.db",
        "/media/..%2f..%2f..%2fetc%2fpasswd",
        "/media//etc/passwd",
        "/media/%ff",
        "/media/%00",
    ] {
        nobody.get(path).await.expect_error("not_found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clip_whose_progress_is_followed() {
    let server = Server::start(Options::default());
    let clipia = client(&server, &server.live_key);
    let waves =
        json!({ "prompt": "waves at dusk", "duration": 2, "resolution": "480p", "aspect_ratio": "1:1" });
    let submitted = clipia.submit("seedance-2-fast-t2v", &waves).await.unwrap();
    assert_eq!(submitted.cost(), Some(24.into()));
    // A handle made from the id alone, as in another process.
    let mut updates = clipia.generation(submitted.id()).updates();
    let mut seen = Vec::new();
    while let Some(update) = updates.next().await {
        seen.push(update.unwrap());
    }
    let percents: Vec<_> = seen.iter().filter_map(|update| update.progress).collect();
    assert!(percents.is_sorted(), "{seen:?}");
    assert!(percents.iter().any(|progress| (1..100).contains(&progress.percent())), "{seen:?}");
    assert_eq!(seen.last().unwrap().status, Status::Completed);

    let directory = tempfile::tempdir().unwrap();
    let mp4 = file(&submitted.wait().await.unwrap().completed().unwrap(), directory.path()).await;
    assert_eq!(Movie::read(&mp4), Movie { seconds: 2.0, width: 480, height: 480 });
    let by_id = clipia.generation(submitted.id()).download(directory.path()).await.unwrap();
    assert!(std::fs::read(&by_id[0]).unwrap() == mp4);

    let heard = Arc::new(Mutex::new(Vec::new()));
    let hearing = Arc::clone(&heard);
    let outcome = clipia.subscribe("seedance-2-fast-t2v", &waves).on_update(move |update| {
        hearing.lock().unwrap().push(update.status.clone());
    });
    let outcome = outcome.await.unwrap();
    assert_eq!(outcome.response().cost, Some(24.into()));
    let heard = heard.lock().unwrap();
    assert!(heard.contains(&Status::InProgress) && heard.last() == Some(&Status::Completed), "{heard:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn speech_is_a_wav_with_sound() {
    let server = Server::start(Options::default());
    let clipia = client(&server, &server.live_key);
    let directory = tempfile::tempdir().unwrap();
    let mut lengths = Vec::new();
    for text in ["the queue is open", "the queue is open all day, and all night, to everybody who has a key"]
    {
        let speech = clipia.subscribe("gemini-3-1-flash-tts", json!({ "prompt": text })).await.unwrap();
        let speech = speech.completed().unwrap();
        let wav = file(&speech, directory.path()).await;
        let audio = speech.output().audio.clone().unwrap();
        assert_eq!(audio.format.as_deref(), Some("wav"));
        assert!(served(&audio.url, "audio/wav").await == wav);
        // The form of a WAV of PCM: RIFF, its length, WAVE, `fmt ` of 16 bytes, `data` and its length, and what the file is.
        assert_eq!((&wav[..4], &wav[8..16], &wav[36..40]), (&b"RIFF"[..], &b"WAVEfmt "[..], &b"data"[..]));
        let size = |at: usize| u32::from_le_bytes(wav[at..at + 4].try_into().unwrap()) as usize;
        let (sound, list) = wav[44..].split_at(size(40));
        assert_eq!(
            (size(4), &list[..4], list.len()),
            (wav.len() - 8, &b"LIST"[..], 8 + size(48 + sound.len()))
        );
        assert!(sound.iter().any(|byte| *byte != 0), "there is a sound in it");
        lengths.push(wav.len());
    }
    assert!(lengths[0] < lengths[1], "a longer text takes longer to say");
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_as_the_vendor_documents_them_are_accepted() {
    let server = Server::start(Options::default());
    let clipia = client(&server, &server.live_key);
    let image = {
        let mut png = std::io::Cursor::new(Vec::new());
        image::DynamicImage::new_rgb8(64, 36).write_to(&mut png, image::ImageFormat::Png).unwrap();
        format!("data:image/png;base64,{}", STANDARD.encode(png.into_inner()))
    };
    let mut pieces = Vec::new();
    for (model, input) in [
        ("gemini-3-1-flash-tts", json!({ "prompt": "Welcome to Clipia.", "voice": "Zephyr" })),
        ("suno-music", json!({ "prompt": "warm lo-fi beat for a product demo", "instrumental": true })),
        ("suno-music", json!({ "prompt": "warm lo-fi beat for a product demo" })),
        ("seedance-2-fast-i2v", json!({ "image_url": image, "duration": 1, "resolution": "480P" })),
    ] {
        let made = clipia.subscribe(model, input).await.unwrap().completed().unwrap();
        let directory = tempfile::tempdir().unwrap();
        pieces.push(file(&made, directory.path()).await);
    }
    assert!(pieces[..3].iter().all(|piece| piece.starts_with(b"RIFF")));
    assert!(pieces[1] != pieces[2], "one has a voice");
    assert_eq!(&pieces[3][4..8], b"ftyp");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_an_outcome_and_a_sandbox_generation_ends_at_once() {
    let server = Server::start(Options::default());
    let input = json!({ "prompt": "sway", "image_url": "data:image/png;base64,AAAA", "duration": 1 });
    let outcome = client(&server, &server.live_key).subscribe("seedance-2-fast-i2v", input).await.unwrap();
    let Outcome::Failed(failed) = outcome else { panic!("{outcome:?}") };
    assert!(!failed.message().is_empty());

    let sandbox = client(&server, &server.test_key);
    let directory = tempfile::tempdir().unwrap();
    let mut samples = Vec::new();
    for prompt in ["a red fox", "a lighthouse"] {
        let submitted = sandbox.submit("nano-banana-2", json!({ "prompt": prompt })).await.unwrap();
        assert_eq!(submitted.response().status, Status::Completed);
        samples.push(file(&submitted.wait().await.unwrap().completed().unwrap(), directory.path()).await);
    }
    assert!(image::load_from_memory(&samples[0]).is_ok());
    assert!(samples[0] == samples[1], "whatever is asked, the sample is one");
}
