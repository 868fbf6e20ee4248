//! Downloads: whole files under safe names, resumed after every break; and no key for media
//! hosts.

use crate::peer::{ID, Peer, Reply, Seen, body_reply, cut, stalled, state};
use clipia::{DownloadProgress, Error, Generation, RequestId, json};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

fn id() -> RequestId {
    ID.parse().unwrap()
}

fn png(body: &[u8]) -> Reply {
    body_reply(200, &[("content-type", "image/png")], body)
}

/// A generation with this output, on a peer of its own.
async fn made(output: Value) -> (Peer, Generation) {
    let api = Peer::script(vec![state("COMPLETED", json!({ "output": output }))]).await;
    let generation = api.client().generation(id());
    (api, generation)
}

/// A generation of one image at this URL.
async fn made_one(url: &str) -> (Peer, Generation) {
    made(json!({ "images": [{ "url": url }] })).await
}

/// A version of the long file, which begins with its number. No byte is the same in two versions.
fn clip(version: u32) -> Vec<u8> {
    (0..LONG as u32 / 4).flat_map(|n| (version ^ n.wrapping_mul(0x9e37_79b9)).to_le_bytes()).collect()
}

const LONG: usize = 100_000;

/// The reply of a host with ranges: the file, or the rest of it if the version is still the same.
fn ranged(file: &[u8], tag: &str, seen: &Seen) -> Reply {
    let png = ("content-type", "image/png");
    let from = seen.headers.get("range").map(|range| range[6..range.len() - 1].parse::<usize>().unwrap());
    match from.filter(|from| seen.headers["if-range"] == tag && *from < file.len()) {
        None => body_reply(200, &[png, ("etag", tag)], file),
        Some(from) => {
            let range = format!("bytes {from}-{}/{}", file.len() - 1, file.len());
            // Without a content type, as RFC 9110 allows.
            body_reply(206, &[("etag", tag), ("content-range", &range)], &file[from..])
        }
    }
}

/// The length of a reply's body.
fn body(reply: &Reply) -> usize {
    let (Reply::Bytes(all, _) | Reply::Stall(all)) = reply else { return 0 };
    all.len() - all.windows(4).position(|four| four == b"\r\n\r\n").unwrap() - 4
}

/// The position in the file at which a reply's body begins.
fn first_byte(reply: &Reply) -> usize {
    let (Reply::Bytes(all, _) | Reply::Stall(all)) = reply else { return 0 };
    let head = String::from_utf8_lossy(&all[..all.len() - body(reply)]).into_owned();
    let range = head.split_once("content-range: bytes ").and_then(|(_, range)| range.split_once('-'));
    range.map_or(0, |(first, _)| first.parse().unwrap_or(0))
}

/// A host of the long file that changes its n-th reply by `fault`; and the number of bytes that it has sent.
async fn host(fault: impl Fn(usize, Reply) -> Reply + Send + Sync + 'static) -> (Peer, Arc<AtomicUsize>) {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let peer = Peer::new(move |n, seen| {
        let reply = fault(n, ranged(&clip(1), "\"v1\"", seen));
        count.fetch_add(body(&reply), Ordering::SeqCst);
        reply
    })
    .await;
    (peer, sent)
}

/// Downloads until this many bytes of a file were received, then drops the download; or returns its result if it ends
/// before.
async fn interrupted(
    generation: &Generation,
    dir: &Path,
    bytes: impl Fn() -> usize + Send + 'static,
) -> Option<Result<Vec<PathBuf>, Error>> {
    let here = Arc::new(Notify::new());
    let notify = Arc::clone(&here);
    let download = generation.download(dir).on_progress(move |file| {
        if file.bytes == bytes() as u64 {
            notify.notify_one();
        }
    });
    tokio::select! {
        biased;
        () = here.notified() => None,
        ended = download.into_future() => Some(ended),
    }
}

/// The names of files that are not partial files.
fn finished(dir: &Path) -> Vec<String> {
    names(dir).into_iter().filter(|name| !name.starts_with('.')).collect()
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn every_file_is_saved_once_in_full_quality_under_a_safe_name() {
    let media = Peer::new(|_, seen| match seen.path.as_str() {
        "/1" => png(b"one"),
        "/2.exe?type=/../../x.sh" => body_reply(200, &[("content-type", "application/x-msdownload")], b"two"),
        "/..%2f..%2fclip.webm" => body_reply(200, &[("content-type", "application/octet-stream")], b"clip"),
        "/say" => body_reply(200, &[], b"hello"),
        "/song" => body_reply(200, &[("content-type", "Audio/MPEG; rate=44100")], b"song"),
        "/mesh" => body_reply(200, &[("content-type", "binary/octet-stream")], b"glTF\x02\0\0\0"),
        "/3.jpeg" => body_reply(200, &[], b"three"),
        "/depth.json" => body_reply(200, &[("content-type", "application/json")], b"{\"depth\": 1}"),
        other => panic!("nobody should ask for {other}"),
    })
    .await;
    let at = |path: &str| format!("{}{path}", media.url);
    let (api, generation) = made(json!({
        "images": [
            { "url": at("/small"), "original_url": at("/1") },
            { "url": at("/2.exe?type=/../../x.sh#y") },
        ],
        "video": { "url": at("/..%2f..%2fclip.webm") },
        "audio": { "url": at("/say"), "format": "wav" },
        "audios": [{ "url": at("/say"), "format": "wav" }, { "url": at("/song"), "format": "sh" }],
        "model_3d": { "url": at("/mesh") },
        "files": [{ "url": at("/depth.json") }, at("/mesh"), { "original_url": at("/3.jpeg") }, 7],
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
        ("file-1.json", "{\"depth\": 1}"),
        ("file-2.glb", "glTF\x02\0\0\0"),
        ("file-3.jpg", "three"),
    ];
    for (path, (name, content)) in paths.iter().zip(want) {
        assert_eq!(*path, out.join(format!("{ID}-{name}")));
        assert_eq!(std::fs::read_to_string(path).unwrap(), content);
    }
    assert_eq!((paths.len(), names(&out).len()), (8, 8));
    assert!(api.seen().iter().all(|seen| seen.headers.contains_key("authorization")));
    for seen in media.seen() {
        assert!(!seen.headers.contains_key("authorization") && !seen.headers.contains_key("x-api-key"));
    }
}

#[tokio::test]
async fn renditions_are_saved_on_request_beside_the_originals() {
    let media = Peer::new(|_, seen| png(seen.path.as_bytes())).await;
    let at = |path: &str| format!("{}{path}", media.url);
    let (_api, generation) = made(json!({
        "images": [{ "url": at("/small"), "original_url": at("/full") }, { "url": at("/only") }],
        "video": { "url": at("/same"), "original_url": at("/same") },
    }))
    .await;
    let dir = tempfile::tempdir().unwrap();
    generation.download(dir.path()).await.unwrap();
    let paths = generation.download(dir.path()).renditions().await.unwrap();
    let content = |name: &str| std::fs::read_to_string(dir.path().join(format!("{ID}-{name}.png"))).unwrap();
    for (path, (name, want)) in
        paths.iter().zip([("image-1-rendition", "/small"), ("image-2", "/only"), ("video-1", "/same")])
    {
        assert_eq!(*path, dir.path().join(format!("{ID}-{name}.png")));
        assert_eq!(content(name), want);
    }
    assert_eq!((paths.len(), content("image-1").as_str()), (3, "/full"));
}

#[tokio::test]
async fn a_broken_transfer_is_resumed_and_progress_uses_up_no_retries() {
    let (media, sent) = host(|n, reply| match n {
        0..5 => cut(reply, 18_000),
        _ => reply,
    })
    .await;
    let (api, _) = made_one(&(media.url.clone() + "/1")).await;
    let generation = api.builder().max_retries(0).build().unwrap().generation(id());
    let dir = tempfile::tempdir().unwrap();
    let paths = generation.download(dir.path()).await.unwrap();
    assert_eq!(std::fs::read(&paths[0]).unwrap(), clip(1));
    assert_eq!(names(dir.path()), [format!("{ID}-image-1.png")]);
    assert_eq!(sent.load(Ordering::SeqCst), LONG);
    for (n, seen) in media.seen().iter().enumerate() {
        let range = (n > 0).then(|| format!("bytes={}-", n * 18_000));
        assert_eq!(seen.headers.get("range"), range.as_ref());
        assert_eq!(seen.headers.get("if-range").map(String::as_str), range.map(|_| "\"v1\""));
        assert_eq!(seen.headers["accept-encoding"], "identity");
    }
}

#[tokio::test]
async fn the_rest_is_requested_again_from_a_silent_host() {
    let (media, sent) = host(|n, reply| if n == 0 { stalled(reply, 1000) } else { reply }).await;
    let (api, _) = made_one(&(media.url.clone() + "/1")).await;
    let clipia = api.builder().timeout(Duration::from_millis(200)).build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let paths = clipia.generation(id()).download(dir.path()).await.unwrap();
    assert_eq!(std::fs::read(&paths[0]).unwrap(), clip(1));
    assert_eq!((sent.load(Ordering::SeqCst), media.seen().len()), (LONG, 2));
}

#[tokio::test]
async fn a_killed_download_is_resumed_by_the_next() {
    let (media, sent) = host(|n, reply| if n == 0 { stalled(reply, 40_000) } else { reply }).await;
    // Each URL has another signature.
    let (_api, generation) = made_one(&(media.url.clone() + "/1?signature=one")).await;
    let dir = tempfile::tempdir().unwrap();
    assert!(interrupted(&generation, dir.path(), || 40_000).await.is_none());
    assert!(finished(dir.path()).is_empty() && !names(dir.path()).is_empty());

    let (_api, generation) = made_one(&(media.url.clone() + "/1?signature=two")).await;
    let reported = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&reported);
    let download =
        generation.download(dir.path()).on_progress(move |file| sink.lock().unwrap().push(file.clone()));
    let paths = download.await.unwrap();
    assert_eq!(std::fs::read(&paths[0]).unwrap(), clip(1));
    assert_eq!(names(dir.path()), [format!("{ID}-image-1.png")]);
    assert_eq!((sent.load(Ordering::SeqCst), media.seen().len()), (LONG, 2));

    let reported = reported.lock().unwrap();
    let first = reported.first().unwrap();
    assert_eq!((first.bytes, first.total_bytes, first.files_done), (40_000, Some(LONG as u64), 0));
    let last = reported.last().unwrap();
    assert_eq!((last.bytes, last.total_bytes, last.files_done), (LONG as u64, Some(LONG as u64), 1));
    assert!(
        reported.iter().all(|file| file.path == paths[0]) && reported.is_sorted_by_key(|file| file.bytes)
    );
}

#[tokio::test]
async fn a_whole_file_without_its_name_is_not_fetched_again() {
    let (media, _) = host(|_, reply| stalled(reply, 40_000)).await;
    let (_api, generation) = made_one(&(media.url.clone() + "/1")).await;
    let dir = tempfile::tempdir().unwrap();
    assert!(interrupted(&generation, dir.path(), || 40_000).await.is_none());
    std::fs::write(dir.path().join(format!(".{ID}-image-1.part")), clip(1)).unwrap();
    let paths = generation.download(dir.path()).await.unwrap();
    assert_eq!(std::fs::read(&paths[0]).unwrap(), clip(1));
    assert_eq!((names(dir.path()).len(), media.seen().len()), (1, 1));
}

/// One row: the headers with the first half of a file, and the host's reply to the request for the rest.
async fn never_mixed(
    what: &str,
    first: &[(&str, &str)],
    then: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) {
    let mut headers = vec![("content-type", "image/png")];
    headers.extend_from_slice(first);
    let whole = body_reply(200, &headers, &clip(1));
    let media = Peer::new(move |n, seen| match n {
        0 => stalled(whole.clone(), 40_000),
        _ if seen.headers.contains_key("range") => then(seen),
        _ => png(&clip(2)),
    })
    .await;
    let (api, _) = made_one(&(media.url.clone() + "/1")).await;
    let generation = api.builder().max_retries(0).build().unwrap().generation(id());
    let dir = tempfile::tempdir().unwrap();
    assert!(interrupted(&generation, dir.path(), || 40_000).await.is_none(), "{what}");
    let paths = generation.download(dir.path()).await.unwrap();
    assert!(std::fs::read(&paths[0]).unwrap() == clip(2), "{what}");
    assert_eq!(names(dir.path()).len(), 1, "{what}");
}

#[tokio::test]
async fn no_file_is_mixed_of_two_versions() {
    const NOW: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    let v1 = [("etag", "\"v1\"")];
    let part = |tag: &'static str, range: &'static str| {
        move |_: &Seen| body_reply(206, &[("etag", tag), ("content-range", range)], &clip(2)[40_000..])
    };
    never_mixed("ignores ranges", &v1, |_| png(&clip(2))).await;
    never_mixed("refuses the condition", &v1, |_| body_reply(412, &[], b"")).await;
    never_mixed("refuses the range", &v1, |_| body_reply(416, &[("content-range", "bytes */9")], b"")).await;
    never_mixed("ignores the condition", &v1, part("\"v2\"", "bytes 40000-99999/100000")).await;
    never_mixed("says not which", &v1, |_| {
        body_reply(206, &[("content-range", "bytes 40000-99999/100000")], &clip(2)[40_000..])
    })
    .await;
    never_mixed("begins elsewhere", &v1, part("\"v1\"", "bytes 39999-99998/100000")).await;
    never_mixed("is of another size", &v1, part("\"v1\"", "bytes 40000-99999/200000")).await;
    never_mixed("says not where", &v1, |_| body_reply(206, &[("etag", "\"v1\"")], &clip(2)[40_000..])).await;
    let never = |_: &Seen| -> Reply { panic!("nothing proves that it is still the same") };
    never_mixed("names no version", &[], never).await;
    never_mixed("has a weak tag", &[("etag", "W/\"v1\"")], never).await;
    never_mixed("is as young as its date", &[("last-modified", NOW), ("date", NOW)], never).await;
}

#[tokio::test]
async fn without_a_tag_a_date_is_a_validator() {
    const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    let dates = [("last-modified", MODIFIED), ("date", "Sun, 06 Nov 1994 08:50:00 GMT")];
    let media = Peer::new(move |_, seen| match seen.headers.get("range") {
        None => stalled(body_reply(200, &dates, &clip(1)), 40_000),
        Some(range) => {
            assert_eq!((range.as_str(), seen.headers["if-range"].as_str()), ("bytes=40000-", MODIFIED));
            let range = ("content-range", "bytes 40000-99999/100000");
            body_reply(206, &[dates[0], dates[1], range], &clip(1)[40_000..])
        }
    })
    .await;
    let (_api, generation) = made_one(&(media.url.clone() + "/1.png")).await;
    let dir = tempfile::tempdir().unwrap();
    assert!(interrupted(&generation, dir.path(), || 40_000).await.is_none());
    let paths = generation.download(dir.path()).await.unwrap();
    assert_eq!(std::fs::read(&paths[0]).unwrap(), clip(1));
}

#[tokio::test]
async fn a_partial_file_that_cannot_be_resumed_is_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let media = Peer::script(vec![stalled(png(b"whole"), 3)]).await;
    let (_api, generation) = made_one(&(media.url.clone() + "/1")).await;
    assert!(interrupted(&generation, dir.path(), || 3).await.is_none());
    assert!(names(dir.path()).is_empty());
}

#[tokio::test]
async fn without_a_validator_a_broken_file_is_fetched_again() {
    let media = Peer::script(vec![cut(png(b"whole"), 3), body_reply(503, &[], b""), png(b"whole")]).await;
    let (_api, generation) = made_one(&(media.url.clone() + "/1")).await;
    let dir = tempfile::tempdir().unwrap();
    let paths = generation.download(dir.path()).await.unwrap();
    assert_eq!(std::fs::read(&paths[0]).unwrap(), b"whole");
    assert_eq!(names(dir.path()).len(), 1);
}

#[tokio::test]
async fn a_file_that_never_becomes_whole_gets_no_name() {
    let tag = [("content-type", "image/png"), ("etag", "\"v1\"")];
    let gzip = [("content-encoding", "gzip")];
    let endless = Reply::Stall(
        b"HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 3-4/5\r\netag: \"v1\"\r\n\
          transfer-encoding: chunked\r\n\r\n4\r\nolex\r\n"
            .to_vec(),
    );
    for (replies, want, tries) in [
        (vec![cut(png(b"whole"), 3)], "", 3),
        (vec![Reply::Reset], "", 3),
        (vec![body_reply(404, &[], b"gone")], "the media host answered 404 Not Found", 1),
        (vec![body_reply(206, &[], b"ole")], "the media host answered 206 Partial Content", 1),
        (vec![body_reply(200, &gzip, b"whole")], "answered in the coding `gzip`, which was not asked for", 1),
        (vec![cut(body_reply(200, &tag, b"whole"), 3), endless, Reply::Reset], "", 4),
    ] {
        let media = Peer::script(replies).await;
        let (_api, generation) = made_one(&(media.url.clone() + "/1.png?signature=secret#secret")).await;
        let dir = tempfile::tempdir().unwrap();
        let begun = Instant::now();
        let error = generation.download(dir.path()).await.unwrap_err();
        assert!(begun.elapsed() < Duration::from_secs(20), "it waited for more: {error}");
        assert!(matches!(error, Error::Download { .. }), "{error:?}");
        assert_eq!(error.request_id(), Some(&id()));
        let said = error.to_string();
        assert!(
            said.starts_with(&format!("cannot download {}/1.png: ", media.url)) && said.ends_with(want),
            "{said}"
        );
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        assert!(names(dir.path()).is_empty(), "{:?} after {said}", names(dir.path()));
        assert_eq!(media.seen().len(), tries, "{said}");
    }
}

#[tokio::test]
async fn an_existing_file_is_not_fetched_again() {
    let (media, _) = host(|n, reply| match n {
        // The first bytes are enough for the comparison.
        1 => stalled(reply, 1 << 16),
        _ => reply,
    })
    .await;
    let (_api, generation) = made_one(&(media.url.clone() + "/1")).await;
    let dir = tempfile::tempdir().unwrap();
    let paths = generation.download(dir.path()).await.unwrap();
    let touched = || std::fs::metadata(&paths[0]).unwrap().modified().unwrap();
    let before = touched();
    let reported = Arc::new(Mutex::new(None));
    let sink = Arc::clone(&reported);
    let download =
        generation.download(dir.path()).on_progress(move |file| *sink.lock().unwrap() = Some(file.clone()));
    assert_eq!(download.await.unwrap(), paths);
    assert_eq!(touched(), before);
    let reported = reported.lock().unwrap().take().unwrap();
    assert_eq!(
        (reported.bytes, reported.total_bytes, reported.files_done),
        (LONG as u64, Some(LONG as u64), 1)
    );
    assert_eq!((names(dir.path()).len(), media.seen().len()), (1, 2));
}

#[tokio::test]
async fn a_file_with_other_content_is_replaced_only_with_overwrite() {
    let other_bytes = {
        let mut bytes = clip(1);
        bytes[9] ^= 1;
        bytes
    };
    let type_only = [("content-type", "image/png")];
    let sized = body_reply(200, &[("content-type", "image/png"), ("etag", "\"v1\"")], &clip(1));
    let unsized_reply = {
        let mut reply = b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\nconnection: close\r\n\r\n".to_vec();
        reply.extend(clip(1));
        Reply::Bytes(reply, false)
    };
    for (what, reply, there, same) in [
        ("of another size", sized.clone(), b"cut short".to_vec(), false),
        ("empty", sized.clone(), Vec::new(), false),
        ("of the same size", body_reply(200, &type_only, &clip(1)), other_bytes.clone(), false),
        ("of the same size, not announced", unsized_reply.clone(), other_bytes, false),
        ("the same, without an announced size", unsized_reply, clip(1), true),
    ] {
        let media = Peer::new(move |_, _| reply.clone()).await;
        let (_api, generation) = made_one(&(media.url.clone() + "/1")).await;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(format!("{ID}-image-1.png"));
        std::fs::write(&path, &there).unwrap();
        let downloaded = generation.download(dir.path()).await;
        assert!(std::fs::read(&path).unwrap() == there, "{what}");
        match downloaded {
            Ok(paths) => assert!(same && paths == [path.as_path()], "{what}"),
            Err(Error::Io { path: named, cause, .. }) => {
                assert_eq!(
                    (named, cause.kind()),
                    (path.clone(), std::io::ErrorKind::AlreadyExists),
                    "{what}"
                );
                assert!(!same && cause.to_string().contains("`overwrite`"), "{what}: {cause}");
            }
            Err(error) => panic!("{what}: {error:?}"),
        }
        assert_eq!(
            generation.download(dir.path()).overwrite(true).await.unwrap(),
            [path.as_path()],
            "{what}"
        );
        assert!(std::fs::read(&path).unwrap() == clip(1), "{what}");
        assert_eq!(names(dir.path()).len(), 1, "{what}");
    }
}

#[tokio::test]
async fn a_page_in_place_of_a_file_is_an_error_that_shows_it() {
    let typed = |content_type, body| body_reply(200, &[("content-type", content_type)], body);
    let page = "the media host sent a page in place of the file, of ";
    for (kind, reply, want, tries) in [
        (
            "images",
            typed("text/html", b"<!DOCTYPE html><p>Sign in\x1b[2J</p>"),
            Some("`text/html`: <!DOCTYPE html><p>Sign in[2J</p>"),
            1,
        ),
        (
            "images",
            typed("image/png", b"<html>signature=secret</html>"),
            Some("`image/png`: <html>signature=…</html>"),
            1,
        ),
        (
            "images",
            body_reply(200, &[], b"<?xml version=\"1.0\"?>\n<Error/>"),
            Some("`no type`: <?xml version=\"1.0\"?> <Error/>"),
            1,
        ),
        (
            "images",
            typed("application/json", b"{\"detail\": \"gone\"}"),
            Some("`application/json`: {\"detail\": \"gone\"}"),
            1,
        ),
        ("images", typed("text/plain", b"no such key"), Some("`text/plain`: no such key"), 1),
        ("images", typed("image/png", b""), Some("the media host sent an empty file"), 3),
        ("images", typed("text/html", b"\x89PNG\r\n\x1a\n\0"), None, 1),
        ("images", typed("image/svg+xml", b"<svg></svg>"), None, 1),
        ("files", typed("application/json", b"{\"detail\": \"gone\"}"), None, 1),
        ("files", typed("text/plain", b""), None, 1),
    ] {
        let media = Peer::new(move |_, _| reply.clone()).await;
        let url = media.url.clone() + "/1?signature=secret";
        let (api, _) = made(json!({ (kind): [{ "url": url }] })).await;
        let generation = api.builder().max_retries(2).build().unwrap().generation(id());
        let dir = tempfile::tempdir().unwrap();
        let downloaded = generation.download(dir.path()).await;
        match (downloaded, want) {
            (Ok(paths), None) => assert!(paths[0].exists()),
            (Err(error), Some(want)) => {
                let want = if want.starts_with('`') { format!("{page}{want}") } else { want.to_owned() };
                assert_eq!(error.to_string(), format!("cannot download {}/1: {want}", media.url));
                assert!(matches!(error, Error::Download { transient, .. } if transient == (tries > 1)));
                assert!(names(dir.path()).is_empty(), "{want}");
            }
            (downloaded, want) => panic!("{downloaded:?} for {want:?}"),
        }
        assert_eq!(media.seen().len(), tries, "{want:?}");
    }
}

#[tokio::test]
async fn an_error_page_does_not_remove_a_partial_file() {
    let (media, sent) = host(|n, reply| match n {
        0 => stalled(reply, 40_000),
        1 => body_reply(200, &[("content-type", "text/html"), ("etag", "\"v2\"")], b"<html>later</html>"),
        _ => reply,
    })
    .await;
    let (_api, generation) = made_one(&(media.url.clone() + "/1")).await;
    let dir = tempfile::tempdir().unwrap();
    assert!(interrupted(&generation, dir.path(), || 40_000).await.is_none());
    assert!(matches!(generation.download(dir.path()).await, Err(Error::Download { .. })));
    let paths = generation.download(dir.path()).await.unwrap();
    assert_eq!(std::fs::read(&paths[0]).unwrap(), clip(1));
    assert_eq!(sent.load(Ordering::SeqCst), LONG + "<html>later</html>".len());
}

#[tokio::test]
async fn a_resumed_file_gets_the_same_name() {
    let file = [b"glTF\x02\0\0\0".as_slice(), &clip(1)].concat();
    let media = Peer::new(move |n, seen| {
        let from = seen.headers.get("range").map(|range| range[6..range.len() - 1].parse::<usize>().unwrap());
        match from {
            None if n == 0 => stalled(body_reply(200, &[("etag", "\"v1\"")], &file), 40_000),
            None => body_reply(200, &[("etag", "\"v1\"")], &file),
            Some(from) => {
                let range = format!("bytes {from}-{}/{}", file.len() - 1, file.len());
                body_reply(206, &[("etag", "\"v1\""), ("content-range", &range)], &file[from..])
            }
        }
    })
    .await;
    let (_api, generation) = made(json!({ "mesh": media.url.clone() + "/1" })).await;
    let dir = tempfile::tempdir().unwrap();
    assert!(interrupted(&generation, dir.path(), || 40_000).await.is_none());
    let paths = generation.download(dir.path()).await.unwrap();
    assert_eq!(paths, [dir.path().join(format!("{ID}-mesh-1.glb"))]);
    assert_eq!(generation.download(dir.path()).await.unwrap(), paths);
    assert_eq!(media.seen()[1].headers["range"], "bytes=40000-");
}

#[tokio::test]
async fn a_failure_of_an_unknown_file_does_not_lose_the_others() {
    let media = Peer::new(|_, seen| match seen.path.as_str() {
        "/gone" => body_reply(404, &[], b""),
        _ => png(b"whole"),
    })
    .await;
    let at = |path: &str| format!("{}{path}", media.url);
    let (_api, generation) = made(json!({ "aaa": at("/gone"), "images": [{ "url": at("/1") }] })).await;
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(generation.download(dir.path()).await, Err(Error::Download { .. })));
    assert_eq!(names(dir.path()), [format!("{ID}-image-1.png")]);
}

/// One row: a link under one of the names that a download writes, and whether it is an error. The target of
/// the link is never changed.
#[cfg(unix)]
async fn not_written_through(
    name: &str,
    link: fn(&Path, &Path) -> std::io::Result<()>,
    overwrite: bool,
    refused: bool,
) {
    let media = Peer::new(|_, seen| ranged(&clip(1), "\"v1\"", seen)).await;
    let (_api, generation) = made_one(&(media.url.clone() + "/1")).await;
    let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (mine, link_path) = (elsewhere.path().join("mine"), dir.path().join(name.replace("ID", ID)));
    std::fs::write(&mine, "precious").unwrap();
    link(&mine, &link_path).unwrap();
    let downloaded = generation.download(dir.path()).overwrite(overwrite).await;
    assert_eq!(std::fs::read_to_string(&mine).unwrap(), "precious", "{name}");
    match downloaded {
        Ok(paths) => {
            assert!(!refused && std::fs::read(&paths[0]).unwrap() == clip(1), "{name}");
            assert!(std::fs::symlink_metadata(&paths[0]).unwrap().is_file(), "{name}");
            assert_eq!(names(dir.path()).len(), 1, "{name}");
        }
        Err(Error::Io { path, .. }) => assert!(refused && path == link_path, "{name}: {path:?}"),
        Err(error) => panic!("{name}: {error:?}"),
    }
}

#[cfg(unix)]
#[tokio::test]
async fn no_link_is_written_through() {
    use std::os::unix;
    let symlink = |mine: &Path, link: &Path| unix::fs::symlink(mine, link);
    let dangling = |mine: &Path, link: &Path| unix::fs::symlink(mine.with_file_name("nothing"), link);
    let hard = |mine: &Path, link: &Path| std::fs::hard_link(mine, link);
    let directory = |_: &Path, link: &Path| std::fs::create_dir(link);
    for (name, link, overwrite, refused) in [
        (".ID-image-1.part", symlink as fn(&Path, &Path) -> std::io::Result<()>, false, true),
        (".ID-image-1.part", symlink, true, true),
        (".ID-image-1.part", dangling, false, true),
        (".ID-image-1.part", directory, false, true),
        (".ID-image-1.part", hard, false, false),
        (".ID-image-1.part.json", symlink, false, false),
        (".ID-image-1.part.json", dangling, false, false),
        (".ID-image-1.part.json", hard, false, false),
        ("ID-image-1.png", symlink, false, true),
        ("ID-image-1.png", dangling, false, true),
        ("ID-image-1.png", directory, false, true),
        ("ID-image-1.png", symlink, true, false),
        ("ID-image-1.png", hard, false, true),
        ("ID-image-1.png", hard, true, false),
    ] {
        not_written_through(name, link, overwrite, refused).await;
    }
}

#[tokio::test]
async fn the_second_download_of_a_file_waits_for_the_first() {
    let (media, sent) = host(|n, reply| if n == 0 { stalled(reply, 40_000) } else { reply }).await;
    let (_api, generation) = made_one(&(media.url.clone() + "/1")).await;
    let dir = tempfile::tempdir().unwrap();
    let here = Arc::new(Notify::new());
    let notify = Arc::clone(&here);
    let first = generation.download(dir.path()).on_progress(move |file| {
        if file.bytes == 40_000 {
            notify.notify_one();
        }
    });
    let first = tokio::spawn(first.into_future());
    here.notified().await;
    let second = tokio::spawn(generation.download(dir.path()).into_future());
    let third = tokio::spawn(generation.download(dir.path()).into_future());
    // Both have the result, and would fetch the file next.
    while _api.seen().len() < 3 {
        tokio::task::yield_now().await;
    }
    first.abort();
    for paths in [second, third] {
        assert_eq!(std::fs::read(&paths.await.unwrap().unwrap()[0]).unwrap(), clip(1));
    }
    assert_eq!(names(dir.path()), [format!("{ID}-image-1.png")]);
    // One download resumed the stopped one, the other compared the existing file.
    assert_eq!((sent.load(Ordering::SeqCst), media.seen().len()), (2 * LONG, 3));
}

#[tokio::test]
async fn many_simultaneous_downloads_of_the_same_files_do_no_harm() {
    let media = Peer::new(|_, seen| ranged(&clip(seen.path[1..].parse().unwrap()), "\"v\"", seen)).await;
    let images: Vec<_> = (1..8).map(|n| json!({ "url": format!("{}/{n}", media.url) })).collect();
    let (_api, generation) = made(json!({ "images": images })).await;
    let dir = tempfile::tempdir().unwrap();
    let download = || generation.download(dir.path()).into_future();
    let (one, two, three) = tokio::join!(download(), download(), download());
    for paths in [one, two, three] {
        for (path, n) in paths.unwrap().iter().zip(1..) {
            assert!(std::fs::read(path).unwrap() == clip(n));
        }
    }
    assert_eq!(names(dir.path()).len(), 7);
}

#[tokio::test]
async fn a_retry_after_of_a_host_is_obeyed() {
    let busy = |seconds| body_reply(503, &[("retry-after", seconds)], b"");
    let media = Peer::script(vec![busy("1"), png(b"whole"), busy("61")]).await;
    let (_api, generation) = made_one(&(media.url.clone() + "/1")).await;
    let dir = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    generation.download(dir.path()).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));
    let error = generation.download(dir.path()).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(61)));
    assert!(error.is_retryable());
    assert_eq!(media.seen().len(), 3);
}

#[tokio::test]
async fn redirects_are_followed_without_a_referer_and_not_for_ever() {
    let last = Peer::script(vec![png(b"whole")]).await;
    let to = last.url.clone() + "/2?signature=secret";
    let first = Peer::new(move |_, seen| match seen.path.as_str() {
        "/1?signature=secret" => body_reply(302, &[("location", &to)], b""),
        round => body_reply(302, &[("location", round)], b""),
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let (_api, generation) = made_one(&(first.url.clone() + "/1?signature=secret")).await;
    generation.download(dir.path()).await.unwrap();
    for seen in first.seen().iter().chain(&last.seen()) {
        assert!(
            !["referer", "authorization", "x-api-key"].iter().any(|name| seen.headers.contains_key(*name))
        );
    }
    let before = first.seen().len();
    let (_api, generation) = made_one(&(first.url.clone() + "/round?signature=secret")).await;
    let error = generation.download(dir.path()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot download {}/round: it redirects too often", first.url));
    assert!(!error.is_retryable() && !format!("{error:?}").contains("secret"));
    assert_eq!(first.seen().len() - before, 6);
}

#[tokio::test]
async fn media_of_the_api_itself_get_no_key_either() {
    let output = json!({ "output": { "images": [{ "url": "/media/1.png" }] } });
    let api = Peer::new(move |_, seen| match seen.path.as_str() {
        "/media/1.png" => png(b"whole"),
        _ => state("COMPLETED", output.clone()),
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let paths = api.client().generation(id()).download(dir.path()).await.unwrap();
    assert_eq!(std::fs::read(&paths[0]).unwrap(), b"whole");
    let media = &api.seen()[1];
    assert_eq!(media.path, "/media/1.png");
    assert!(!media.headers.contains_key("authorization") && !media.headers.contains_key("x-api-key"));
}

#[tokio::test]
async fn progress_is_reported_for_every_file() {
    let media = Peer::new(|_, seen| png(&vec![0; seen.path[1..].parse().unwrap()])).await;
    let sizes = [3, 7, 100_000, 2, 1, 5];
    let images: Vec<_> = sizes.iter().map(|size| json!({ "url": format!("{}/{size}", media.url) })).collect();
    let (_api, generation) = made(json!({ "images": images })).await;
    let dir = tempfile::tempdir().unwrap();
    let reported = Arc::new(Mutex::new(Vec::<DownloadProgress>::new()));
    let sink = Arc::clone(&reported);
    let paths = generation
        .download(dir.path())
        .on_progress(move |file| sink.lock().unwrap().push(file.clone()))
        .await
        .unwrap();
    let reported = reported.lock().unwrap();
    let last: BTreeMap<_, _> = reported.iter().map(|file| (file.file, (&file.path, file.bytes))).collect();
    for (index, (path, size)) in paths.iter().zip(sizes).enumerate() {
        assert_eq!(last[&index], (path, size));
        assert!(reported.iter().filter(|file| file.file == index).all(|file| file.total_bytes == Some(size)));
    }
    assert!(reported.is_sorted_by_key(|file| file.files_done) && reported.iter().all(|file| file.files == 6));
    assert_eq!(reported.last().unwrap().files_done, 6);
}

/// The reply of a host to one request.
#[derive(Clone, Debug)]
enum Whim {
    Honest,
    /// Sends at most this many bytes.
    Stalls(usize),
    /// Changes the file from now on.
    Changes,
    IgnoresRange,
    /// Sends the rest of another file.
    IgnoresCondition,
    /// Sends a wrong `Content-Range`.
    Lies,
    Refuses(u16),
}

fn whim() -> impl Strategy<Value = Whim> {
    prop_oneof![
        1 => Just(Whim::Honest),
        4 => (0..LONG).prop_map(Whim::Stalls),
        2 => Just(Whim::Changes),
        1 => Just(Whim::IgnoresRange),
        1 => Just(Whim::IgnoresCondition),
        1 => Just(Whim::Lies),
        1 => prop::sample::select(vec![404, 412, 416, 503]).prop_map(Whim::Refuses),
    ]
}

/// Replies with one whim per request. The version is the number of changes so far.
fn whimsical(whims: &[Whim], n: usize, seen: &Seen) -> Reply {
    let upto = &whims[..whims.len().min(n + 1)];
    let version = upto.iter().filter(|whim| matches!(whim, Whim::Changes)).count() as u32;
    let of = |version: u32, seen: &Seen| ranged(&clip(version), &format!("\"v{version}\""), seen);
    let honest = of(version, seen);
    let ranges = matches!(&honest, Reply::Bytes(bytes, _) if bytes.starts_with(b"HTTP/1.1 206"));
    match whims.get(n) {
        None | Some(Whim::Honest | Whim::Changes) => honest,
        Some(Whim::Stalls(bytes)) => stalled(honest.clone(), *bytes.min(&(body(&honest) - 1))),
        Some(Whim::IgnoresRange) => of(version, &Seen { headers: Default::default(), ..seen.clone() }),
        Some(Whim::IgnoresCondition) => {
            let tag = format!("\"v{}\"", version + 100);
            let mut seen = seen.clone();
            seen.headers.entry("if-range".to_owned()).and_modify(|condition| condition.clone_from(&tag));
            ranged(&clip(version + 100), &tag, &seen)
        }
        Some(Whim::Lies) if ranges => {
            let tag = format!("\"v{version}\"");
            let headers = [("etag", tag.as_str()), ("content-range", "bytes 0-99999/100000")];
            body_reply(206, &headers, &clip(version))
        }
        Some(Whim::Lies) => honest,
        Some(Whim::Refuses(status)) => body_reply(*status, &[], b""),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// The file with the final name is always one version, whatever the host does and wherever a download is killed.
    #[test]
    fn a_named_file_is_whole_and_one_version(whims in prop::collection::vec(whim(), 0..12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (stop, requests) = (Arc::new(AtomicUsize::new(0)), whims.len());
            let stop_at = Arc::clone(&stop);
            let media = Peer::new(move |n, seen| {
                let reply = whimsical(&whims, n, seen);
                let stalls = matches!(reply, Reply::Stall(_));
                let end = first_byte(&reply) + body(&reply);
                stop_at.store(if stalls { end } else { usize::MAX }, Ordering::SeqCst);
                reply
            })
            .await;
            let (api, _) = made_one(&(media.url.clone() + "/1.png")).await;
            let generation = api.builder().max_retries(0).build().unwrap().generation(id());
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join(format!("{ID}-image-1.png"));
            // Each download except the last one meets a whim.
            for _ in 0..=requests {
                let stop = Arc::clone(&stop);
                match interrupted(&generation, dir.path(), move || stop.load(Ordering::SeqCst)).await {
                    Some(Ok(paths)) => assert_eq!(paths, [path.as_path()]),
                    _ if path.exists() => {}
                    _ => continue,
                }
                let there = std::fs::read(&path).unwrap();
                assert!(there == clip(u32::from_le_bytes(there[..4].try_into().unwrap())));
                break;
            }
            assert_eq!(names(dir.path()), [format!("{ID}-image-1.png")]);
        });
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
async fn a_generation_without_an_output_has_no_files() {
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
async fn a_directory_that_cannot_be_made_is_named_in_the_error() {
    let (_api, generation) = made(json!({})).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = generation.download(&file).await.unwrap_err();
    assert!(matches!(&error, Error::Io { path, .. } if *path == file), "{error:?}");
}
