//! The report of a scenario: a table of two columns of figures, and the targets that its rows hold.

use super::target::Targets;
use comfy_table::{CellAlignment, Table, presets};
use std::fmt;

/// The table and the targets.
pub(super) struct Report {
    table: Table,
    targets: Targets,
}

impl Report {
    /// A report with these two columns of figures.
    pub(super) fn of(ours: &str, theirs: &str) -> Self {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN).set_header(["", ours, theirs, "target", ""]);
        for column in table.column_iter_mut().skip(1).take(3) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        Self { table, targets: Targets::default() }
    }

    /// A row. `target` is what the first figure is held to, where it is, and whether it meets that.
    pub(super) fn row(&mut self, what: &str, ours: String, theirs: &str, target: Option<(bool, String)>) {
        let (verdict, column) = match &target {
            None => ("", String::new()),
            Some((true, target)) => ("met", target.clone()),
            Some((false, target)) => ("missed", target.clone()),
        };
        if let Some((met, target)) = target {
            self.targets.hold(met, || format!("{what}: {ours}; the target is {target}"));
        }
        self.table.add_row([what, &ours, theirs, &column, verdict]);
    }

    /// Prints the table and the missed targets. Ends the program with 1 if there are any.
    pub(super) fn print(self) {
        println!("{self}");
        self.targets.report();
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table.fmt(f)
    }
}
