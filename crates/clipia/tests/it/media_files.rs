//! Files that are fetched into memory or piece by piece: whole, resumed, checked, and never mixed.

use crate::peer::{ID, Peer, Reply, body_reply, cut, json_reply, state};
use clipia::{Completed, Error, MediaFile, json};

const FILE: &[u8] = b"\x89PNG of which the rest does not matter";

fn png(body: &[u8], headers: &[(&str, &str)]) -> Reply {
    body_reply(200, &[&[("content-type", "image/png")], headers].concat(), body)
}

/// The rest of the file from a position on, of the version `"v1"`.
fn rest(from: usize) -> Reply {
    let range = format!("bytes {from}-{}/{}", FILE.len() - 1, FILE.len());
    body_reply(206, &[("etag", "\"v1\""), ("content-range", &range)], &FILE[from..])
}

/// The one file of a generation whose media host sends these replies.
async fn file(replies: Vec<Reply>) -> (Peer, MediaFile) {
    let media = Peer::script(replies).await;
    let url = media.url.clone() + "/1.png?signature=secret";
    let completed = completed(json!({ "images": [{ "url": "/small.png", "original_url": url }] })).await;
    let (file, rendition) = (completed.files().remove(0), completed.renditions().remove(0));
    assert_eq!((file.name(), file.url()), (&*format!("{ID}-image-1"), &*url));
    assert_eq!((rendition.name(), rendition.url()), (&*format!("{ID}-image-1-rendition"), "/small.png"));
    assert!(!format!("{file:?} {:?}", file.stream()).contains("secret"));
    (media, file)
}

async fn completed(output: serde_json::Value) -> Completed {
    let api = Peer::script(vec![state("COMPLETED", json!({ "output": output }))]).await;
    api.client().generation(ID).outcome().await.unwrap().completed().unwrap()
}

/// What a stream gives: its bytes, and its error if it ends with one.
async fn read(file: &MediaFile) -> (Vec<u8>, Option<Error>) {
    let (mut stream, mut all) = (file.stream(), Vec::new());
    while let Some(piece) = stream.next().await {
        match piece {
            Ok(bytes) => all.extend_from_slice(&bytes),
            Err(error) => {
                assert!(stream.next().await.is_none(), "an error is the last item");
                return (all, Some(error));
            }
        }
    }
    assert!(stream.next().await.is_none());
    (all, None)
}

fn reason(error: Error) -> String {
    let Error::Download { reason, url, .. } = error else { panic!("{error:?}") };
    assert!(!url.contains("secret"), "{url}");
    reason
}

#[tokio::test]
async fn a_file_is_fetched_into_memory_and_piece_by_piece() {
    let (_media, file) = file(vec![png(FILE, &[])]).await;
    assert_eq!(file.bytes(FILE.len()).await.unwrap(), FILE);
    let (all, error) = read(&file).await;
    assert!(all == FILE && error.is_none(), "{error:?}");
    let error = file.bytes(FILE.len() - 1).await.unwrap_err();
    assert!(!error.is_retryable());
    assert_eq!(reason(error), format!("it has more than the {} bytes that are allowed", FILE.len() - 1));
}

#[tokio::test]
async fn a_transfer_that_breaks_is_resumed_where_the_host_proves_the_file() {
    let tagged = || png(FILE, &[("etag", "\"v1\"")]);
    let broken = || vec![body_reply(503, &[], b""), cut(tagged(), 10), cut(rest(10), 5), rest(15)];
    let (media, one) = file(broken()).await;
    assert_eq!(one.bytes(1_000).await.unwrap(), FILE);
    let ranges: Vec<_> = media.seen().iter().map(|seen| seen.headers.get("range").cloned()).collect();
    assert_eq!(ranges, [None, None, Some("bytes=10-".to_owned()), Some("bytes=15-".to_owned())]);
    let (_media, other) = file(broken()).await;
    let (all, error) = read(&other).await;
    assert!(all == FILE && error.is_none(), "{error:?}");
}

#[tokio::test]
async fn a_file_that_cannot_be_resumed_is_fetched_again_or_ends_its_stream() {
    let changed = || png(b"another file, of another length", &[("etag", "\"v2\"")]);
    for (replies, whole) in [
        (vec![cut(png(FILE, &[]), 10), png(FILE, &[])], FILE),
        (
            vec![cut(png(FILE, &[("etag", "\"v1\"")]), 10), changed(), changed()],
            b"another file, of another length",
        ),
    ] {
        let (_media, one) = file(replies.clone()).await;
        assert_eq!(one.bytes(1_000).await.unwrap(), whole);
        let (_media, other) = file(replies).await;
        let (all, error) = read(&other).await;
        assert_eq!((all.as_slice(), error.unwrap().is_retryable()), (&FILE[..10], true));
    }
}

#[tokio::test]
async fn what_is_no_file_is_refused_as_for_a_download() {
    let page = "the media host sent a page in place of the file, of `text/html`: <html>no</html>";
    for (reply, said) in [
        (body_reply(200, &[("content-type", "text/html")], b"<html>no</html>"), page),
        (body_reply(404, &[], b""), "the media host answered 404 Not Found"),
        (png(b"", &[]), "the media host sent an empty file"),
        (
            png(FILE, &[("content-encoding", "br")]),
            "the media host answered in the coding `br`, which was not asked for",
        ),
    ] {
        let (_media, file) = file(vec![reply]).await;
        assert_eq!(reason(file.bytes(1_000).await.unwrap_err()), said);
        let (all, error) = read(&file).await;
        assert_eq!((all.len(), reason(error.unwrap()).as_str()), (0, said));
    }
    let local = completed(json!({ "images": [{ "url": "file:///etc/passwd" }] })).await.files().remove(0);
    assert_eq!(reason(local.bytes(1_000).await.unwrap_err()), "it is neither https nor http");
    assert!(read(&local).await.1.is_some());
}

#[tokio::test]
async fn an_outcome_is_asked_for_without_a_wait() {
    let running =
        Peer::script(vec![json_reply(202, json!({ "request_id": ID, "status": "IN_PROGRESS" }))]).await;
    let error = running.client().generation(ID).outcome().await.unwrap_err();
    assert!(matches!(error, Error::StillRunning { .. }), "{error:?}");
}
