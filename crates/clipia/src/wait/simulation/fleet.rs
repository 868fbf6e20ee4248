//! A fleet of generations and the clients that submit it.

use super::server::{BURST, Server};
use std::time::Duration;

/// The time of a request and its response.
const LATENCY: Duration = Duration::from_millis(40);

/// Generations that are all submitted at once.
#[derive(Clone, Debug)]
pub(super) struct Fleet {
    pub(super) durations: Vec<Duration>,
    pub(super) watched: bool,
    /// The delay of deliveries after the ends, if there are deliveries.
    pub(super) deliveries: Option<Duration>,
    /// The time of a request and its response.
    pub(super) latency: Duration,
    pub(super) server: Server,
    /// Clients with the same key, each with its part of the fleet.
    pub(super) clients: Vec<Lifetime>,
    /// The concurrency limit of the server.
    pub(super) in_flight: usize,
    /// Whether the budgets of the clients ignore that others share the key.
    pub(super) ignores_others: bool,
}

/// When a client begins, and when its process dies, from the start of the simulation.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lifetime {
    pub(super) begins: Duration,
    pub(super) dies: Option<Duration>,
}

impl Fleet {
    /// Generations of these durations by one client on a default key.
    pub(super) fn of(durations: Vec<Duration>) -> Self {
        Self {
            durations,
            watched: false,
            deliveries: None,
            latency: LATENCY,
            server: Server::new(BURST, true),
            clients: vec![Lifetime::default()],
            in_flight: usize::MAX,
            ignores_others: false,
        }
    }

    /// The client that submits a generation.
    pub(super) fn client_of(&self, number: usize) -> usize {
        number % self.clients.len()
    }
}
