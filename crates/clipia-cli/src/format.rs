//! The format of what a command of the client prints.

use crate::output;
use clap::Args;
use serde::Serialize;

/// Tables and sentences on a terminal, JSON elsewhere.
#[derive(Args, Clone, Copy)]
pub(crate) struct Format {
    /// Prints JSON; the default if stdout is not a terminal
    #[arg(long)]
    json: bool,
}

impl Format {
    /// Prints `value` on stdout: as `text` writes it for people, or as JSON.
    pub(crate) fn print<T: Serialize>(
        self,
        value: &T,
        text: impl FnOnce(&T) -> String,
    ) -> anyhow::Result<()> {
        output::text_or_json(value, self.json, text)
    }
}
