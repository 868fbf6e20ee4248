//! Printing: JSON for programs and tables for people go to stdout, messages to stderr.
//!
//! All text is made [`printable`] here: it may come from a server, and must not control the terminal. `println!` and
//! `eprintln!` are denied in this crate.

use crate::log;
use clipia::printable;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use console::Term;
use serde::Serialize;
use std::borrow::Cow;
use std::fmt;
use std::io::{IsTerminal, Write};

/// Prints `value` as JSON on stdout.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    print(&text)
}

/// Prints `value` on stdout: as `text` writes it if stdout is a terminal and `as_json` is false, else as JSON.
pub(crate) fn text_or_json<T: Serialize>(
    value: &T,
    as_json: bool,
    text: impl FnOnce(&T) -> String,
) -> anyhow::Result<()> {
    if is_json(as_json) { json(value) } else { print_for_people(&text(value)) }
}

/// Prints `text` on a terminal, with its statuses in colour unless `NO_COLOR` is set.
fn print_for_people(text: &str) -> anyhow::Result<()> {
    let coloured = std::env::var_os("NO_COLOR").is_none_or(|said| said.is_empty());
    let text = printable(text);
    let text = if coloured { Cow::Owned(status_colours(&text)) } else { text };
    write(&text)
}

/// The words that have a colour: statuses of requests, attempts and deliveries.
const COLOURS: [(&str, &str); 10] = [
    ("COMPLETED", "32"),
    ("delivered", "32"),
    ("IN_PROGRESS", "36"),
    ("IN_QUEUE", "33"),
    ("pending", "33"),
    ("held", "33"),
    ("paused", "33"),
    ("FAILED", "31"),
    ("abandoned", "31"),
    ("CANCELED", "35"),
];

/// `text` with its statuses in colour.
fn status_colours(text: &str) -> String {
    let mut coloured = String::with_capacity(text.len());
    for word in text.split_inclusive([' ', '\n']) {
        let name = word.trim_end();
        match COLOURS.iter().find(|(status, _)| *status == name) {
            Some((_, colour)) => {
                coloured += &format!("\u{1b}[{colour}m{name}\u{1b}[0m{}", &word[name.len()..])
            }
            None => coloured += word,
        }
    }
    coloured
}

/// Whether stdout gets JSON: it is not a terminal, or `as_json` is true.
pub(crate) fn is_json(as_json: bool) -> bool {
    as_json || !std::io::stdout().is_terminal()
}

/// Prints `value` on stdout as JSON in one line.
pub(crate) fn json_line(value: &impl Serialize) -> anyhow::Result<()> {
    print(&(serde_json::to_string(value)? + "\n"))
}

/// Prints `text` on stdout.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    write(&printable(text))
}

fn write(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(())
}

/// Prints a line on stderr.
pub(crate) fn say(line: fmt::Arguments<'_>) {
    let line = line.to_string();
    let line = printable(&line);
    // A server's log is on stderr too. The line goes through the log, so that a full pipe delays nothing.
    if !log::say(&line) {
        // If stderr is broken, the message is lost: no other place is left for it.
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }
}

/// `text` in one line, for a table cell or a progress bar.
pub(crate) fn one_line(text: &str) -> String {
    printable(text).replace('\n', "\\n").replace('\t', "\\t")
}

/// The longest word that is never broken, in columns: ids and times are copied whole.
const WORD_MAX: usize = 40;

/// A table: the headings, and the rows below them. It is as wide as the terminal at most, where the words allow it: long cells are
/// wrapped between words.
pub(crate) fn table<const N: usize>(
    headings: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(headings);
    let rows: Vec<_> = rows.into_iter().map(|row| row.map(|cell| one_line(&cell))).collect();
    let word = |text: &str| text.split(' ').map(|word| word.chars().count()).max().unwrap_or(0);
    let words =
        |column: usize| rows.iter().map(|row| word(&row[column])).chain([word(headings[column])]).max();
    let widths: Vec<usize> = (0..N).map(|column| words(column).unwrap_or(0).min(WORD_MAX)).collect();
    if let Some((_, width)) = Term::stdout().size_checked().filter(|(_, width)| *width > 0) {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table.add_rows(rows);
    for (column, width) in table.column_iter_mut().zip(widths) {
        column.set_padding((0, 2));
        let least = u16::try_from(width + 2).unwrap_or(u16::MAX);
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
    }
    table.trim_fmt() + "\n"
}

/// Names and values, one pair a line, with the values aligned.
pub(crate) fn facts<'a>(facts: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let facts: Vec<_> = facts.into_iter().collect();
    let width = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    facts.iter().map(|(name, fact)| format!("{name:width$}  {}\n", one_line(fact))).collect()
}

/// A time to the second; a dash for none.
pub(crate) fn time(at: Option<jiff::Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), |at| format!("{at:.0}"))
}

/// How long ago a time was, for a table; a dash for none. Its spaces do not break, and it is as wide as `59 min ago`, so that the
/// columns behind it stay where they are.
pub(crate) fn age(at: Option<jiff::Timestamp>) -> String {
    let Some(at) = at else { return "-".to_owned() };
    format!("{:\u{a0}<10}", ago(at, jiff::Timestamp::now()).replace(' ', "\u{a0}"))
}

/// How long ago a time was, in its largest unit.
pub(crate) fn ago(at: jiff::Timestamp, now: jiff::Timestamp) -> String {
    let seconds = now.duration_since(at).as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds} s ago"),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..86_400 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "\u{1b}]0;owned\u{7}\nfake\u{9b}2K\u{202e}";
    const SHOWN: &str = "\\u001b]0;owned\\u0007\\nfake\\u009b2K\\u202e";

    #[test]
    fn cells_and_facts_stay_in_their_line() {
        let text =
            table(["A", "B"], [[HOSTILE.to_owned(), "b".to_owned()]]) + &facts([("url", HOSTILE.to_owned())]);
        let heading = format!("A{}  B", " ".repeat(SHOWN.len() - 1));
        assert_eq!(text, format!("{heading}\n{SHOWN}  b\nurl  {SHOWN}\n"));
    }

    #[test]
    fn a_status_has_a_colour_and_other_words_have_none() {
        let shown = status_colours("a  FAILED  FAILEDLY\nb  COMPLETED\n");
        assert_eq!(shown, "a  \u{1b}[31mFAILED\u{1b}[0m  FAILEDLY\nb  \u{1b}[32mCOMPLETED\u{1b}[0m\n");
    }

    #[test]
    fn a_time_is_told_by_its_largest_unit() {
        let now: jiff::Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        for (at, told) in [
            ("2026-01-31T12:00:09Z", "0 s ago"),
            ("2026-01-31T11:59:55.2Z", "4 s ago"),
            ("2026-01-31T11:58:01Z", "1 min ago"),
            ("2026-01-31T09:00:00Z", "3 h ago"),
            ("2026-01-29T11:00:00Z", "2 d ago"),
        ] {
            assert_eq!(ago(at.parse().unwrap(), now), told);
        }
    }
}
