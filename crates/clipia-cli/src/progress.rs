//! Shows generations on their way: a bar each on a terminal, a line for each change elsewhere. All on stderr.

use crate::output::{one_line, say};
use crate::pauses;
use clipia::{Error, Generation, Outcome, Status, Update};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

/// Where generations are shown.
pub(crate) struct Board {
    bars: Option<MultiProgress>,
}

/// Where one is.
pub(crate) struct Line {
    label: String,
    bar: Option<ProgressBar>,
    said: String,
}

impl Board {
    pub(crate) fn new() -> Self {
        let bars = std::io::stderr().is_terminal().then(MultiProgress::new);
        if let Some(bars) = &bars {
            pauses::above(bars);
        }
        Self { bars }
    }

    /// A line for the generation that `label` names.
    pub(crate) fn line(&self, label: &str) -> Line {
        let label = one_line(label);
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new(100));
            // The template is constant, and a test draws it.
            if let Ok(style) = ProgressStyle::with_template("  {prefix}  {bar:16} {msg}") {
                bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏░"));
            }
            bar.set_prefix(label.clone());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Line { label, bar, said: String::new() }
    }
}

impl Line {
    /// Shows the generation on its way, until it has ended.
    pub(crate) async fn follow(&mut self, generation: &Generation) -> Result<Outcome, Error> {
        let mut updates = generation.updates();
        while let Some(update) = updates.next().await {
            self.show(&update?);
        }
        generation.wait().await
    }

    /// Shows where the generation is now.
    fn show(&mut self, update: &Update) {
        let percent = match update.status {
            Status::Completed => Some(100),
            _ => update.progress.map(|progress| progress.percent()),
        };
        let text = match (&update.status, update.queue_position, percent) {
            (Status::InQueue, Some(ahead), _) => format!("in line, {ahead} ahead"),
            (Status::InProgress, _, Some(percent)) => format!("{percent} %"),
            (status, ..) => one_line(status.as_str()),
        };
        match &self.bar {
            Some(bar) => {
                bar.set_position(u64::from(percent.unwrap_or(0)));
                bar.set_message(text);
            }
            None if text != self.said => {
                say(format_args!("  {}  {text}", self.label));
                self.said = text;
            }
            None => {}
        }
    }

    /// Ends the line with `text`.
    pub(crate) fn end(self, text: &str) {
        let text = one_line(text);
        match self.bar {
            Some(bar) => {
                if let Ok(style) = ProgressStyle::with_template("  {prefix}  {msg}") {
                    bar.set_style(style);
                }
                bar.finish_with_message(text);
            }
            None if text != self.said => say(format_args!("  {}  {text}", self.label)),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_ones() {
        for template in ["  {prefix}  {bar:16} {msg}", "  {prefix}  {msg}"] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
