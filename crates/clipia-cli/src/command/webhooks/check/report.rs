//! The report of a check: a table, JSON, or JUnit.

use super::grade::{Row, Verdict};
use crate::output::table;
use clipia::printable;
use serde::Serialize;
use std::time::Duration;

/// How a receiver answered all deliveries of a check.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) url: String,
    /// Whether the emulator's secret signed, since no other was given.
    pub(super) emulator_secret: bool,
    pub(super) right: usize,
    pub(super) red: usize,
    pub(super) rows: Vec<Row>,
}

impl Report {
    pub(super) fn new(url: String, emulator_secret: bool, rows: Vec<Row>) -> Self {
        let right = rows.iter().filter(|row| row.verdict == Verdict::Right).count();
        Self { url, emulator_secret, right, red: rows.len() - right, rows }
    }

    pub(super) fn table(&self) -> String {
        let rows = self.rows.iter().map(|row| {
            [
                row.delivery.to_owned(),
                row.expected.as_str().to_owned(),
                row.got.clone(),
                format!("{} ms", row.took.as_millis()),
                row.verdict.as_str().to_owned(),
            ]
        });
        table(["DELIVERY", "EXPECTED", "GOT", "TOOK", "VERDICT"], rows)
    }

    /// The report in the XML of JUnit, which CI services read.
    ///
    /// # Errors
    /// None in practice: XML has a form for all of this.
    pub(super) fn junit(&self) -> Result<String, quick_xml::SeError> {
        let count = |verdict| self.rows.iter().filter(|row| row.verdict == verdict).count();
        let suite = Suite {
            name: "clipia webhooks check",
            tests: self.rows.len(),
            failures: count(Verdict::Wrong),
            errors: count(Verdict::Fault),
            time: seconds(self.rows.iter().map(|row| row.took).sum()),
            cases: self.rows.iter().map(Test::of).collect(),
        };
        let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
        let mut writer = quick_xml::se::Serializer::new(&mut text);
        writer.indent(' ', 2);
        Suites { suite }.serialize(writer)?;
        Ok(text + "\n")
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.3}", duration.as_secs_f64())
}

#[derive(Serialize)]
#[serde(rename = "testsuites")]
struct Suites {
    #[serde(rename = "testsuite")]
    suite: Suite,
}

#[derive(Serialize)]
struct Suite {
    #[serde(rename = "@name")]
    name: &'static str,
    #[serde(rename = "@tests")]
    tests: usize,
    #[serde(rename = "@failures")]
    failures: usize,
    #[serde(rename = "@errors")]
    errors: usize,
    #[serde(rename = "@time")]
    time: String,
    #[serde(rename = "testcase")]
    cases: Vec<Test>,
}

#[derive(Serialize)]
struct Test {
    #[serde(rename = "@classname")]
    class: &'static str,
    #[serde(rename = "@name")]
    name: &'static str,
    #[serde(rename = "@time")]
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Problem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Problem>,
}

#[derive(Serialize)]
struct Problem {
    #[serde(rename = "@message")]
    message: String,
    #[serde(rename = "$text")]
    text: String,
}

impl Test {
    fn of(row: &Row) -> Self {
        let problem = |verdict| {
            (row.verdict == verdict).then(|| Problem {
                message: format!("expected {}, got {}", row.expected.as_str(), row.got),
                // XML has no form for control characters, which the text of a network's error might have.
                text: printable(row.advice.as_deref().unwrap_or_default()).into_owned(),
            })
        };
        Self {
            class: "webhooks",
            name: row.delivery,
            time: seconds(row.took),
            failure: problem(Verdict::Wrong),
            error: problem(Verdict::Fault),
        }
    }
}
