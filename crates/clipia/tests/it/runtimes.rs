//! One client on several Tokio runtimes: a wait depends only on the runtime that polls it.

use crate::emulated::{Emulated, MODEL, input};
use clipia::{Error, Generation, Outcome};
use clipia_emulator::{Operation, Pace, Settings};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A generation that runs until the clock of its server is advanced.
fn running() -> (Emulated, Generation) {
    let emulated = Emulated::start(Settings { pace: Pace::Manual, ..Settings::default() });
    let submit = emulated.client().submit(MODEL, input("@takes=30m"));
    let submitted = runtime().block_on(submit.into_future()).unwrap();
    (emulated, submitted.into_generation())
}

fn end(emulated: &Emulated) {
    runtime().block_on(emulated.advance(Duration::from_secs(3_600))).unwrap();
}

/// Polls a wait until the server has received a call of it.
async fn begin(wait: &mut (impl Future<Output = Result<Outcome, Error>> + Unpin), emulated: &Emulated) {
    poll_fn(|context| {
        assert!(Pin::new(&mut *wait).poll(context).is_pending());
        if emulated.calls(Operation::Result).is_empty() {
            context.waker().wake_by_ref();
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
}

#[test]
fn a_wait_moves_from_a_runtime_that_was_shut_down() {
    let (emulated, generation) = running();
    let mut wait = generation.wait();
    let first = runtime();
    first.block_on(begin(&mut wait, &emulated));
    drop(first);
    end(&emulated);
    runtime().block_on(wait).unwrap().completed().unwrap();
}

#[test]
fn a_wait_does_not_need_another_runtime_to_be_driven() {
    let (emulated, generation) = running();
    let mut idle = generation.wait();
    let undriven = runtime();
    undriven.block_on(begin(&mut idle, &emulated));
    end(&emulated);
    // The first wait, its task and its calls still exist, but are not polled.
    runtime().block_on(generation.wait()).unwrap().completed().unwrap();
    // The first wait does not need the runtime where it began, either.
    runtime().block_on(idle).unwrap().completed().unwrap();
}

#[test]
fn a_client_serves_one_runtime_after_another() {
    let (emulated, generation) = running();
    end(&emulated);
    for _ in 0..3 {
        runtime().block_on(generation.wait()).unwrap().completed().unwrap();
        runtime().block_on(generation.status()).unwrap();
    }
}
