//! What a scenario must show.

/// Targets, each held against what was measured.
#[derive(Debug, Default)]
pub(super) struct Targets {
    missed: Vec<String>,
}

impl Targets {
    /// Notes that `what` was to hold.
    pub(super) fn hold(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.missed.push(what());
        }
    }

    /// Says which were missed, and ends the program with 1 if any was.
    pub(super) fn report(self) {
        for missed in &self.missed {
            println!("missed: {missed}");
        }
        match self.missed.len() {
            0 => println!("every target is met"),
            // The lines above are the last word; an error of `main` would print another.
            _ => std::process::exit(1),
        }
    }
}
