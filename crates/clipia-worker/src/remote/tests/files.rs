//! Files of outputs.

use super::peer::{Answer, Call, Peer};
use super::*;
use crate::output::{Content, JobOutput, MediaFile};
use crate::work::KeepError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clipia_api::types::Output;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

type Received = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// Takes a piece as the server does. Returns the response.
fn take(call: &Call, received: &Received) -> Answer {
    let digest = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(&call.body)));
    assert_eq!(call.header("content-digest"), Some(digest.as_str()));
    let name = call.target.rsplit('/').next().unwrap().to_owned();
    let range = call.header("content-range").unwrap().trim_start_matches("bytes ");
    let (range, _) = range.split_once('/').unwrap();
    let mut received = received.lock().unwrap();
    let file = received.entry(name).or_default();
    if let Some((first, last)) = range.split_once('-') {
        let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
        assert_eq!(last + 1 - first, call.body.len());
        if first <= file.len() && last >= file.len() {
            file.truncate(first);
            file.extend_from_slice(&call.body);
        }
    }
    Answer::ok(&json!({ "received": file.len() }))
}

fn made(files: Vec<MediaFile>) -> JobOutput {
    JobOutput { output: Output::default(), files }
}

/// Bytes that differ everywhere.
fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at / 251 * 31 + at) as u8).collect()
}

#[tokio::test]
async fn files_arrive_whole_whatever_becomes_of_their_calls() {
    let received = Received::default();
    let (taken, calls) = (Arc::clone(&received), AtomicU32::new(0));
    // Every third response is lost, although the piece has arrived; every fifth call meets a proxy whose server is away.
    let peer = Peer::start(move |call: &Call| match calls.fetch_add(1, Ordering::Relaxed) {
        number if number % 5 == 1 => Answer::bad_gateway(),
        number if number % 3 == 1 => {
            take(call, &taken);
            Answer::Lost
        }
        _ => take(call, &taken),
    })
    .await;
    let session = Session::with(&peer);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("clip.mp4");
    std::fs::write(&path, bytes(3_000_000)).unwrap();
    let files = vec![
        MediaFile::new("image-1.png", bytes(5_000)),
        MediaFile::new("empty.txt", Vec::new()),
        MediaFile { name: "clip.mp4".to_owned(), content: Content::File { path, bytes: 3_000_000 } },
        MediaFile::new("sound.wav", bytes(2_500_000)),
    ];
    within(session.line.keep_files(attempt(), made(files))).await.unwrap();
    let received = received.lock().unwrap();
    let lengths: Vec<(&str, usize)> =
        received.iter().map(|(name, bytes)| (name.as_str(), bytes.len())).collect();
    assert_eq!(
        lengths,
        [("clip.mp4", 3_000_000), ("empty.txt", 0), ("image-1.png", 5_000), ("sound.wav", 2_500_000)]
    );
    assert!(received["clip.mp4"] == bytes(3_000_000) && received["sound.wav"] == bytes(2_500_000));
    let empty = &peer.calls("PUT").into_iter().find(|call| call.target.ends_with("empty.txt")).unwrap();
    assert_eq!(empty.header("content-range"), Some("bytes */0"));
}

#[tokio::test]
async fn pieces_become_short_enough_for_a_proxy_that_cuts_long_bodies() {
    let received = Received::default();
    let taken = Arc::clone(&received);
    let peer = Peer::that_cuts_at(150_000, move |call: &Call| take(call, &taken)).await;
    let session = Session::with(&peer);
    within(session.line.keep_files(attempt(), made(vec![MediaFile::new("a.bin", bytes(700_000))])))
        .await
        .unwrap();
    assert!(received.lock().unwrap()["a.bin"] == bytes(700_000));
}

#[tokio::test]
async fn an_upload_goes_on_at_what_the_server_has() {
    let calls = AtomicU32::new(0);
    let peer = Peer::start(move |_| {
        let received = [1_000_000, 400_000, 2_000_000][calls.fetch_add(1, Ordering::Relaxed) as usize];
        Answer::ok(&json!({ "received": received }))
    })
    .await;
    let session = Session::with(&peer);
    within(session.line.keep_files(attempt(), made(vec![MediaFile::new("a.bin", bytes(2_000_000))])))
        .await
        .unwrap();
    let ranges: Vec<String> =
        peer.calls("PUT").iter().map(|call| call.header("content-range").unwrap().to_owned()).collect();
    assert_eq!(ranges.len(), 3);
    assert!(ranges[1].starts_with("bytes 1000000-") && ranges[2].starts_with("bytes 400000-"), "{ranges:?}");
}

#[tokio::test]
async fn a_stale_attempt_uploads_nothing_more_and_a_stopped_one_is_released() {
    let peer = Peer::start(|_| Answer::refused(409, "stale")).await;
    let session = Session::with(&peer);
    let file = || made(vec![MediaFile::new("a.bin", bytes(10))]);
    let lost = within(session.line.keep_files(attempt(), file())).await;
    assert!(matches!(lost, Err(KeepError::Lost)), "{lost:?}");

    let peer = Peer::start(|_| Answer::Hangs).await;
    let session = Session::with(&peer);
    let (stopped, ()) = tokio::join!(within(session.line.keep_files(attempt(), file())), async {
        while peer.calls("PUT").is_empty() {
            tokio::task::yield_now().await;
        }
        session.stop.cancel();
    });
    assert!(matches!(stopped, Err(KeepError::NoRoom)), "{stopped:?}");
}

#[tokio::test]
async fn a_file_that_the_server_refuses_or_that_is_gone_fails_its_generation() {
    let peer = Peer::start(|_| Answer::refused(400, "a name with a dragon")).await;
    let session = Session::with(&peer);
    let unfit =
        within(session.line.keep_files(attempt(), made(vec![MediaFile::new("a.bin", bytes(10))]))).await;
    assert!(matches!(unfit, Err(KeepError::Unfit(_))), "{unfit:?}");
    assert_eq!(peer.calls("PUT").len(), 3, "a piece may be spoilt on its way, and is sent again");
    let gone = Content::File { path: "/nowhere/a.bin".into(), bytes: 10 };
    let files = vec![MediaFile { name: "a.bin".to_owned(), content: gone }];
    let unfit = within(session.line.keep_files(attempt(), made(files))).await;
    assert!(matches!(unfit, Err(KeepError::Unfit(_))), "{unfit:?}");
}
