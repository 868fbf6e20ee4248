//! The lines that attempts log: which of them are kept, and which a status shows.
//!
//! An executor logs lines. Its worker reports them while the attempt runs, and the rest before it reports the end. Each report says
//! how many lines of the attempt came before it, so that a repeated report adds no line twice. The latest lines of an attempt are
//! kept, up to a bound; a line's number tells how many came before it, those that were dropped included.
//!
//! Lines are kept in blocks of a few lines, and the oldest block is dropped as a whole: one row for each line would cost a store
//! fifty times as many writes while a program prints all that it can.

use crate::lifecycle::{Epoch, Lifecycle};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;

/// How many lines of an attempt are kept at most. At least [`BLOCK_LINES_MAX`] fewer are, if there are as many.
pub const LINES_MAX: usize = 1_000;

/// How many bytes of an attempt's lines are kept at most, with one byte for the end of each line.
pub const BYTES_MAX: usize = 256 * 1024;

/// The longest line, in bytes. Longer ones are cut.
pub const LINE_BYTES_MAX: usize = 4 * 1024;

/// The most lines of a block.
pub const BLOCK_LINES_MAX: usize = 50;

/// The most bytes of a block's lines, with one byte for the end of each line.
pub const BLOCK_BYTES_MAX: usize = 16 * 1024;

/// Of how many attempts at a request lines are kept, the latest ones. A request can be released any number of times.
pub const ATTEMPTS_MAX: i64 = 10;

/// How many lines a status shows at most.
pub const SHOWN_LINES_MAX: usize = 50;

/// How many bytes of lines a status shows at most, with one byte for the end of each line: every poll transfers them.
pub const SHOWN_BYTES_MAX: usize = 16 * 1024;

/// `text` as one line of a log, without what a terminal would obey: escape sequences and control characters other than tab are
/// removed, and a line break becomes a space. A line of more than [`LINE_BYTES_MAX`] is cut.
///
/// ```
/// assert_eq!(clipia_queue::logs::line("\u{1b}[32mstep 3\u{1b}[0m of 28\u{7}"), "step 3 of 28");
/// ```
pub fn line(text: &str) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(&text[..text.floor_char_boundary(LINE_BYTES_MAX)]);
    }
    let mut line = String::new();
    for character in anstream::adapter::strip_str(text).flat_map(str::chars) {
        let character = if matches!(character, '\n' | '\r') { ' ' } else { character };
        if is_obeyed(character) {
            continue;
        }
        if line.len() + character.len_utf8() > LINE_BYTES_MAX {
            break;
        }
        line.push(character);
    }
    Cow::Owned(line)
}

fn is_obeyed(character: char) -> bool {
    character.is_control() && character != '\t'
}

/// The bytes that a line counts for: one for its end.
pub const fn bytes_of(line: &str) -> usize {
    line.len() + 1
}

/// Lines of an attempt, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogLines {
    /// How many lines of the attempt came before `lines`, those that were dropped included.
    pub offset: u64,
    /// The lines.
    pub lines: VecDeque<String>,
}

impl LogLines {
    /// How many lines the attempt has logged with these.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.lines.len() as u64)
    }
}

/// Figures of what is kept of an attempt's log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogFigures {
    /// How many lines the attempt has logged, those that were dropped included.
    pub logged: u64,
    /// How many are kept.
    pub lines: u64,
    /// How many bytes these are, with one byte for the end of each line.
    pub bytes: u64,
}

impl LogFigures {
    /// Whether more is kept than may be: the oldest block is to be dropped.
    pub const fn is_over(&self) -> bool {
        self.lines > LINES_MAX as u64 || self.bytes > BYTES_MAX as u64
    }

    /// The figures without a block of these lines and bytes.
    pub const fn without(self, lines: u64, bytes: u64) -> Self {
        let (lines, bytes) = (self.lines.saturating_sub(lines), self.bytes.saturating_sub(bytes));
        Self { lines, bytes, ..self }
    }
}

/// Lines that are kept, and dropped, together. No line has a line break.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// How many lines of the attempt came before.
    pub offset: u64,
    /// The lines, at least one.
    pub lines: Vec<String>,
}

impl Block {
    /// The bytes of its lines, with one byte for the end of each.
    pub fn bytes(&self) -> usize {
        self.lines.iter().map(|line| bytes_of(line)).sum()
    }

    fn has_room(&self, line: &str) -> bool {
        self.lines.len() < BLOCK_LINES_MAX && self.bytes() + bytes_of(line) <= BLOCK_BYTES_MAX
    }
}

/// What a report adds to the log of its attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// The blocks to keep.
    pub blocks: Vec<Block>,
    /// The figures with these blocks. While they are [over](LogFigures::is_over) the bound, the oldest block is dropped.
    pub figures: LogFigures,
    /// With the first lines of an attempt: the lines of this attempt and of those before are dropped.
    pub forgotten: Option<Epoch>,
}

/// What the lines of `report` add to the log of attempt `epoch`, of which `kept` is kept. Lines that an earlier report had are
/// left out.
pub fn append(epoch: Epoch, kept: LogFigures, report: LogLines) -> Appended {
    let logged = kept.logged.max(report.end());
    let known = kept.logged.saturating_sub(report.offset);
    let LogLines { offset, lines } = report;
    // What is beyond the bound would be dropped again at once.
    let (mut bytes, mut new) = (0, VecDeque::new());
    let known = usize::try_from(known).unwrap_or(usize::MAX);
    for (index, line) in lines.iter().enumerate().skip(known).rev() {
        let line = self::line(line);
        bytes += bytes_of(&line);
        if new.len() == LINES_MAX || bytes > BYTES_MAX {
            break;
        }
        new.push_front((offset.saturating_add(index as u64), line.into_owned()));
    }
    let mut figures = LogFigures { logged, ..kept };
    let mut blocks: Vec<Block> = Vec::new();
    for (offset, line) in new {
        figures.lines += 1;
        figures.bytes += bytes_of(&line) as u64;
        match blocks.last_mut() {
            Some(block) if block.has_room(&line) => block.lines.push(line),
            _ => blocks.push(Block { offset, lines: vec![line] }),
        }
    }
    let is_first = kept == LogFigures::default() && !blocks.is_empty();
    let forgotten = is_first.then(|| Epoch(epoch.0.saturating_sub(ATTEMPTS_MAX)));
    Appended { blocks, figures, forgotten: forgotten.filter(|epoch| epoch.0 > 0) }
}

/// The attempt whose lines a status shows. `logged` is the latest attempt that logged any. That of an earlier attempt would be
/// taken for the running one's.
pub fn shown_attempt(life: Lifecycle, logged: Epoch) -> Option<Epoch> {
    (logged.0 > 0 && logged == life.epoch).then_some(logged)
}

/// The lines that a status shows, gathered from the latest block back.
#[derive(Debug, Default)]
pub struct Shown {
    lines: VecDeque<String>,
    bytes: usize,
}

impl Shown {
    /// Takes the lines of the block before. Returns whether lines of another block before may be shown, too.
    pub fn take<'a>(&mut self, block: impl DoubleEndedIterator<Item = &'a str>) -> bool {
        for line in block.rev() {
            self.bytes += bytes_of(line);
            if self.lines.len() == SHOWN_LINES_MAX || self.bytes > SHOWN_BYTES_MAX {
                return false;
            }
            self.lines.push_front(line.to_owned());
        }
        true
    }

    /// The lines, in their order.
    pub fn into_lines(self) -> Vec<String> {
        self.lines.into()
    }
}

/// The position of a line in the log of a request: it reads `2.317` for line 317 of attempt 2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogPosition {
    /// The attempt. 0 is before every attempt.
    pub epoch: Epoch,
    /// The number of the line, from 1, lines that were dropped included. 0 is before every line.
    pub number: u64,
}

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch.0, self.number)
    }
}

/// A text that is no position in a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no position in a log, such as `2.317` for line 317 of attempt 2")]
pub struct PositionInvalid(String);

impl FromStr for LogPosition {
    type Err = PositionInvalid;

    fn from_str(text: &str) -> Result<Self, PositionInvalid> {
        let parse = || -> Option<Self> {
            let (epoch, number) = text.split_once('.')?;
            let epoch = epoch.parse().ok().filter(|epoch| *epoch >= 0).map(Epoch)?;
            let number = number.parse().ok().filter(|number| i64::try_from(*number).is_ok())?;
            Some(Self { epoch, number })
        };
        parse().ok_or_else(|| PositionInvalid(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::Phase;
    use proptest::prelude::*;

    fn report(offset: u64, lines: impl IntoIterator<Item = impl Into<String>>) -> LogLines {
        LogLines { offset, lines: lines.into_iter().map(Into::into).collect() }
    }

    /// What a store makes of reports: blocks, of which it drops the oldest while there is too much.
    #[derive(Default)]
    struct Log {
        blocks: VecDeque<Block>,
        figures: LogFigures,
    }

    impl Log {
        fn append(&mut self, report: LogLines) {
            let appended = append(Epoch(1), self.figures, report);
            self.blocks.extend(appended.blocks);
            self.figures = appended.figures;
            while self.figures.is_over() {
                let oldest = self.blocks.pop_front().unwrap();
                self.figures = self.figures.without(oldest.lines.len() as u64, oldest.bytes() as u64);
            }
        }

        /// Each line with the number of those before it.
        fn lines(&self) -> Vec<(u64, String)> {
            let lines = self.blocks.iter().flat_map(|block| (block.offset..).zip(block.lines.clone()));
            lines.collect()
        }
    }

    #[test]
    fn nothing_that_a_terminal_obeys_is_in_a_line() {
        for (text, kept) in [
            ("plain", "plain"),
            ("", ""),
            ("a\tb", "a\tb"),
            ("\u{1b}[1;31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;owned\u{7}title", "title"),
            ("two\nlines\r", "two lines "),
            ("bell\u{7} null\0 delete\u{7f}", "bell null delete"),
            ("c1 \u{9b}31m\u{85}end", "c1 31mend"),
            ("żółw 🐢 \u{1b}[2K50 %", "żółw 🐢 50 %"),
        ] {
            assert_eq!(line(text), kept, "{text:?}");
        }
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        for text in ["\u{e9}".repeat(LINE_BYTES_MAX), format!("\u{7}{}", "\u{e9}".repeat(LINE_BYTES_MAX))] {
            assert_eq!(line(&text).len(), LINE_BYTES_MAX);
            assert_eq!(line(&format!("x{text}")).len(), LINE_BYTES_MAX - 1);
        }
    }

    #[test]
    fn a_repeated_report_adds_no_line_twice() {
        let mut log = Log::default();
        log.append(report(0, ["a", "b"]));
        log.append(report(0, ["a", "b"]));
        log.append(report(1, ["b", "c"]));
        // Two lines were dropped before they were reported.
        log.append(report(5, ["f"]));
        log.append(report(3, ["late"]));
        let lines: Vec<(u64, String)> = log.lines();
        let expected =
            [(0, "a"), (1, "b"), (2, "c"), (5, "f")].map(|(before, line)| (before, line.to_owned()));
        assert_eq!(lines, expected);
        assert_eq!(log.figures, LogFigures { logged: 6, lines: 4, bytes: 8 });
    }

    #[test]
    fn the_latest_lines_are_kept() {
        let mut log = Log::default();
        log.append(report(0, (0..LINES_MAX + 312).map(|n| n.to_string())));
        let lines = log.lines();
        assert_eq!((lines.len(), lines[0].clone()), (LINES_MAX, (312, "312".to_owned())));
        // One more drops a block.
        log.append(report(log.figures.logged, ["last"]));
        let lines = log.lines();
        assert_eq!(lines.len(), LINES_MAX - BLOCK_LINES_MAX + 1);
        assert_eq!(lines.last().unwrap(), &(LINES_MAX as u64 + 312, "last".to_owned()));
        // Long lines meet the bound of bytes first.
        let long = "x".repeat(LINE_BYTES_MAX);
        log.append(report(log.figures.logged, vec![long; 100]));
        let fit = BYTES_MAX / (LINE_BYTES_MAX + 1);
        let lines = log.lines();
        assert!(lines[lines.len() - fit..].iter().all(|(_, line)| line.len() == LINE_BYTES_MAX));
        assert!(lines.len() < LINES_MAX && log.figures.bytes <= BYTES_MAX as u64);
    }

    #[test]
    fn lines_of_the_latest_attempts_are_kept() {
        let forgotten = |epoch, kept| append(Epoch(epoch), kept, report(0, ["a"])).forgotten;
        assert_eq!(forgotten(ATTEMPTS_MAX, LogFigures::default()), None);
        assert_eq!(forgotten(ATTEMPTS_MAX + 3, LogFigures::default()), Some(Epoch(3)));
        assert_eq!(forgotten(ATTEMPTS_MAX + 3, LogFigures { logged: 1, lines: 1, bytes: 2 }), None);
        assert_eq!(append(Epoch(99), LogFigures::default(), LogLines::default()), Appended::default());
    }

    #[test]
    fn a_status_shows_the_last_lines_of_its_attempt() {
        let mut shown = Shown::default();
        assert!(shown.take(["c", "d"].into_iter()) && shown.take(["a", "b"].into_iter()));
        assert_eq!(shown.into_lines(), ["a", "b", "c", "d"]);
        let many: Vec<String> = (0..SHOWN_LINES_MAX + 1).map(|n| n.to_string()).collect();
        let mut shown = Shown::default();
        assert!(!shown.take(many.iter().map(String::as_str)));
        assert_eq!(shown.into_lines(), many[1..]);
        let long = "x".repeat(LINE_BYTES_MAX);
        let mut shown = Shown::default();
        assert!(!shown.take([long.as_str(); 9].into_iter()));
        assert_eq!(shown.into_lines().len(), SHOWN_BYTES_MAX / (LINE_BYTES_MAX + 1));

        let life = |epoch| Lifecycle { phase: Phase::Running, epoch: Epoch(epoch), rescues: 0 };
        assert_eq!(shown_attempt(life(2), Epoch(2)), Some(Epoch(2)));
        assert_eq!(shown_attempt(life(2), Epoch(1)), None);
        assert_eq!(shown_attempt(life(0), Epoch(0)), None);
    }

    #[test]
    fn a_position_is_an_attempt_and_a_line() {
        let position = LogPosition { epoch: Epoch(2), number: 317 };
        assert_eq!(position.to_string(), "2.317");
        assert_eq!("2.317".parse(), Ok(position));
        for text in
            ["", "2", "2.", ".1", "-1.2", "2.-1", "2.3.4", "2.99999999999999999999", "2.18446744073709551615"]
        {
            let error = text.parse::<LogPosition>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{text}` is no position")), "{error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_line_is_clean_and_cleaning_changes_it_no_more(text in any::<String>()) {
            let clean = line(&text);
            prop_assert!(!clean.contains(is_obeyed) && clean.len() <= LINE_BYTES_MAX);
            prop_assert_eq!(line(&clean), clean.as_ref());
        }

        /// However a worker cuts its lines into reports, and whichever of these come twice, what is kept is a row of lines up to
        /// the last, in order, within the bound.
        #[test]
        fn any_reports_of_the_same_lines_keep_the_latest(
            sizes in prop::collection::vec((1_usize..400, 0_usize..3, 1_usize..600), 1..8)
        ) {
            let (mut log, mut all) = (Log::default(), Vec::new());
            for (count, overlap, length) in sizes {
                let offset = all.len().saturating_sub(overlap);
                all.extend((0..count).map(|n| format!("{n:0length$}")));
                log.append(report(offset as u64, all[offset..].iter().cloned()));
                let lines = log.lines();
                let first = all.len() - lines.len();
                for ((before, line), (expected, of)) in lines.iter().zip((first..).zip(&all[first..])) {
                    prop_assert_eq!((*before, line), (expected as u64, of));
                }
                let bytes: usize = log.blocks.iter().map(Block::bytes).sum();
                prop_assert_eq!(log.figures, LogFigures {
                    logged: all.len() as u64, lines: lines.len() as u64, bytes: bytes as u64
                });
                prop_assert!(lines.len() <= LINES_MAX && bytes <= BYTES_MAX);
                // No more is dropped than a block beyond the bound.
                let is_full = lines.len() > LINES_MAX - BLOCK_LINES_MAX || bytes > BYTES_MAX - BLOCK_BYTES_MAX - LINE_BYTES_MAX;
                prop_assert!(first == 0 || is_full, "{} lines, {bytes} bytes, {first} dropped", lines.len());
                for block in &log.blocks {
                    prop_assert!(block.lines.len() <= BLOCK_LINES_MAX && block.bytes() <= BLOCK_BYTES_MAX);
                }
            }
        }
    }
}
