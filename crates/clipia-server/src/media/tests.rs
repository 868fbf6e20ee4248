//! Media in a bucket, on a real server of S3, and the same of a directory beside it.

#[path = "../../../../tests/support/s3.rs"]
mod s3;

use super::*;
use crate::executors::{Content, MediaFile};
use crate::http::media_router;
use axum::body::{Body, to_bytes};
use axum::response::Response;
use futures_util::TryStreamExt;
use http::{HeaderMap, Method, Request, StatusCode};
use s3::{BUCKET, KEY_ID, S3, SECRET};
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;
use tower::ServiceExt;

/// A file that is written in two parts.
const LONG: usize = 9 * 1024 * 1024;

fn settings(store: &S3, secret: &str) -> AmazonS3Builder {
    AmazonS3Builder::new()
        .with_endpoint(&store.url)
        .with_allow_http(true)
        .with_access_key_id(KEY_ID)
        .with_secret_access_key(secret)
}

/// A server's media in the bucket.
async fn open(store: &S3, data: &TempDir) -> MediaStore {
    let pause = Pause::new("media", Default::default());
    MediaStore::in_bucket(settings(store, SECRET), BUCKET, "files", data.path(), pause).await.unwrap()
}

fn data() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Bytes that differ from place to place.
fn long() -> Vec<u8> {
    (0..LONG).map(|at| (at % 251) as u8 ^ (at >> 16) as u8).collect()
}

async fn read(media: &MediaStore, name: &str) -> io::Result<Vec<u8>> {
    let (mut file, mut read) = (media.located(name).unwrap().open().await?, Vec::new());
    while let Some(chunk) = file.chunk().await? {
        read.extend_from_slice(&chunk);
    }
    assert_eq!(file.length(), read.len() as u64);
    Ok(read)
}

/// The response to a call for a file.
async fn call(media: &MediaStore, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let request = Request::builder().method(method).uri(format!("/{path}"));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    media_router::<()>(media).oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_server_writes_another_one_reads() {
    let (store, one, other) = (S3::start().await, data(), data());
    let (writes, reads) = (open(&store, &one).await, open(&store, &other).await);
    let made = one.path().join("made");
    std::fs::write(&made, long()).unwrap();
    let file = |name: &str, content| MediaFile { name: name.to_owned(), content };
    let disk = |path: &Path, bytes| Content::File { path: path.to_owned(), bytes };
    let files = vec![
        file("short.png", Content::Bytes(b"fox".to_vec())),
        file("empty.txt", Content::Bytes(Vec::new())),
        file("memory.bin", Content::Bytes(long())),
        file("disk.bin", disk(&made, LONG as u64)),
        file("sealed.bin", Content::Sealed { path: made.clone(), bytes: LONG as u64 }),
    ];
    let id = RequestId::generate();
    let written = writes.write(id, files).await.unwrap();
    let address = written.address().to_owned();
    let kept = written.commit().unwrap();
    assert_eq!(address, format!("/media/{kept}"));
    assert_eq!(read(&reads, &format!("{kept}/short.png")).await.unwrap(), b"fox");
    assert_eq!(read(&reads, &format!("{kept}/empty.txt")).await.unwrap(), b"");
    for name in ["memory.bin", "disk.bin", "sealed.bin"] {
        assert!(read(&reads, &format!("{kept}/{name}")).await.unwrap() == long(), "{name}");
    }
    let none = read(&reads, &format!("{kept}/none.png")).await.unwrap_err();
    assert_eq!(none.kind(), io::ErrorKind::NotFound);

    // The files of an output that the store refused, and of one that nobody waits for, go.
    let lost = writes.write(id, vec![file("a.png", Content::Bytes(b"fox".to_vec()))]).await.unwrap();
    drop(lost);
    let changed = writes.write(id, vec![file("a.png", disk(&made, 7))]).await.unwrap_err();
    assert!(matches!(changed, WriteError::Changed(_)), "{changed}");
    until(|| store.keys().len() == 5).await;
    assert!(!writes.pause().is_on());

    // Attempts before the one that completed.
    writes.write(id, vec![file("a.png", Content::Bytes(b"old".to_vec()))]).await.unwrap().commit();
    assert_eq!(store.keys().len(), 6);
    reads.discard_others(id, Some(kept.clone())).await;
    assert_eq!(store.keys().len(), 5);
    // A walk finds what there is, and retention removes it.
    let mut walk = reads.walk(true).await.unwrap();
    let found = walk.step().await.unwrap().unwrap();
    assert_eq!(
        (found.len(), found[0].id, &found[0].directories),
        (1, id, &vec![kept[kept.len() - 32..].to_owned()])
    );
    assert!(walk.step().await.unwrap().is_none());
    reads.remove_requests(vec![RequestId::generate(), id]).await.unwrap();
    assert_eq!(store.keys(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_goes_through_all_requests_in_steps() {
    let (store, one) = (S3::start().await, data());
    let media = open(&store, &one).await;
    let ids = (0..300).map(|_| RequestId::generate());
    let mut ids: Vec<_> = ids.inspect(|id| store.leave(&format!("files/{id}/{:032x}/a.png", 7))).collect();
    ids.sort();
    let (mut walk, mut found, mut steps) = (media.walk(false).await.unwrap(), Vec::new(), 0);
    while let Some(step) = walk.step().await.unwrap() {
        found.extend(step.iter().map(|found| found.id));
        steps += 1;
    }
    assert_eq!((found, steps), (ids.clone(), 2));
    let lost = ids[..3].iter().map(|id| format!("{id}/{:032x}", 7)).collect();
    media.remove_found(lost, ids).await.unwrap();
    assert_eq!(store.keys().len(), 300 - 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_is_the_same_from_a_directory_and_from_a_bucket() {
    let (store, one, other) = (S3::start().await, data(), data());
    let bucket = open(&store, &one).await;
    let directory = MediaStore::of_test(other.path());
    for media in [&bucket, &directory] {
        let file = |name: &str, bytes: &[u8]| MediaFile::new(name, bytes.to_vec());
        let files =
            vec![file("a.mp4", b"0123456789abcdefghij"), file("a.svg", b"<svg/>"), file("empty.png", b"")];
        media.write_at("r/s".to_owned(), files).await.unwrap();
        media.write_at("uploads/s".to_owned(), vec![file("a.png", b"fox")]).await.unwrap();
    }
    let etag =
        call(&bucket, Method::GET, "r/s/a.mp4", &[]).await.headers()["etag"].to_str().unwrap().to_owned();
    let calls: &[&[(&str, &str)]] = &[
        &[],
        &[("range", "bytes=2-4")],
        &[("range", "bytes=-3")],
        &[("range", "bytes=18-")],
        &[("range", "bytes=0-1,4-5")],
        &[("range", "bytes=20-")],
        &[("range", "bytes=2-4"), ("if-range", &etag)],
        &[("range", "bytes=2-4"), ("if-range", "\"another\"")],
        &[("if-none-match", &etag)],
        &[("if-none-match", "\"another\"")],
        &[("if-match", "\"another\"")],
        &[("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT")],
        &[("if-unmodified-since", "Thu, 01 Jan 1970 00:00:00 GMT")],
    ];
    let files = ["r/s/a.mp4", "r/s/a.svg", "r/s/empty.png", "uploads/s/a.png", "r/s/none.png", "r/../s"];
    for (path, headers) in files.iter().flat_map(|path| calls.iter().map(move |headers| (path, headers))) {
        for method in [Method::GET, Method::HEAD] {
            let mut responses = Vec::new();
            for media in [&directory, &bucket] {
                let response = call(media, method.clone(), path, headers).await;
                let (mut head, body) = response.into_parts();
                // The files were not written in the same second.
                let is_dated = head.headers.remove("last-modified").is_some();
                responses.push((
                    head.status,
                    sorted(&head.headers),
                    is_dated,
                    to_bytes(body, 1_000).await.unwrap(),
                ));
            }
            assert_eq!(responses[0], responses[1], "{method} {path} {headers:?}");
        }
    }
}

fn sorted(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.to_string(), value.to_str().unwrap().to_owned())
    };
    let mut sorted: Vec<_> = headers.iter().map(text).collect();
    sorted.sort();
    sorted
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_there_for_every_server_until_it_is_too_old() {
    let (store, one, other) = (S3::start().await, data(), data());
    let (takes, reads) = (open(&store, &one).await, open(&store, &other).await);
    let upload = async |keep: bool| {
        let mut incoming = takes.receive().await.unwrap();
        for piece in long().chunks(3 * 1024 * 1024) {
            incoming.write(piece.to_vec().into()).await.unwrap();
        }
        let id = UploadId(uuid::Uuid::new_v4());
        let placed = incoming.place(id, "fox.png".to_owned()).await.unwrap();
        if keep {
            assert_eq!(placed.keep(), format!("/media/uploads/{id}/fox.png"));
        }
        id
    };
    let (kept, refused) = (upload(true).await, upload(false).await);
    assert!(read(&reads, &format!("uploads/{kept}/fox.png")).await.unwrap() == long());
    until(|| !store.keys().iter().any(|key| key.contains(&refused.to_string()))).await;
    assert_eq!(std::fs::read_dir(one.path().join("staged")).unwrap().count(), 0);
    let Place::Bucket(bucket) = &reads.place else { panic!("it is one") };
    let now = SystemTime::now();
    let at = async |now| bucket.old_uploads(now).await.unwrap();
    assert_eq!(at(now + clipia_queue::uploads::KEPT - Duration::from_secs(600)).await, []);
    assert_eq!(at(now + clipia_queue::uploads::KEPT + Duration::from_secs(600)).await, [kept]);
    reads.remove_uploads(vec![kept]).await.unwrap();
    assert_eq!(store.keys(), Vec::<String>::new());

    // An upload that is given up leaves nothing.
    let mut incoming = takes.receive().await.unwrap();
    incoming.write(vec![1; 1_000].into()).await.unwrap();
    drop(incoming);
    until(|| std::fs::read_dir(one.path().join("staged")).unwrap().count() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_goes_away_pauses_media_until_it_is_back() {
    let (store, one) = (S3::start().await, data());
    let media = open(&store, &one).await;
    let id = RequestId::generate();
    let files = || vec![MediaFile::new("a.png", b"fox".to_vec()), MediaFile::new("b.bin", long())];
    // It goes away between two files, within a file, and before its last part.
    for calls in [0, 1, 2, 3, 4] {
        store.go_away_after(calls);
        let failed = media.write(id, files()).await.unwrap_err();
        let WriteError::Io { source, .. } = &failed else { panic!("{failed}") };
        assert!(is_away(source), "{failed}");
        assert!(failed.to_string().starts_with("cannot write to `s3://clipia/files`: "), "{failed}");
        assert_eq!(media.pause().reason(), Some("media cannot be written"));
        media.probe().await.unwrap_err();
        store.come_back();
        media.probe().await.unwrap();
        media.pause().end();
        assert!(!store.keys().iter().any(|key| key.ends_with("b.bin")), "{:?}", store.keys());
    }
    // What was written before it went away is swept: no output names it.
    let mut walk = media.walk(false).await.unwrap();
    while let Some(found) = walk.step().await.unwrap() {
        let lost = found
            .iter()
            .flat_map(|found| found.directories.iter().map(|name| format!("{}/{name}", found.id)));
        media.remove_found(lost.collect(), Vec::new()).await.unwrap();
    }
    assert_eq!(store.keys(), Vec::<String>::new());
    let kept = media.write(id, files()).await.unwrap().commit().unwrap();
    assert!(read(&media, &format!("{kept}/b.bin")).await.unwrap() == long());
    store.go_away_after(0);
    let response = call(&media, Method::GET, &format!("{kept}/a.png"), &[]).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let body = to_bytes(response.into_body(), 10_000).await.unwrap();
    let body = String::from_utf8_lossy(&body);
    assert!(!body.contains(&kept) && !body.contains("s3://"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_credential_and_no_path_of_a_file_is_told() {
    let (store, one) = (S3::start().await, data());
    let media = open(&store, &one).await;
    let id = RequestId::generate();
    let kept =
        media.write(id, vec![MediaFile::new("a.png", b"fox".to_vec())]).await.unwrap().commit().unwrap();
    let mut told = vec![format!("{media:?} {:?}", media.located(&format!("{kept}/a.png")).map(|_| ()))];
    let Some(Located::Object(object)) = media.located(&format!("{kept}/a.png")) else { panic!("it is one") };
    let refused = async |settings: AmazonS3Builder, bucket: &str| {
        let pause = Pause::new("media", Default::default());
        MediaStore::in_bucket(settings, bucket, "files", one.path(), pause).await.unwrap_err().to_string()
    };
    let wrong = refused(settings(&store, "another+secret"), BUCKET).await;
    assert!(wrong.contains("403 Forbidden") && wrong.contains("SignatureDoesNotMatch"), "{wrong}");
    let nobody = settings(&store, SECRET).with_access_key_id("AKIANOBODY");
    told.push(refused(nobody, BUCKET).await);
    let plain = refused(settings(&store, SECRET).with_allow_http(false), BUCKET).await;
    let nowhere = refused(settings(&store, SECRET).with_endpoint("http://127.0.0.1:1"), BUCKET).await;
    assert!(nowhere.contains("refused"), "{nowhere}");
    told.extend([wrong, plain, nowhere]);
    store.go_away_after(0);
    told.push(object.find(true).await.err().unwrap().to_string());
    told.push(media.write(id, vec![MediaFile::new("a.png", b"fox".to_vec())]).await.unwrap_err().to_string());
    for told in told {
        let secrets = [SECRET, "another+secret", KEY_ID, "AKIANOBODY", &kept[kept.len() - 32..]];
        assert!(!secrets.iter().any(|secret| told.contains(secret)), "{told}");
        assert!(!told.contains("127.0.0.1"), "{told}");
        println!("{told}");
    }
}

/// A store whose connection breaks after a few bytes, each time.
#[tokio::test(flavor = "multi_thread")]
async fn a_download_goes_on_where_the_store_broke_it_off() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    const CONTENT: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    const PIECE: usize = 4;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4_096];
            let length = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..length]).to_lowercase();
            let header = |name: &str| {
                let line = request.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
                line.map(|value| value.trim().to_owned())
            };
            let range = header("range").map(|range| range.trim_start_matches("bytes=").to_owned());
            let from =
                range.as_ref().map_or(0, |range| range.split_once('-').unwrap().0.parse::<usize>().unwrap());
            heard.lock().unwrap().push((from, header("if-match")));
            let (status, more) = match range {
                None => ("200 OK", String::new()),
                Some(_) => {
                    let last = CONTENT.len() - 1;
                    (
                        "206 Partial Content",
                        format!("content-range: bytes {from}-{last}/{}\r\n", CONTENT.len()),
                    )
                }
            };
            let left = &CONTENT[from..];
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {}\r\netag: \"fox\"\r\nlast-modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n{more}\r\n",
                left.len()
            );
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(&left[..left.len().min(PIECE)]).await;
            let _ = stream.shutdown().await;
        }
    });
    let settings = AmazonS3Builder::new().with_endpoint(url).with_allow_http(true).with_skip_signature(true);
    let bucket = Arc::new(Bucket::new(settings, BUCKET, "").unwrap());
    let found = bucket.file("r/s/a.png").unwrap().find(true).await.unwrap();
    let range: Range<u64> = 0..found.length();
    let chunks: Vec<_> = found.bytes(range).await.unwrap().try_collect().await.unwrap();
    assert_eq!(chunks.concat(), CONTENT);
    let asked = asked.lock().unwrap();
    let starts: Vec<_> = asked.iter().map(|(from, _)| *from).collect();
    assert_eq!(starts, (0..CONTENT.len()).step_by(PIECE).collect::<Vec<_>>());
    assert!(asked.iter().any(|(_, of)| of.as_deref() == Some("\"fox\"")), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_share_a_directory() {
    let (shared, one, other) = (data(), data(), data());
    let open = |data: &TempDir| {
        MediaStore::in_directory(shared.path(), data.path(), Pause::new("media", Default::default())).unwrap()
    };
    let (first, second) = (open(&one), open(&other));
    let mut incoming = first.receive().await.unwrap();
    incoming.write(b"fox".to_vec().into()).await.unwrap();
    // A sweep of another server, while the first one still writes.
    assert_eq!(second.remove_staged().await.unwrap(), 0);
    let id = UploadId(uuid::Uuid::new_v4());
    incoming.place(id, "fox.png".to_owned()).await.unwrap().keep();
    assert_eq!(read(&second, &format!("uploads/{id}/fox.png")).await.unwrap(), b"fox");
    let request = RequestId::generate();
    let kept = second
        .write(request, vec![MediaFile::new("a.png", b"fox".to_vec())])
        .await
        .unwrap()
        .commit()
        .unwrap();
    assert_eq!(read(&first, &format!("{kept}/a.png")).await.unwrap(), b"fox");
    first.remove_requests(vec![request]).await.unwrap();
    assert_eq!(read(&second, &format!("{kept}/a.png")).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(first.failed_bytes.load(Ordering::Relaxed), 0);
}

#[test]
fn only_a_url_of_this_server_names_an_own_file() {
    let data = tempfile::tempdir().unwrap();
    let place = data.path().join("media");
    let media =
        MediaStore::in_directory(&place, data.path(), Pause::new("media", Default::default())).unwrap();
    let own = |url| media.own_file(url, "http://localhost:80");
    let Some(Located::Path(path)) = own("http://localhost:80/media/a/b/c.png") else { panic!("it is one") };
    assert_eq!(path, place.join("a/b/c.png"));
    for url in [
        "http://localhost:80/media/../clipia.db",
        "http://localhost:80/media/a/../../clipia.db",
        "http://localhost:80/media/%2e%2e/clipia.db",
        "http://localhost:80/media//etc/passwd",
        "http://localhost:80/v1/models",
        "http://other/media/a/b/c.png",
    ] {
        assert!(own(url).is_none(), "{url}");
    }
}

async fn until(mut is: impl FnMut() -> bool) {
    let waiting = async {
        while !is() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("it comes to be in a minute");
}
