//! Fleets in simulated time: waiters and budgets against a server that counts requests, compared with a clairvoyant
//! client. With the feature `simulation` the benchmarks of this workspace use it.

mod caller;
mod clairvoyant;
mod fleet;
mod report;
mod run;
mod server;
#[cfg(test)]
mod tests;

use clairvoyant::clairvoyant;
use fleet::{Fleet, Lifetime};
use run::run;
use std::time::Duration;

/// The figures of processes that share a default key.
#[derive(Debug)]
pub struct Measured {
    /// When the end of each generation was known.
    pub known: Vec<Duration>,
    /// The number of requests.
    pub requests: usize,
    /// The number of those that got a 429.
    pub refused: usize,
    /// The least time until all ends can be known.
    pub least: Duration,
}

/// Runs generations of these durations by processes that begin at these times. Each process has a client of its own; the
/// generations go round. `ignores_others` says whether the clients ignore that others share their key.
pub fn measure(durations: Vec<Duration>, begins: &[Duration], ignores_others: bool) -> Measured {
    let clients = begins.iter().map(|&begins| Lifetime { begins, dies: None }).collect();
    let fleet = Fleet { clients, ignores_others, ..Fleet::of(durations) };
    let (report, least) = (run(&fleet), clairvoyant(&fleet));
    Measured {
        known: report.known().map(Duration::from_secs_f64).collect(),
        requests: report.requests,
        refused: report.refused,
        least: Duration::from_secs_f64(least.into_iter().fold(0.0, f64::max)),
    }
}
