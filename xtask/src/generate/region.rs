//! A generated region in a file that is otherwise written by hand.

use super::document::QUEUE_SPEC;
use anyhow::{Context, Result, ensure};

/// The lines between two comments. The first comment contains `generated from SOURCE: NAME`, the second `end of what is
/// generated: NAME`.
pub(super) struct Region {
    source: &'static str,
    name: &'static str,
    lines: String,
}

impl Region {
    /// A region that is generated from the spec of the queue. `lines` end with a newline each.
    pub(super) fn new(name: &'static str, lines: String) -> Self {
        Self::from(QUEUE_SPEC, name, lines)
    }

    /// A region that is generated from `source`.
    pub(super) fn from(source: &'static str, name: &'static str, lines: String) -> Self {
        Self { source, name, lines }
    }

    /// The lines between the comments.
    #[cfg(test)]
    pub(super) fn lines(&self) -> &str {
        &self.lines
    }

    /// `text`, the text of a file, with the lines of this region replaced.
    pub(super) fn replace(&self, text: &str) -> Result<String> {
        let (first, last) = (
            format!("generated from {}: {}", self.source, self.name),
            format!("end of what is generated: {}", self.name),
        );
        let after_first = line_with(text, &first)?.1;
        let before_last = line_with(text, &last)?.0;
        ensure!(after_first <= before_last, "the line with `{last}` stands before the line with `{first}`");
        Ok(format!("{}{}{}", &text[..after_first], self.lines, &text[before_last..]))
    }
}

/// The begin of the one line that contains `mark`, and the begin of the next line.
fn line_with(text: &str, mark: &str) -> Result<(usize, usize)> {
    let mut places = text.match_indices(mark).map(|(place, _)| place);
    let place = places.next().with_context(|| format!("no line contains `{mark}`"))?;
    ensure!(places.next().is_none(), "several lines contain `{mark}`");
    let begin = text[..place].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[place..].find('\n').map_or(text.len(), |newline| place + newline + 1);
    Ok((begin, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_lines_between_the_marks_change() {
        let (first, last) =
            ("# generated from spec/openapi.yaml: names", "# end of what is generated: names");
        let region = Region::new("names", "new\n".to_owned());
        for (text, wanted) in [
            (
                format!("a\n  {first}\nold\nolder\n  {last}\nb\n"),
                Ok(format!("a\n  {first}\nnew\n  {last}\nb\n")),
            ),
            (format!("{first}\n{last}"), Ok(format!("{first}\nnew\n{last}"))),
            (String::new(), Err("no line contains")),
            (format!("{first}\n"), Err("no line contains")),
            (format!("{last}\n{first}\n"), Err("stands before")),
            (format!("{first}\n{first}\n{last}\n"), Err("several lines contain")),
        ] {
            match (region.replace(&text), wanted) {
                (Ok(found), Ok(wanted)) => assert_eq!(found, wanted),
                (Err(error), Err(wanted)) => assert!(error.to_string().contains(wanted), "{error}"),
                (found, wanted) => panic!("{text:?}: {found:?} in place of {wanted:?}"),
            }
        }
    }
}
