//! `clipia requests logs`.

use super::request_id;
use crate::arguments::Server;
use crate::output::{self, time};
use clap::Args;
use clipia_admin::Administration;
use clipia_admin::types::{LogLine, LogPage};
use std::time::Duration;
use uuid::Uuid;

/// The pause before the server is asked for new lines again.
const PAUSE: Duration = Duration::from_millis(500);

/// The arguments of `clipia requests logs`.
#[derive(Args)]
pub(super) struct Options {
    /// The request's id
    id: Uuid,
    /// Shows new lines until the request has ended; as JSON, one object a line
    #[arg(long, short)]
    follow: bool,
    /// Only lines of this attempt, counted from 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    attempt: Option<i64>,
}

pub(super) async fn run(
    server: &Server,
    administration: &Administration,
    Options { id, follow, attempt }: Options,
) -> anyhow::Result<()> {
    let id = request_id(id);
    let (mut after, mut lines, mut text) = (None, Vec::new(), Text::default());
    loop {
        let page = administration.list_log_lines(&id, after.as_deref(), attempt, None).await?;
        let LogPage { lines: new, more, position, status } = page;
        after = Some(position);
        if !follow {
            lines.extend(new);
            if more {
                continue;
            }
            return server.print(&lines, |lines| text.of(lines));
        }
        match server.prints_json() {
            true => new.iter().try_for_each(output::json_line)?,
            false => output::print(&text.of(&new))?,
        }
        if !more && status.is_terminal() {
            return Ok(());
        }
        if !more {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Writes lines for people. A gap in their numbers is shown.
#[derive(Default)]
struct Text {
    /// The attempt and the number of the last line.
    last: (i64, u64),
}

impl Text {
    fn of(&mut self, lines: &[LogLine]) -> String {
        let mut text = String::new();
        for LogLine { attempt, number, at, line } in lines {
            let before = if self.last.0 == *attempt { self.last.1 } else { 0 };
            match number.saturating_sub(before + 1) {
                0 => {}
                1 => text.push_str("… 1 line dropped\n"),
                dropped => text.push_str(&format!("… {dropped} lines dropped\n")),
            }
            // A server of another kind may send line breaks.
            let line = line.replace('\n', "\\n");
            text.push_str(&format!("{}  {attempt}  {line}\n", time(Some(*at))));
            self.last = (*attempt, *number);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_were_dropped_are_counted() {
        let line = |attempt, number| LogLine {
            attempt,
            number,
            at: "2026-01-31T09:30:00.5Z".parse().unwrap(),
            line: format!("line\n{number}"),
        };
        let mut text = Text::default();
        let shown =
            text.of(&[line(1, 313), line(1, 314), line(1, 316), line(2, 1)]) + &text.of(&[line(2, 2)]);
        assert_eq!(
            shown,
            "… 312 lines dropped\n\
             2026-01-31T09:30:00Z  1  line\\n313\n\
             2026-01-31T09:30:00Z  1  line\\n314\n\
             … 1 line dropped\n\
             2026-01-31T09:30:00Z  1  line\\n316\n\
             2026-01-31T09:30:00Z  2  line\\n1\n\
             2026-01-31T09:30:00Z  2  line\\n2\n"
        );
    }
}
