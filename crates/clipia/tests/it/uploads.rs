//! Uploads: what is sent, what is sent again, and what a server without uploads gets.

use crate::peer::{KEY, Peer, Reply, error_reply, json_reply};
use clipia::{Error, json};
use std::time::Duration;

fn kept() -> Reply {
    let url = "http://here/media/uploads/00112233445566778899aabbccddeeff/fox.png";
    json_reply(
        201,
        json!({ "url": url, "file_name": "fox.png", "file_size": 300_000, "kept": "of a newer API" }),
    )
}

/// Some bytes in a file.
fn file(bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("my fox.png");
    std::fs::write(&path, bytes).unwrap();
    (directory, path)
}

#[tokio::test]
async fn a_file_is_sent_whole_with_its_length_and_again_from_the_start() {
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let (_directory, path) = file(&bytes);
    // The first connection breaks in the middle of the file.
    let peer = Peer::resetting(vec![100_000], |number, _| match number {
        0 => error_reply(503, "service_unavailable", &[]),
        _ => kept(),
    })
    .await;
    let clipia = peer.builder().retry_delay(Duration::ZERO).build().unwrap();
    let fox = clipia.upload(&path).await.unwrap();
    assert!(fox.url.ends_with("/fox.png") && fox.extra["kept"] == "of a newer API", "{fox:?}");
    let seen = peer.seen();
    assert_eq!(seen.len(), 2);
    for seen in &seen {
        assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/v1/uploads?file_name=my+fox.png"));
        assert_eq!(seen.headers["authorization"], format!("Bearer {KEY}"));
        assert_eq!(seen.headers["content-type"], "application/octet-stream");
        assert_eq!(seen.headers["content-length"], "300000");
        assert!(seen.body == bytes);
    }
    clipia.upload_bytes(bytes.clone(), "hen").await.unwrap();
    assert!(peer.seen()[2].body == bytes && peer.seen()[2].path.ends_with("=hen"));
}

#[tokio::test]
async fn a_server_without_uploads_gets_a_small_file_in_the_input() {
    let peer = Peer::script(vec![error_reply(404, "not_found", &[])]).await;
    let (_directory, path) = file(b"\x89PNG\r\n\x1a\n");
    let fox = peer.client().upload(&path).await.unwrap();
    assert_eq!(fox.url, "data:image/png;base64,iVBORw0KGgo=");
    assert_eq!((fox.content_type.as_deref(), fox.expires_at), (Some("image/png"), None));
    let error = peer.client().upload_bytes(vec![7; 5_000_000], "clip.mp4").await.unwrap_err();
    assert!(matches!(&error, Error::UploadUnsupported { bytes: 5_000_000, .. }), "{error:?}");
    assert!(error.to_string().contains("takes no uploads, and `clip.mp4` has 5 MiB"), "{error}");
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn a_refusal_and_a_silence_are_errors_by_name() {
    let full = Peer::script(vec![error_reply(403, "upload_limit_exceeded", &[])]).await;
    let error = full.client().upload_bytes("a fox", "fox.png").await.unwrap_err();
    assert!(matches!(error, Error::UploadLimitExceeded(_)), "{error:?}");
    let large = Peer::script(vec![error_reply(413, "upload_too_large", &[])]).await;
    let error = large.client().upload_bytes("a fox", "fox.png").await.unwrap_err();
    assert!(matches!(error, Error::UploadTooLarge(_)), "{error:?}");
    assert_eq!((large.seen().len(), error.is_retryable()), (1, false));

    let silent = Peer::script(vec![Reply::Hang]).await;
    let clipia = silent.builder().timeout(Duration::from_millis(200)).max_retries(1);
    let clipia = clipia.retry_delay(Duration::ZERO).build().unwrap();
    let error = clipia.upload_bytes("a fox", "fox.png").await.unwrap_err();
    assert!(matches!(error, Error::Timeout { attempts: 2, .. }), "{error:?}");

    let (directory, path) = file(b"a fox");
    for (path, reason) in
        [(path.with_file_name("none.png"), "none.png"), (directory.path().into(), "no regular file")]
    {
        let error = silent.client().upload(&path).await.unwrap_err();
        assert!(matches!(error, Error::UploadFile { .. }) && error.to_string().contains(reason), "{error}");
    }
}
