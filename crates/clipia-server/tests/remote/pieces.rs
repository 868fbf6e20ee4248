//! The pieces of output files.

use crate::support::{Attempt, Server, Session, completion, digest, send, until};
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

async fn begun() -> (Server, Session, Attempt) {
    let server = Server::start().await;
    let session = server.session().await;
    server.submit(json!({ "prompt": "fox" })).await;
    let attempt = session.claim(&server).await;
    (server, session, attempt)
}

/// The staged file `a.png`.
fn staged(server: &Server, attempt: &Attempt) -> PathBuf {
    let directory = format!("remote/{}-{}", attempt.request, attempt.epoch);
    server.data.path().join(directory).join("files/a.png")
}

#[tokio::test]
async fn pieces_become_a_file_whatever_comes_twice_or_after_a_gap() {
    let (server, session, attempt) = begun().await;
    let put = async |start: u64, bytes: &[u8]| {
        session.put(&server, &attempt, "a.png", (start, 9), bytes).await.done()["received"].clone()
    };
    assert_eq!(put(3, b"def").await, 0, "after a gap");
    assert_eq!(put(0, b"abc").await, 3);
    assert_eq!(put(0, b"abc").await, 3, "again");
    assert_eq!(put(6, b"ghi").await, 3, "after a gap");
    assert_eq!(put(2, b"cdef").await, 3, "partly again");
    assert_eq!(put(3, b"defghi").await, 9);
    assert_eq!(put(3, b"def").await, 9, "again");
    session.put(&server, &attempt, "empty.txt", (0, 0), b"").await.done();
    session.put(&server, &attempt, "empty.txt", (0, 0), b"").await.done();
    let order = attempt.with(json!({
        "output": { "images": [{ "url": "a.png" }], "files": [{ "url": "empty.txt" }] },
        "files": [{ "name": "a.png", "bytes": 9 }, { "name": "empty.txt", "bytes": 0 }],
    }));
    session.post(&server, "complete", &order).await.done();
    let output = server.result(&attempt.request).await["output"].clone();
    assert_eq!(server.file(output["images"][0]["url"].as_str().unwrap()).await, b"abcdefghi");
    assert_eq!(server.file(output["files"][0]["url"].as_str().unwrap()).await, b"");
    server.until_nothing_is_staged().await;
}

#[tokio::test]
async fn a_piece_with_another_digest_leaves_nothing() {
    let (server, session, attempt) = begun().await;
    session.put(&server, &attempt, "a.png", (0, 6), b"abc").await.done();
    let wrong = session.piece(&server, &attempt, "a.png", (3, 6), b"def").body("xyz");
    assert!(send(wrong).await.refused(400, "invalid_request").contains("Content-Digest"));
    assert_eq!(std::fs::read(staged(&server, &attempt)).unwrap(), b"abc");
    for (body, part) in [("de", "the body has 2 bytes"), ("defg", "more than 3")] {
        let piece = session.piece(&server, &attempt, "a.png", (3, 6), b"def").body(body);
        let refused = send(piece).await.refused(400, "invalid_request");
        assert!(refused.contains(part), "{refused}");
        assert_eq!(std::fs::read(staged(&server, &attempt)).unwrap(), b"abc");
    }
    assert_eq!(session.put(&server, &attempt, "a.png", (3, 6), b"def").await.done()["received"], 6);
}

#[tokio::test]
async fn a_piece_that_broke_off_is_sent_again() {
    let (server, session, attempt) = begun().await;
    session.put(&server, &attempt, "a.png", (0, 2_000_003), b"fox").await.done();
    let rest = vec![7; 2_000_000];
    let address = server.url().strip_prefix("http://").unwrap().to_owned();
    let head = format!(
        "PUT /worker/v1/files/{}/{}/a.png HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\nclipia-session: {}\r\n\
         content-range: bytes 3-2000002/2000003\r\ncontent-digest: {}\r\ncontent-length: 2000000\r\n\r\n",
        attempt.request,
        attempt.epoch,
        session.token,
        session.id,
        digest(&rest)
    );
    let mut broken = TcpStream::connect(&address).await.unwrap();
    broken.write_all(head.as_bytes()).await.unwrap();
    broken.write_all(&rest[..1_500_000]).await.unwrap();
    let length = || std::fs::metadata(staged(&server, &attempt)).unwrap().len();
    until("part of the piece", async || (length() > 3).then_some(())).await;
    drop(broken);
    until("cut file", async || (length() == 3).then_some(())).await;
    // One that hangs is ended by the next.
    let mut hanging = TcpStream::connect(&address).await.unwrap();
    hanging.write_all(head.as_bytes()).await.unwrap();
    hanging.write_all(&rest[..1_500_000]).await.unwrap();
    until("part of the piece", async || (length() > 3).then_some(())).await;
    let sent = tokio::time::timeout(
        Duration::from_secs(10),
        session.put(&server, &attempt, "a.png", (3, 2_000_003), &rest),
    );
    assert_eq!(sent.await.unwrap().done()["received"], 2_000_003);
    let content = std::fs::read(staged(&server, &attempt)).unwrap();
    assert!(content.starts_with(b"fox") && content[3..] == rest);
    drop(hanging);
}

#[tokio::test]
async fn hostile_names_and_headers_are_refused() {
    let (server, session, attempt) = begun().await;
    for name in [
        "..",
        "%2e%2e",
        "..%2f..%2fclipia.db",
        "a%20b",
        "a%00b",
        "%ff",
        &"x".repeat(256),
        "a%5cb",
        "%2fetc%2fpasswd",
    ] {
        let answer = session.put(&server, &attempt, name, (0, 3), b"fox").await;
        assert!(matches!(answer.status, 400 | 404 | 405), "{name}: {answer:?}");
    }
    session.put(&server, &attempt, &"x".repeat(255), (0, 3), b"fox").await.done();
    let path = format!("files/{}/{}/a.png", attempt.request, attempt.epoch);
    let digest = digest(b"fox");
    for (range, digest) in [
        (None, Some(digest.as_str())),
        (Some("bytes 0-2/3"), None),
        (Some("bytes 0-2/2"), Some(digest.as_str())),
        (Some("bytes 0-2/*"), Some(digest.as_str())),
        (Some("bytes 0-2/3"), Some("sha-512=:AAAA:")),
        (Some("bytes 0-99999999/100000000"), Some(digest.as_str())),
    ] {
        let mut call = session.calling(&server, http::Method::PUT, &path).body("fox");
        for (name, value) in [("content-range", range), ("content-digest", digest)] {
            if let Some(value) = value {
                call = call.header(name, value);
            }
        }
        send(call).await.refused(400, "invalid_request");
    }
    for path in ["files/x/1/a.png", "files/0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de/x/a.png"] {
        let call = session.calling(&server, http::Method::PUT, path).body("fox");
        send(call).await.refused(404, "not_found");
    }
    let names: Vec<_> = std::fs::read_dir(staged(&server, &attempt).parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names, ["x".repeat(255)]);
}

#[tokio::test]
async fn an_output_has_a_bound() {
    let (server, session, attempt) = begun().await;
    const MOST: u64 = 512 << 20;
    session.put(&server, &attempt, "a.png", (0, MOST - 10), b"fox").await.done();
    let refused = session.put(&server, &attempt, "b.png", (0, 11), b"fox").await;
    assert!(refused.refused(400, "invalid_request").contains("536870912 bytes at most"));
    session.put(&server, &attempt, "b.png", (0, 10), b"fox").await.done();
    // Another length is another file.
    session.put(&server, &attempt, "a.png", (3, 9), b"fox").await.refused(400, "invalid_request");
    assert_eq!(session.put(&server, &attempt, "a.png", (0, 3), b"fox").await.done()["received"], 3);
    session.post(&server, "complete", &completion(&attempt)).await.done();
}

#[cfg(unix)]
#[tokio::test]
async fn no_link_in_the_staging_is_followed() {
    let (server, session, attempt) = begun().await;
    let secret = server.data.path().join("secret");
    std::fs::write(&secret, "untouched").unwrap();
    session.put(&server, &attempt, "a.png", (0, 6), b"fox").await.done();
    let staged = staged(&server, &attempt);
    std::fs::remove_file(&staged).unwrap();
    std::os::unix::fs::symlink(&secret, &staged).unwrap();
    assert_eq!(session.put(&server, &attempt, "a.png", (3, 6), b"den").await.status, 503);
    assert_eq!(std::fs::read(&secret).unwrap(), b"untouched");
    // A file that is begun anew replaces the link.
    session.put(&server, &attempt, "a.png", (0, 3), b"fox").await.done();
    std::fs::remove_file(&staged).unwrap();
    std::os::unix::fs::symlink(&secret, &staged).unwrap();
    session.post(&server, "complete", &completion(&attempt)).await.done();
    let result = server.result(&attempt.request).await;
    assert_eq!(
        (&result["status"], &result["error"]["message"]),
        (&json!("FAILED"), &json!("the files could not be stored"))
    );
    assert_eq!(std::fs::read(&secret).unwrap(), b"untouched");
}

/// The most memory of this process so far, in bytes.
#[cfg(target_os = "linux")]
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
}

/// The other tests of this binary run in the same process, and are small.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_takes_no_memory() {
    const PIECE: u64 = 8 << 20;
    const TOTAL: u64 = 256 << 20;
    let (server, session, attempt) = begun().await;
    let piece = vec![7; usize::try_from(PIECE).unwrap()];
    let before = peak_memory();
    for number in 0..TOTAL / PIECE {
        let sent = session.put(&server, &attempt, "a.png", (number * PIECE, TOTAL), &piece).await;
        assert_eq!(sent.done()["received"], (number + 1) * PIECE);
        // As a worker does meanwhile: on a slow machine the file takes longer than a lease.
        session.post(&server, "beat", &json!({ "jobs": [attempt.name()] })).await.done();
    }
    let order = attempt.with(json!({
        "output": { "images": [{ "url": "a.png" }] },
        "files": [{ "name": "a.png", "bytes": TOTAL }],
    }));
    session.post(&server, "complete", &order).await.done();
    let more = peak_memory().saturating_sub(before);
    assert!(more < 100 << 20, "{} MiB more", more >> 20);
    assert_eq!(server.result(&attempt.request).await["status"], "COMPLETED");
}
