//! What the reads of a scripted request say before it has ended.

use crate::words::{End, Script};
use clipia_api::Status;
use serde_json::{Map, Value};
use std::time::Duration;

/// What one read says of a request that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is queued at this position.
    Queued(u32),
    /// It runs with this progress, in percent.
    Running(u8),
}

impl Script {
    /// How many reads say that the request has not ended. The next one says its end. With `@takes` it is none: time ends it.
    ///
    /// ```
    /// use clipia_emulator::words::Script;
    ///
    /// let script: Script = "@polls=3".parse()?;
    /// assert_eq!(script.unfinished_reads(), 2);
    /// let script: Script = "@position=12,3,0 @progress=50".parse()?;
    /// assert_eq!(script.unfinished_reads(), 4);
    /// # Ok::<(), clipia_emulator::words::WordError>(())
    /// ```
    pub fn unfinished_reads(&self) -> u32 {
        if self.takes.is_some() {
            return 0;
        }
        if let Some(polls) = self.polls {
            return polls.saturating_sub(1);
        }
        let steps = u32::try_from(self.position.len() + self.progress.len()).unwrap_or(u32::MAX);
        // A status that clients do not know must be seen once.
        steps.max(u32::from(self.status.is_some()))
    }

    /// Whether reads, and not time, end the request.
    pub fn is_ended_by_reads(&self) -> bool {
        self.unfinished_reads() > 0 && !matches!(self.end, End::Stuck { .. })
    }

    /// What the read after `read` others says, `ran` after the submit. None where the script does not say it.
    pub fn step(&self, read: u32, ran: Duration) -> Option<Step> {
        let steps = self.position.len() + self.progress.len();
        if let Some(takes) = self.takes {
            let last = steps.checked_sub(1)?;
            let share = ran.as_nanos().saturating_mul(steps as u128).checked_div(takes.as_nanos())?;
            return self.of_lists(usize::try_from(share).unwrap_or(last).min(last));
        }
        let unfinished = self.unfinished_reads();
        if read >= unfinished {
            return None;
        }
        if steps > 0 {
            let at = read as usize;
            return match self.of_lists(at) {
                Some(step) => Some(step),
                None if self.progress.is_empty() => {
                    Some(evenly(read, self.position.len() as u32, unfinished))
                }
                // The last step stays.
                None => self.of_lists(steps - 1),
            };
        }
        Some(if read == 0 { Step::Queued(0) } else { evenly(read, 1, unfinished) })
    }

    /// The step `at` of the lists.
    fn of_lists(&self, at: usize) -> Option<Step> {
        let position = self.position.get(at).copied().map(Step::Queued);
        let progress = || self.progress.get(at.checked_sub(self.position.len())?).copied().map(Step::Running);
        position.or_else(progress)
    }

    /// Writes a step, and the status that the script says, into a response about a request that has not ended.
    pub(crate) fn write_step(&self, step: Option<Step>, response: &mut Map<String, Value>) {
        let (status, shown, hidden) = match step {
            Some(Step::Queued(position)) => (Status::InQueue, Some(("queue_position", position)), "progress"),
            Some(Step::Running(progress)) => {
                (Status::InProgress, Some(("progress", u32::from(progress))), "queue_position")
            }
            None => {
                if let Some(status) = &self.status {
                    response.insert("status".to_owned(), status.as_str().into());
                }
                return;
            }
        };
        response.remove(hidden);
        response.extend(shown.map(|(name, value)| (name.to_owned(), value.into())));
        let status = self.status.as_deref().unwrap_or(status.as_str());
        response.insert("status".to_owned(), status.into());
    }
}

/// The progress of a read after `queued` reads that said a queue position, where `unfinished` reads come before the end.
fn evenly(read: u32, queued: u32, unfinished: u32) -> Step {
    let (done, of) = (u64::from(read - queued) + 1, u64::from(unfinished - queued) + 1);
    Step::Running(u8::try_from(done * 100 / of).unwrap_or(99).min(99))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn script(words: &str) -> Script {
        words.parse().unwrap()
    }

    /// What the reads say, one after the other, until the script says nothing.
    fn steps(words: &str) -> Vec<Step> {
        let script = script(words);
        (0..).map_while(|read| script.step(read, Duration::ZERO)).collect()
    }

    #[test]
    fn each_read_is_a_step() {
        use Step::{Queued, Running};
        for (words, expected) in [
            ("", vec![]),
            ("@fail", vec![]),
            ("@polls=1", vec![]),
            ("@polls=2", vec![Queued(0)]),
            ("@polls=3", vec![Queued(0), Running(50)]),
            ("@polls=5", vec![Queued(0), Running(25), Running(50), Running(75)]),
            ("@position=12,3,0", vec![Queued(12), Queued(3), Queued(0)]),
            ("@progress=10,60,60", vec![Running(10), Running(60), Running(60)]),
            ("@position=2 @progress=90", vec![Queued(2), Running(90)]),
            ("@polls=4 @position=7", vec![Queued(7), Running(33), Running(66)]),
            ("@polls=4 @progress=7", vec![Running(7), Running(7), Running(7)]),
            ("@polls=5 @position=1 @progress=7", vec![Queued(1), Running(7), Running(7), Running(7)]),
            ("@status=PAUSED", vec![Queued(0)]),
            ("@stuck=90 @progress=10", vec![Running(10)]),
        ] {
            assert_eq!(steps(words), expected, "{words}");
            assert_eq!(script(words).unfinished_reads() as usize, expected.len(), "{words}");
        }
        assert!(script("@polls=2").is_ended_by_reads());
        assert!(!script("@stuck @progress=10").is_ended_by_reads());
        assert!(!script("@takes=3s @progress=10").is_ended_by_reads());
    }

    #[test]
    fn with_a_duration_each_step_has_its_share() {
        let script = script("@takes=30s @position=5,2 @progress=40");
        for (seconds, expected) in [
            (0, Step::Queued(5)),
            (9, Step::Queued(5)),
            (10, Step::Queued(2)),
            (20, Step::Running(40)),
            (29, Step::Running(40)),
            (90, Step::Running(40)),
        ] {
            assert_eq!(script.step(1_000, Duration::from_secs(seconds)), Some(expected), "{seconds}");
        }
        assert_eq!("@takes=30s".parse::<Script>().unwrap().step(0, Duration::ZERO), None);
    }

    #[test]
    fn a_step_replaces_what_the_server_said() {
        let written = |words: &str, step, response: Value| {
            let mut response = response.as_object().unwrap().clone();
            script(words).write_step(step, &mut response);
            Value::Object(response)
        };
        let queued = || json!({"status": "IN_QUEUE", "queue_position": 4, "logs": []});
        assert_eq!(
            written("", Some(Step::Running(7)), queued()),
            json!({"status": "IN_PROGRESS", "progress": 7, "logs": []})
        );
        assert_eq!(
            written("@status=PAUSED", Some(Step::Queued(0)), json!({"status": "IN_PROGRESS", "progress": 7})),
            json!({"status": "PAUSED", "queue_position": 0})
        );
        assert_eq!(
            written("@status=PAUSED", None, queued()),
            json!({"status": "PAUSED", "queue_position": 4, "logs": []})
        );
        assert_eq!(written("", None, queued()), queued());
    }

    proptest! {
        #[test]
        fn progress_never_says_the_end(polls in 2..10_000_u32, read in 0..10_000_u32) {
            let script: Script = format!("@polls={polls}").parse().unwrap();
            match script.step(read, Duration::ZERO) {
                Some(Step::Running(progress)) => prop_assert!(progress < 100),
                Some(Step::Queued(_)) => prop_assert_eq!(read, 0),
                None => prop_assert!(read >= polls - 1),
            }
        }
    }
}
