//! Downloads: whole files under safe names, and no key for media hosts.

use crate::peer::{ID, Peer, Reply, body_reply, cut, state};
use clipia::{Error, Generation, RequestId, json};
use serde_json::Value;
use std::path::Path;

fn id() -> RequestId {
    ID.parse().unwrap()
}

fn png(body: &[u8]) -> Reply {
    body_reply(200, &[("content-type", "image/png")], body)
}

/// A generation with this output, at an API of its own.
async fn made(output: Value) -> (Peer, Generation) {
    let api = Peer::script(vec![state("COMPLETED", json!({ "output": output }))]).await;
    let generation = api.client().generation(id());
    (api, generation)
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn every_file_is_saved_in_full_quality_under_a_safe_name() {
    let media = Peer::new(|_, seen| match seen.path.as_str() {
        "/1" => png(b"one"),
        "/2.exe?type=/../../x.sh" => body_reply(200, &[("content-type", "application/x-msdownload")], b"two"),
        "/..%2f..%2fclip.webm" => body_reply(200, &[("content-type", "application/octet-stream")], b"clip"),
        "/say" => body_reply(200, &[], b"hello"),
        "/song" => body_reply(200, &[("content-type", "Audio/MPEG; rate=44100")], b"song"),
        other => panic!("nobody should ask for {other}"),
    })
    .await;
    let at = |path: &str| format!("{}{path}", media.url);
    let (api, generation) = made(json!({
        "images": [{ "url": at("/small"), "original_url": at("/1") }, { "url": at("/2.exe?type=/../../x.sh#y") }],
        "video": { "url": at("/..%2f..%2fclip.webm") },
        "audio": { "url": at("/say"), "format": "wav" },
        "audios": [{ "url": at("/say"), "format": "wav" }, { "url": at("/song"), "format": "sh" }],
        "surprise": { "url": at("/surprise") },
    }))
    .await;
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("not/there/yet");
    let paths = generation.download(&out).await.unwrap();

    let want = [
        ("image-1.png", "one"),
        ("image-2.bin", "two"),
        ("video-1.webm", "clip"),
        ("audio-1.wav", "hello"),
        ("audio-2.mp3", "song"),
    ];
    for (path, (name, content)) in paths.iter().zip(want) {
        assert_eq!(*path, out.join(format!("{ID}-{name}")));
        assert_eq!(std::fs::read_to_string(path).unwrap(), content);
    }
    assert_eq!((paths.len(), names(&out).len()), (5, 5));
    assert!(api.seen().iter().all(|seen| seen.headers.contains_key("authorization")));
    for seen in media.seen() {
        assert!(!seen.headers.contains_key("authorization") && !seen.headers.contains_key("x-api-key"));
    }
}

#[tokio::test]
async fn a_partial_file_is_fetched_again() {
    let media = Peer::script(vec![cut(png(b"whole"), 3), body_reply(503, &[], b""), png(b"whole")]).await;
    let (_api, generation) = made(json!({ "images": [{ "url": media.url.clone() + "/1" }] })).await;
    let dir = tempfile::tempdir().unwrap();
    let paths = generation.download(dir.path()).await.unwrap();
    assert_eq!(std::fs::read(&paths[0]).unwrap(), b"whole");
    assert_eq!(names(dir.path()).len(), 1);
}

#[tokio::test]
async fn a_file_that_never_comes_whole_is_no_file() {
    for broken in [cut(png(b"whole"), 3), Reply::Reset, body_reply(404, &[], b"gone")] {
        let media = Peer::script(vec![broken]).await;
        let url = media.url.clone() + "/1.png?signature=secret";
        let (_api, generation) = made(json!({ "images": [{ "url": url }] })).await;
        let dir = tempfile::tempdir().unwrap();
        let error = generation.download(dir.path()).await.unwrap_err();
        assert!(matches!(error, Error::Download { .. }), "{error:?}");
        assert_eq!(error.request_id(), Some(id()));
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        assert!(names(dir.path()).is_empty());
    }
}

#[tokio::test]
async fn only_http_is_fetched() {
    let dir = tempfile::tempdir().unwrap();
    for url in ["file:///etc/passwd", "data:text/plain,x", "http://"] {
        let (_api, generation) = made(json!({ "images": [{ "url": url }] })).await;
        let error = generation.download(dir.path()).await.unwrap_err();
        assert!(matches!(error, Error::Download { transient: false, .. }), "{url}: {error:?}");
    }
    assert!(names(dir.path()).is_empty());
}

#[tokio::test]
async fn what_has_not_ended_or_made_nothing_has_no_files() {
    let api = Peer::script(vec![
        state("IN_PROGRESS", json!({ "progress": 10 })),
        state("FAILED", json!({})),
        state("COMPLETED", json!({})),
    ])
    .await;
    let generation = api.client().generation(id());
    let dir = tempfile::tempdir().unwrap();
    let error = generation.download(dir.path()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("generation {ID} has not ended: it is still IN_PROGRESS (10 %)"));
    assert!(matches!(generation.download(dir.path()).await, Err(Error::Failed(_))));
    assert!(generation.download(dir.path()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_directory_that_cannot_be_is_named() {
    let (_api, generation) = made(json!({})).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = generation.download(&file).await.unwrap_err();
    assert!(matches!(&error, Error::Io { path, .. } if *path == file), "{error:?}");
}
