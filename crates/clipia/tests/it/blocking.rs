//! The blocking client: the same calls as the async one, from threads.

use crate::peer::{
    ID, NO_LIMIT, Peer, Reply, Seen, account, another_id, body_reply, id, json_reply, key_of, state,
    submitted,
};
use clipia::blocking::{Clipia, Outcome};
use clipia::{Error, Status, json};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// A client and its peer, which runs on another runtime.
fn client(respond: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static) -> (Runtime, Peer, Clipia) {
    let runtime = runtime();
    let peer = runtime.block_on(Peer::new(respond));
    let clipia = Clipia::new(peer.client()).unwrap();
    (runtime, peer, clipia)
}

fn scripted(replies: Vec<Reply>) -> (Runtime, Peer, Clipia) {
    client(move |n, _| replies[n.min(replies.len() - 1)].clone())
}

fn completed() -> Reply {
    state("COMPLETED", json!({ "model": "m", "output": {}, "cost": 12 }))
}

#[test]
fn a_generation_is_submitted_followed_and_waited_for() {
    let running = |progress: u32| state("IN_PROGRESS", json!({ "progress": progress }));
    let (_running, peer, clipia) =
        scripted(vec![submitted(), running(10), Reply::Reset, running(50), completed(), completed()]);
    let fox =
        clipia.submit("m", json!({})).idempotency_key("fox-1").webhook("https://example.com").run().unwrap();
    assert_eq!(
        (fox.id(), fox.cost().unwrap().whole().unwrap(), fox.warnings()[0].parameter.as_str()),
        (&id(), 12, "promt")
    );
    assert_eq!(key_of(&peer.seen()[0]), "fox-1");

    let mut updates = fox.updates();
    let progress: Vec<_> =
        updates.by_ref().map(|update| update.unwrap().progress.map(|done| done.percent())).collect();
    assert_eq!(progress, [Some(10), Some(50), None]);
    assert!(updates.next().is_none());

    let Outcome::Completed(picture) = clipia.resume(fox.saved()).wait().run().unwrap() else {
        panic!("it ended")
    };
    assert_eq!((picture.id(), picture.cost().unwrap().whole().unwrap()), (&id(), 12));
    assert_eq!(format!("{clipia:?} {fox:?}").matches("0123456789ab").count(), 0);
}

#[test]
fn subscribe_brings_the_outcome_and_calls_back_on_this_thread() {
    let failed = state("FAILED", json!({ "error": { "code": "TOO_DARK", "message": "too dark" } }));
    let (_running, _peer, clipia) = scripted(vec![submitted(), state("IN_PROGRESS", json!({})), failed]);
    let statuses = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&statuses);
    let outcome = clipia
        .subscribe("m", json!({}))
        .timeout(Duration::from_secs(60))
        .on_update(move |update| sink.lock().unwrap().push((thread::current().id(), update.status.clone())))
        .run()
        .unwrap();
    let here = |status| (thread::current().id(), status);
    assert_eq!(*statuses.lock().unwrap(), [here(Status::InProgress), here(Status::Failed)]);
    assert!(matches!(outcome.completed(), Err(Error::Failed(why)) if why.code() == "TOO_DARK"));
}

#[test]
fn a_deadline_ends_a_wait_and_names_the_generation() {
    let (_running, _peer, clipia) =
        scripted(vec![state("IN_PROGRESS", json!({ "progress": 72 })), Reply::Hang]);
    let error = clipia.generation(id()).wait().timeout(Duration::from_millis(300)).run().unwrap_err();
    assert!(matches!(&error, Error::Deadline { request_id, .. } if *request_id == id()), "{error:?}");
    assert!(error.to_string().contains("it is still IN_PROGRESS (72 %)"), "{error}");
}

#[test]
fn calls_without_options_need_no_run() {
    let (_running, _peer, clipia) = client(|_, seen| match seen.path.as_str() {
        "/v1/account" => account(),
        "/v1/models" => json_reply(200, json!({ "data": [] })),
        "/v1/models/m/estimate" => json_reply(200, json!({ "credits": 24 })),
        _ => state("IN_QUEUE", json!({ "queue_position": 3 })),
    });
    assert_eq!(clipia.account().unwrap().balance.credits.whole().unwrap(), 35);
    assert!(clipia.models().unwrap().is_empty());
    assert_eq!(clipia.estimate("m", json!({})).unwrap().credits.whole().unwrap(), 24);
    assert!(matches!(clipia.check("..", json!({})), Err(Error::Input { .. })));
    let fox = clipia.generation(id());
    assert_eq!(
        (fox.status().unwrap().queue_position, fox.result().unwrap().queue_position),
        (Some(3), Some(3))
    );
    let dear = clipia.submit("m", json!({})).max_cost(23).run().unwrap_err();
    assert!(matches!(dear, Error::MaxCost { .. }), "{dear:?}");
}

#[test]
fn files_are_saved() {
    let (_running, _peer, clipia) = client(|_, seen| match seen.path.as_str() {
        "/fox.png" => body_reply(200, &[("content-type", "image/png")], b"a fox"),
        _ => state("COMPLETED", json!({ "output": { "images": [{ "url": "/fox.png" }] } })),
    });
    let dir = tempfile::tempdir().unwrap();
    let bytes = Arc::new(Mutex::new(0));
    let sink = Arc::clone(&bytes);
    let picture = clipia.generation(id()).wait().run().unwrap().completed().unwrap();
    let progress = picture.download(dir.path()).on_progress(move |file| *sink.lock().unwrap() = file.bytes);
    let paths = progress.run().unwrap();
    assert_eq!(paths, [dir.path().join(format!("{ID}-image-1.png"))]);
    assert_eq!((std::fs::read(&paths[0]).unwrap().as_slice(), *bytes.lock().unwrap()), (&b"a fox"[..], 5));
    assert_eq!(clipia.generation(id()).download(dir.path()).run().unwrap(), paths);
}

#[test]
fn a_hundred_threads_wait_on_one_client() {
    const THREADS: usize = 100;
    let asked = Mutex::new(std::collections::HashMap::<String, u32>::new());
    let (_running, peer, clipia) = client(move |_, seen| {
        let mut asked = asked.lock().unwrap();
        let times = asked.entry(seen.path.clone()).or_default();
        *times += 1;
        let status = if *times < 3 { "IN_PROGRESS" } else { "COMPLETED" };
        let body = json!({ "request_id": seen.path.rsplit('/').next(), "status": status });
        crate::peer::with_headers(200, &NO_LIMIT, body)
    });
    let together = Barrier::new(THREADS);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let (clipia, together) = (clipia.clone(), &together);
            scope.spawn(move || {
                together.wait();
                let generation = clipia.generation(another_id());
                let outcome = generation.wait().run().unwrap();
                assert_eq!(outcome.completed().unwrap().id(), generation.id());
            });
        }
    });
    assert_eq!(peer.seen().len(), 3 * THREADS, "they share one schedule");
}

#[test]
fn a_call_panics_with_a_reason_in_async_code_and_works_where_blocking_is_allowed() {
    let (running, _peer, clipia) = scripted(vec![account()]);
    let other = clipia.clone();
    let panicked =
        running.block_on(async { tokio::spawn(async move { other.account() }).await.unwrap_err() });
    let why = panicked.into_panic().downcast::<&str>().unwrap();
    assert!(why.contains("attempted to block the current thread"), "{why}");
    let blocking = running.spawn_blocking(move || clipia.account().unwrap());
    assert_eq!(running.block_on(blocking).unwrap().balance.credits.whole().unwrap(), 35);
}

#[test]
fn dropping_the_last_clone_ends_the_thread_even_in_async_code() {
    // A single connection, which is kept alive. It is closed when the client's thread ends.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let far_side = thread::spawn(move || {
        let mut connection = listener.accept().unwrap().0;
        connection.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            connection.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        let Reply::Bytes(reply, _) = account() else { unreachable!() };
        connection.write_all(&reply).unwrap();
        connection.read(&mut [0]).unwrap()
    });
    let builder = clipia::Clipia::builder().key(crate::peer::KEY).base_url(url);
    let clipia = Clipia::new(builder.build().unwrap()).unwrap();
    clipia.account().unwrap();
    let fox = clipia.generation(id());
    drop(clipia);
    assert!(!far_side.is_finished(), "a handle needs the thread, too");
    runtime().block_on(async move { drop(fox) });
    assert_eq!(far_side.join().unwrap(), 0, "the connection ended");
}
