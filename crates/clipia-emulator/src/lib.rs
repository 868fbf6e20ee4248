//! The emulator of the Clipia queue: the same server with another clock, scripted outcomes and a layer of faults, so that a test
//! sees every outcome in milliseconds.
//!
//! [`words`] at the start of a prompt say what happens to a request; a [`Scenario`] says the same of requests whose prompt has no
//! words. [`Faults`] are what goes wrong with calls. The layer over the server's router ([`layered`]) applies both, and notes each call in
//! the [`journal`]; [`findings`] say what callers and receivers do wrong. [`control`] has the routes by which a test drives all this. An
//! [`Emulator`] is all of it, running.
//!
//! What must never be here: a rule of the queue, and another response to a call that goes right. The server does both.

mod accounts;
mod advance;
mod caller_key;
mod clock;
pub mod control;
mod dashboard;
mod driving;
pub mod duration;
mod early;
mod emulation;
mod emulator;
mod executor;
pub mod fault;
pub mod findings;
mod ids;
pub mod journal;
mod layer;
mod operation;
mod outputs;
mod prices;
mod refusal;
pub mod scenario;
mod script_rule;
pub mod scripts;
mod steps;
mod tampering;
pub mod words;

pub use accounts::{CREDITS, LIVE_KEY, ScenarioCreditsError, TEST_KEY, WEBHOOK_SECRET};
pub use advance::{AdvanceRefused, Occurrence};
pub use caller_key::{CallerKey, NoCallerKey};
pub use clipia_queue::limits::KeyLimits;
pub use clock::{Pace, PaceInvalid};
pub use emulation::{Emulation, Server};
pub use emulator::{Emulator, EmulatorError, Settings};
pub use fault::{Calls, Fault, FaultError, FaultRule, FaultRuleError, Faults};
pub use findings::{Finding, FindingKind, ObservedDelivery, ObservedSignature, Observer};
pub use journal::Journal;
pub use layer::{FAULT, layered};
pub use operation::{Called, Operation};
pub use refusal::{NoRefusal, Refusal};
pub use scenario::{Scenario, ScenarioAccount};
pub use script_rule::{PatternError, PromptPattern, ScriptRule};
pub use scripts::Scripts;
pub use steps::Step;

/// Compiles and runs the README's example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
