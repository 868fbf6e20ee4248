//! The files of inputs, passed on to sessions.

use crate::support::{Answer, Attempt, Server, Session, send};
use http::Method;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR and some more";

/// A host with one picture; returns its URL, and how often it was asked.
async fn host(head: &'static str) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/fox.png", listener.local_addr().unwrap());
    let asked = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0; 2_048]).await;
            let head =
                format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", PNG.len());
            let _ = stream.write_all(&[head.as_bytes(), PNG].concat()).await;
        }
    });
    (url, asked)
}

async fn get(
    session: &Session,
    server: &Server,
    attempt: &Attempt,
    query: &str,
    range: Option<&str>,
) -> Answer {
    let path = format!("inputs/{}/{}?{query}", attempt.request, attempt.epoch);
    let call = session.calling(server, Method::GET, &path);
    send(range.into_iter().fold(call, |call, range| call.header("range", range))).await
}

const IMAGE: &str = "parameter=image_url&number=0";

#[tokio::test]
async fn a_file_is_fetched_once_and_read_from_any_byte_on() {
    let server = Server::start().await;
    let session = server.session().await;
    let (url, asked) = host("200 OK").await;
    server.submit(json!({ "prompt": "fox", "image_url": url })).await;
    let attempt = session.claim(&server).await;
    let whole = get(&session, &server, &attempt, IMAGE, None).await;
    assert_eq!((whole.status, whole.body.as_slice()), (200, PNG));
    assert_eq!(whole.headers["content-type"], "image/png");
    let rest = get(&session, &server, &attempt, IMAGE, Some("bytes=8-")).await;
    assert_eq!((rest.status, rest.body.as_slice()), (206, &PNG[8..]));
    assert_eq!(rest.headers["content-range"], format!("bytes 8-{}/{}", PNG.len() - 1, PNG.len()));
    assert_eq!(rest.headers["etag"], whole.headers["etag"]);
    get(&session, &server, &attempt, IMAGE, Some("bytes=900-")).await.refused(416, "invalid_request");
    assert_eq!(asked.load(Ordering::SeqCst), 1);

    session.post(&server, "release", &attempt.name()).await.done();
    server.until_nothing_is_staged().await;
    get(&session, &server, &attempt, IMAGE, None).await.refused(409, "request_in_progress");
}

#[tokio::test]
async fn only_what_the_input_names_is_fetched_and_only_for_its_session() {
    let server = Server::start().await;
    let session = server.session().await;
    let (url, asked) = host("200 OK").await;
    server.submit(json!({ "prompt": url, "image_url": url })).await;
    let attempt = session.claim(&server).await;
    for query in ["parameter=prompt&number=0", "parameter=none&number=0", "parameter=image_url&number=1"] {
        get(&session, &server, &attempt, query, None).await.refused(404, "not_found");
    }
    for query in
        ["", "parameter=image_url", "parameter=image_url&number=-1", "parameter=image_url&number=0&url=x"]
    {
        get(&session, &server, &attempt, query, None).await.refused(400, "invalid_request");
    }
    let stranger = Session::new(&session.token);
    get(&stranger, &server, &attempt, IMAGE, None).await.refused(409, "request_in_progress");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_file_that_cannot_be_had_is_a_sentence_for_the_caller() {
    let server = Server::start().await;
    let session = server.session().await;
    let (gone, _) = host("410 Gone").await;
    for (url, part) in [
        (gone, "`image_url` was answered with 410"),
        ("http://10.0.0.1/a.png".to_owned(), "`image_url` must lead to a public address"),
        (format!("{}/media/x/y/a.png", server.url()), "`image_url` names no file of this server"),
    ] {
        server.submit(json!({ "image_url": url })).await;
        let attempt = session.claim(&server).await;
        for _ in 0..2 {
            let answer = get(&session, &server, &attempt, IMAGE, None).await;
            let refused = answer.refused(422, "model_input_invalid");
            assert!(refused.contains(part), "{refused}");
        }
        session.post(&server, "fail", &attempt.with(json!({ "message": "no file" }))).await.done();
    }
}

#[tokio::test]
async fn media_of_the_server_are_passed_on_without_a_fetch() {
    let server = Server::start().await;
    let session = server.session().await;
    server.submit(json!({ "prompt": "fox" })).await;
    let attempt = session.claim(&server).await;
    session.complete(&server, &attempt).await.done();
    let url = server.result(&attempt.request).await["output"]["images"][0]["url"].clone();
    server.submit(json!({ "image_url": url })).await;
    let attempt = session.claim(&server).await;
    assert_eq!(get(&session, &server, &attempt, IMAGE, None).await.body, b"fox");
}
