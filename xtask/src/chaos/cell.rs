//! The cells of `cargo xtask chaos --postgres`: each is one way to disturb several servers and their database.

use clap::ValueEnum;

/// What happens to the servers or to their database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Cell {
    /// PostgreSQL is stopped as by a crash and started again
    Restarted,
    /// The sessions of all servers are terminated
    Terminated,
    /// No session is to be had: all wait for a lock, and then the database takes no more of them
    Exhausted,
    /// A server is killed, and stays away until others have taken over its generations
    Killed,
    /// Servers are killed and started again and again
    KilledAgain,
    /// A server is stopped for longer than its leases, and goes on
    Paused,
    /// Each round trip to the database takes a fifth of a second, for a minute
    Slow,
    /// A transaction keeps a snapshot open for two minutes
    Pinned,
}

/// The cells of the short form. They are over in seconds each, and share what takes half a minute: the leases of a server that was
/// killed. Therefore it is killed first.
#[cfg(feature = "chaos")]
const SHORT: [Cell; 3] = [Cell::Killed, Cell::Terminated, Cell::Restarted];

#[cfg(feature = "chaos")]
impl Cell {
    /// The stages of a run. The cells of a stage follow one another on the same servers, with one check at the end.
    pub(super) fn stages(chosen: &[Self], short: bool) -> Vec<Stage> {
        if short {
            return vec![Stage { cells: SHORT.to_vec(), short }];
        }
        let all = match chosen {
            [] => Self::value_variants(),
            chosen => chosen,
        };
        all.iter().map(|cell| Stage { cells: vec![*cell], short }).collect()
    }

    /// The name in the table.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Restarted => "PostgreSQL restarted",
            Self::Terminated => "backends terminated",
            Self::Exhausted => "no session to be had",
            Self::Killed => "a node killed",
            Self::KilledAgain => "nodes killed again and again",
            Self::Paused => "a node paused past its leases",
            Self::Slow => "the database slow",
            Self::Pinned => "the horizon pinned",
        }
    }
}

/// Servers of their own, and what happens to them.
#[cfg(feature = "chaos")]
#[derive(Clone, Debug)]
pub(super) struct Stage {
    pub(super) cells: Vec<Cell>,
    pub(super) short: bool,
}
