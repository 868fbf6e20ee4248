//! The blocking client: the same calls as the async one, from threads.

use crate::emulated::{COST, Emulated, MODEL, input};
use crate::peer::{KEY, Reply, account, id};
use clipia::blocking::{Clipia, Outcome};
use clipia::{Error, Status};
use clipia_emulator::Operation;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// An emulator with these faults, and a client of it.
fn emulated(faults: &[&str]) -> (Emulated, Clipia) {
    let emulated = Emulated::new(faults);
    let clipia = Clipia::new(emulated.client()).unwrap();
    (emulated, clipia)
}

#[test]
fn a_generation_is_submitted_followed_and_waited_for() {
    let (emulated, clipia) = emulated(&["status reset x1 after 1"]);
    let fox = clipia.submit(MODEL, input("@progress=10,50")).idempotency_key("fox-1");
    let fox = fox.webhook("http://127.0.0.1:9/hook").run().unwrap();
    assert_eq!(fox.cost(), Some(COST.into()));
    assert_eq!(emulated.idempotency_keys(), ["fox-1"]);

    let mut updates = fox.updates();
    let progress: Vec<_> =
        updates.by_ref().map(|update| update.unwrap().progress.map(|done| done.percent())).collect();
    assert_eq!(progress, [Some(10), Some(50), None]);
    assert!(updates.next().is_none());

    let Outcome::Completed(picture) = clipia.resume(fox.saved()).wait().run().unwrap() else {
        panic!("it completed")
    };
    assert_eq!((picture.id(), picture.cost()), (fox.id(), fox.cost()));
    assert_eq!(format!("{clipia:?} {fox:?}").matches("0123456789ab").count(), 0);
}

#[test]
fn subscribe_brings_the_outcome_and_calls_back_on_this_thread() {
    let (_emulated, clipia) = emulated(&[]);
    let statuses = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&statuses);
    let outcome = clipia
        .subscribe(MODEL, input("@progress=1 @fail=too_dark"))
        .timeout(Duration::from_secs(60))
        .on_update(move |update| sink.lock().unwrap().push((thread::current().id(), update.status.clone())))
        .run()
        .unwrap();
    let here = |status| (thread::current().id(), status);
    assert_eq!(*statuses.lock().unwrap(), [here(Status::InProgress), here(Status::Failed)]);
    assert!(matches!(outcome.completed(), Err(Error::Failed(why)) if why.code() == "too_dark"));
}

#[test]
fn a_deadline_ends_a_wait_and_names_the_generation() {
    let (emulated, clipia) = emulated(&["result hang after 1"]);
    let fox = clipia.submit(MODEL, input("@progress=72 @stuck=72")).run().unwrap();
    let fox = Clipia::new(emulated.client()).unwrap().generation(fox.id());
    let error = fox.wait().timeout(Duration::from_millis(300)).run().unwrap_err();
    assert!(matches!(&error, Error::Deadline { request_id, .. } if request_id == fox.id()), "{error:?}");
    assert!(error.to_string().contains("it is still IN_PROGRESS (72 %)"), "{error}");
}

#[test]
fn calls_without_options_need_no_run() {
    let (_emulated, clipia) = emulated(&[]);
    assert_eq!(clipia.account().unwrap().balance.credits, 1_000_000.into());
    assert!(clipia.models().unwrap().iter().any(|model| model.slug == MODEL));
    assert_eq!(clipia.estimate(MODEL, input("")).unwrap().credits, COST.into());
    assert!(matches!(clipia.check("..", input("")), Err(Error::Input(_))));
    let fox = clipia.submit(MODEL, input("@position=3,3")).run().unwrap();
    assert_eq!(
        (fox.status().unwrap().queue_position, fox.result().unwrap().queue_position),
        (Some(3), Some(3))
    );
    let dear = clipia.submit(MODEL, input("")).max_cost(COST - 1).run().unwrap_err();
    assert!(matches!(dear, Error::MaxCost { .. }), "{dear:?}");
}

#[test]
fn files_are_saved() {
    let (_emulated, clipia) = emulated(&[]);
    let dir = tempfile::tempdir().unwrap();
    let bytes = Arc::new(Mutex::new(0));
    let sink = Arc::clone(&bytes);
    let fox = clipia.submit(MODEL, input("")).run().unwrap();
    let picture = fox.wait().run().unwrap().completed().unwrap();
    let progress = picture.download(dir.path()).on_progress(move |file| *sink.lock().unwrap() = file.bytes);
    let paths = progress.run().unwrap();
    assert_eq!(paths, [dir.path().join(format!("{}-image-1.png", fox.id()))]);
    assert_eq!(std::fs::metadata(&paths[0]).unwrap().len(), *bytes.lock().unwrap());
    assert_eq!(fox.download(dir.path()).run().unwrap(), paths);
    let file = picture.files().remove(0);
    let mut read = Vec::new();
    file.reader().read_to_end(&mut read).unwrap();
    assert_eq!(
        (&read, file.bytes(usize::MAX).unwrap().to_vec()),
        (&std::fs::read(&paths[0]).unwrap(), read.clone())
    );
}

#[test]
fn a_hundred_threads_wait_on_one_client() {
    const THREADS: usize = 100;
    let (emulated, clipia) = emulated(&[]);
    let together = Barrier::new(THREADS);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let (clipia, together) = (clipia.clone(), &together);
            scope.spawn(move || {
                together.wait();
                let fox = clipia.submit(MODEL, input("@polls=3")).run().unwrap();
                assert_eq!(fox.wait().run().unwrap().completed().unwrap().id(), fox.id());
            });
        }
    });
    assert_eq!(emulated.calls(Operation::Result).len(), 3 * THREADS, "they share one schedule");
}

#[test]
fn a_call_panics_with_a_reason_in_async_code_and_works_where_blocking_is_allowed() {
    let (_emulated, clipia) = emulated(&[]);
    let (running, other) = (runtime(), clipia.clone());
    let panicked =
        running.block_on(async { tokio::spawn(async move { other.account() }).await.unwrap_err() });
    let why = panicked.into_panic().downcast::<&str>().unwrap();
    assert!(why.contains("attempted to block the current thread"), "{why}");
    running.block_on(running.spawn_blocking(move || clipia.account().unwrap())).unwrap();
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
    let builder = clipia::Clipia::builder().key(KEY).base_url(url);
    let clipia = Clipia::new(builder.build().unwrap()).unwrap();
    clipia.account().unwrap();
    let fox = clipia.generation(id());
    drop(clipia);
    assert!(!far_side.is_finished(), "a handle needs the thread, too");
    runtime().block_on(async move { drop(fox) });
    assert_eq!(far_side.join().unwrap(), 0, "the connection ended");
}
