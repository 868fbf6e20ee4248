//! Statistics for metrics: what a store did since it was opened, and how much waits.

use clipia_queue::Moment;
use clipia_queue::position::Order;

/// What a store did since it was opened, and how much waits. Reading it costs the same however much that is.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    /// How many commands shared each commit.
    pub batches: Histogram,
    /// How long each commit took, in microseconds: the disk's part of a command.
    pub commit_micros: Histogram,
    /// How long requests waited for their first claim, in microseconds.
    pub wait_micros: Histogram,
    /// Requests that completed.
    pub completed: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Requests that were canceled.
    pub canceled: u64,
    /// Leases that were lost: they expired, or the attempt took too long.
    pub leases_lost: u64,
    /// Reports of workers that were refused because their claim was no longer in force.
    pub stale_refused: u64,
    /// Deliveries that are held since a restore, until an operator resumes or abandons them.
    pub deliveries_held: u64,
    /// The size of the log of commits, in bytes. It shrinks once all of it is checkpointed, which a long read delays.
    pub log_bytes: u64,
    /// The queues to which something was submitted, that are paused, or whose order was set.
    pub queues: Vec<QueueStatistics>,
}

/// How a queue is, and how much waits in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueStatistics {
    /// The queue's name.
    pub queue: String,
    /// The order of its new requests.
    pub order: Order,
    /// How many requests wait.
    pub waiting: u64,
    /// How many accounts have new requests that wait: those that turns go round.
    pub accounts: u64,
    /// How many requests run.
    pub running: u64,
    /// When the older of the two requests was submitted that came first to its lanes, by the steady clock.
    pub oldest: Option<Moment>,
    /// When the queue was paused, if it is.
    pub paused_at: Option<jiff::Timestamp>,
}

/// How often a number was up to each bound. `sum` is of all numbers, `counts` has one more than `bounds`, for those above.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Upper bounds, each included.
    pub bounds: &'static [u64],
    /// How many numbers were up to that bound and above the one before.
    pub counts: Vec<u64>,
    /// The sum of the numbers.
    pub sum: u64,
}

impl Histogram {
    /// How many numbers there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}
