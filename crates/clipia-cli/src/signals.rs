//! The signals that ask a program to stop, or to read its files again.

#[cfg(unix)]
use std::io::IsTerminal;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals of a program.
pub(crate) struct Signals {
    #[cfg(unix)]
    terminate: Signal,
    #[cfg(unix)]
    interrupt: Signal,
    /// The signal of a closed terminal. None if it was ignored at the start, as `nohup` does.
    #[cfg(unix)]
    hangup: Option<Signal>,
    /// Whether the program was started at a terminal.
    #[cfg(unix)]
    at_terminal: bool,
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The end of the program.
    Stop,
    /// That its files are read again: SIGHUP where no terminal can have closed.
    Reload,
}

impl Signals {
    /// Handles the signals from now on.
    #[cfg(unix)]
    pub(crate) fn new() -> std::io::Result<Self> {
        let hangup = (!is_hangup_ignored()).then(|| signal(SignalKind::hangup())).transpose()?;
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup,
            at_terminal: std::io::stdin().is_terminal() || std::io::stderr().is_terminal(),
        })
    }

    #[cfg(not(unix))]
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self {})
    }

    /// Waits for the next one, whichever it is.
    pub(crate) async fn next(&mut self) {
        self.asked().await;
    }

    /// Waits for the next one, and says what it asks for.
    #[cfg(unix)]
    pub(crate) async fn asked(&mut self) -> Asked {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = hangup => if self.at_terminal { Asked::Stop } else { Asked::Reload },
        }
    }

    #[cfg(not(unix))]
    pub(crate) async fn asked(&mut self) -> Asked {
        let _ = tokio::signal::ctrl_c().await;
        Asked::Stop
    }
}

/// Whether SIGHUP was ignored when the program started. Without unsafe code this can be read on Linux only; elsewhere the
/// signal counts as not ignored.
#[cfg(unix)]
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // SIGHUP is signal 1: the lowest bit of the mask.
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}
