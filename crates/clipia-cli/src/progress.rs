//! The progress of generations on stderr: a bar for each generation on a terminal, elsewhere a line for each change.

use crate::output::{one_line, say};
use crate::pauses;
use clipia::{Error, Generation, Outcome, Status, Update};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::future::IntoFuture;
use std::io::IsTerminal;
use std::pin::pin;
use std::time::Duration;

/// The template of a bar while its generation runs.
const RUNNING: &str = "  {prefix}  {bar:16} {msg}";

/// The template once the generation has ended.
const ENDED: &str = "  {prefix}  {msg}";

/// The progress of all generations that a command waits for.
pub(crate) struct Board {
    bars: Option<MultiProgress>,
}

/// The progress of one generation.
pub(crate) struct Line {
    label: String,
    bar: Option<ProgressBar>,
    /// The text printed last, if there is no bar.
    printed: String,
}

impl Board {
    pub(crate) fn new() -> Self {
        let bars = std::io::stderr().is_terminal().then(MultiProgress::new);
        if let Some(bars) = &bars {
            pauses::above(bars);
        }
        Self { bars }
    }

    /// Adds the generation that `label` names.
    pub(crate) fn line(&self, label: &str) -> Line {
        let label = one_line(label);
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new(100));
            // The template is a constant, and a test parses it.
            if let Ok(style) = ProgressStyle::with_template(RUNNING) {
                bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏░"));
            }
            bar.set_prefix(label.clone());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Line { label, bar, printed: String::new() }
    }
}

impl Line {
    /// Shows the generation's progress until it has ended, and returns its outcome.
    ///
    /// # Errors
    /// Those of a wait: [`Error::Deadline`] after the `timeout`.
    pub(crate) async fn follow(
        &mut self,
        generation: &Generation,
        timeout: Option<Duration>,
    ) -> Result<Outcome, Error> {
        let (changed, mut changes) = tokio::sync::mpsc::unbounded_channel();
        // The receiver lives as long as the wait.
        let wait = generation.wait().on_update(move |update| drop(changed.send(update.clone())));
        let wait = match timeout {
            Some(timeout) => wait.timeout(timeout),
            None => wait,
        };
        let mut ended = pin!(wait.into_future());
        loop {
            tokio::select! {
                biased;
                Some(update) = changes.recv() => self.show(&update),
                outcome = &mut ended => return outcome,
            }
        }
    }

    /// Shows one update.
    fn show(&mut self, update: &Update) {
        let percent = match update.status {
            Status::Completed => Some(100),
            _ => update.progress.map(|progress| progress.percent()),
        };
        let text = text(&update.status, update.queue_position, percent);
        match &self.bar {
            Some(bar) => {
                bar.set_position(u64::from(percent.unwrap_or(0)));
                bar.set_message(text);
            }
            None if text != self.printed => {
                say(format_args!("  {}  {text}", self.label));
                self.printed = text;
            }
            None => {}
        }
    }

    /// Shows `text` as the generation's end.
    pub(crate) fn end(self, text: &str) {
        let text = one_line(text);
        match self.bar {
            Some(bar) => {
                if let Ok(style) = ProgressStyle::with_template(ENDED) {
                    bar.set_style(style);
                }
                bar.finish_with_message(text);
            }
            None if text != self.printed => say(format_args!("  {}  {text}", self.label)),
            None => {}
        }
    }
}

/// One line that says how far a generation is.
fn text(status: &Status, queue_position: Option<u64>, percent: Option<u8>) -> String {
    match (status, queue_position, percent) {
        (Status::InQueue, Some(ahead), _) => format!("in queue, {ahead} ahead"),
        (Status::InProgress, _, Some(percent)) => format!("{percent} %"),
        (status, ..) => one_line(status.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_parse() {
        for template in [RUNNING, ENDED] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    #[test]
    fn progress_is_the_queue_position_then_the_percentage_then_the_status() {
        for (status, queue_position, percent, shown) in [
            (Status::InQueue, Some(3), None, "in queue, 3 ahead"),
            (Status::InQueue, None, None, "IN_QUEUE"),
            (Status::InProgress, None, None, "IN_PROGRESS"),
            (Status::InProgress, Some(0), Some(40), "40 %"),
            (Status::Completed, None, Some(100), "COMPLETED"),
            (Status::Failed, None, Some(40), "FAILED"),
            (Status::Unknown("NEW\n".to_owned()), None, None, "NEW\\n"),
        ] {
            assert_eq!(text(&status, queue_position, percent), shown);
        }
    }
}
