//! The emulator: the real server, whose calls and generations go wrong where a test says so.

use crate::peer::KEY;
use clipia::{Clipia, json};
use clipia_emulator::journal::{Filter, Form, ListedCall};
use clipia_emulator::{Emulator, Operation, Pace, Settings};
use serde_json::Value;
use std::ops::Deref;
use std::sync::mpsc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

pub(crate) const MODEL: &str = "nano-banana-2";

/// The price of a generation of the model, in credits.
pub(crate) const COST: u64 = 12;

/// An input whose prompt begins with these words of the emulator.
pub(crate) fn input(words: &str) -> Value {
    json!({ "prompt": format!("{words} a fox") })
}

/// A running emulator. It ends when this is dropped.
pub(crate) struct Emulated {
    emulator: Emulator,
    /// Of its own, so that blocking clients and other runtimes can call it.
    runtime: Option<Runtime>,
}

impl Emulated {
    /// An emulator with these faults, whose clock jumps to what is due next.
    pub(crate) fn new(faults: &[&str]) -> Self {
        let faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
        Self::start(Settings { pace: Pace::Auto, faults, ..Settings::default() })
    }

    pub(crate) fn start(settings: Settings) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (started, starts) = mpsc::channel();
        // A test that runs on another runtime may not drive this one.
        runtime.spawn(async move { started.send(Emulator::start(settings).await).unwrap() });
        Self { emulator: starts.recv().unwrap().unwrap(), runtime: Some(runtime) }
    }

    /// Adds a fault behind the others.
    pub(crate) fn fault(&self, fault: &str) {
        self.emulation().add_fault(fault.parse().unwrap());
    }

    /// The calls of an operation so far.
    pub(crate) fn calls(&self, operation: Operation) -> Vec<ListedCall> {
        self.emulation().journal(&Filter { operation: Some(operation), ..Filter::default() }, Form::Whole)
    }

    /// The operations of all calls so far.
    pub(crate) fn operations(&self) -> Vec<&'static str> {
        let calls = self.emulation().journal(&Filter::default(), Form::Whole);
        calls.into_iter().filter_map(|call| call.operation).collect()
    }

    /// The idempotency keys of the submits so far.
    pub(crate) fn idempotency_keys(&self) -> Vec<String> {
        self.calls(Operation::Submit).into_iter().filter_map(|call| call.idempotency_key).collect()
    }

    /// A client with at most two retries, which come at once.
    pub(crate) fn client(&self) -> Clipia {
        self.builder().max_retries(2).build().unwrap()
    }

    pub(crate) fn builder(&self) -> clipia::Builder {
        Clipia::builder().key(KEY).base_url(self.url()).retry_delay(Duration::from_millis(1))
    }
}

impl Deref for Emulated {
    type Target = Emulator;

    fn deref(&self) -> &Emulator {
        &self.emulator
    }
}

impl Drop for Emulated {
    fn drop(&mut self) {
        // In async code a runtime may not wait for its end.
        self.runtime.take().unwrap().shutdown_background();
    }
}
