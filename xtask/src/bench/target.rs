//! The targets of a scenario.

/// The targets that were missed.
#[derive(Debug, Default)]
pub(super) struct Targets {
    missed: Vec<String>,
}

impl Targets {
    /// Records a missed target, which `what` describes, unless it `holds`.
    pub(super) fn hold(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.missed.push(what());
        }
    }

    /// Prints the missed targets. Ends the program with 1 if there are any.
    pub(super) fn report(self) {
        for missed in &self.missed {
            println!("missed: {missed}");
        }
        match self.missed.len() {
            0 => println!("every target is met"),
            // The lines above must be the last; an error of `main` would print another.
            _ => std::process::exit(1),
        }
    }
}
