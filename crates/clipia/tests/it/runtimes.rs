//! One client on several Tokio runtimes: a wait depends only on the runtime that polls it.

use crate::peer::{ID, Peer, state};
use clipia::{Generation, Outcome, json};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use tokio::runtime::{Builder, Runtime};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A peer on a thread of its own. Its generation ends when `ended` is set.
fn peer(ended: &Arc<AtomicBool>) -> (Runtime, Peer) {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let ended = Arc::clone(ended);
    let peer = runtime.block_on(Peer::new(move |_, _| {
        state(if ended.load(Ordering::SeqCst) { "COMPLETED" } else { "IN_PROGRESS" }, json!({}))
    }));
    (runtime, peer)
}

/// Polls a wait until the peer has received a request.
async fn begin(wait: &mut (impl Future<Output = Result<Outcome, clipia::Error>> + Unpin), peer: &Peer) {
    poll_fn(|context| {
        assert!(Pin::new(&mut *wait).poll(context).is_pending());
        if peer.seen().is_empty() {
            context.waker().wake_by_ref();
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
}

fn handle(peer: &Peer) -> Generation {
    peer.client().generation(ID)
}

#[test]
fn a_wait_moves_from_a_runtime_that_was_shut_down() {
    let ended = Arc::new(AtomicBool::new(false));
    let (_alive, peer) = peer(&ended);
    let mut wait = handle(&peer).wait();
    let first = runtime();
    first.block_on(begin(&mut wait, &peer));
    drop(first);
    ended.store(true, Ordering::SeqCst);
    runtime().block_on(wait).unwrap().completed().unwrap();
}

#[test]
fn a_wait_does_not_need_another_runtime_to_be_driven() {
    let ended = Arc::new(AtomicBool::new(false));
    let (_alive, peer) = peer(&ended);
    let generation = handle(&peer);
    let mut idle = generation.wait();
    let undriven = runtime();
    undriven.block_on(begin(&mut idle, &peer));
    ended.store(true, Ordering::SeqCst);
    // The first wait, its task and its calls still exist, but are not polled.
    runtime().block_on(generation.wait()).unwrap().completed().unwrap();
    // The first wait does not need the runtime where it began, either.
    runtime().block_on(idle).unwrap().completed().unwrap();
}

#[test]
fn a_client_serves_one_runtime_after_another() {
    let (_alive, peer) = peer(&Arc::new(AtomicBool::new(true)));
    let generation = handle(&peer);
    for _ in 0..3 {
        runtime().block_on(generation.wait()).unwrap().completed().unwrap();
        runtime().block_on(generation.status()).unwrap();
    }
}
