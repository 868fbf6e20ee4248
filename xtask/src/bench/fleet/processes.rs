//! `cargo xtask bench fleet --processes 2,4,20`: several processes that share one key and do not talk to each other, beside
//! processes whose clients ignore the others.
//!
//! Small fleets run in real time, all at once: every process is one of the operating system, with a client of its own, and
//! the processes of a row share a server. Large ones are simulated: the waiters and the budget of every client are those of
//! the SDK; time and the server are not.

mod real;
mod simulated;

use super::durations::Durations;
use crate::bench::target::Targets;
use anyhow::Result;
use comfy_table::{CellAlignment, Table, presets};
use std::fmt;
use std::num::NonZeroUsize;

/// The generations of each process.
const EACH: [usize; 3] = [1, 5, 25];

/// The most generations of a fleet that runs in real time.
const REAL_MAX: usize = 20;

/// The largest share of requests whose response may be 429.
const REFUSED_MAX: f64 = 0.05;

/// The longest time until all ends are known, in multiples of the least.
const DRAINED_MAX: f64 = 1.15;

/// The settings of a row.
#[derive(Clone, Copy)]
struct Row {
    processes: usize,
    each: usize,
    durations: Durations,
}

/// The figures of a row.
struct Measured {
    /// Lost generations.
    lost: f64,
    /// The share of requests whose response was 429.
    refused: f64,
    /// The time until all ends were known, in multiples of the least.
    drained: f64,
    /// The requests for each generation.
    requests: f64,
}

/// The figures of clients that share the key, and of clients that ignore each other.
struct Beside {
    sharing: Measured,
    ignoring: Measured,
}

impl Row {
    fn generations(self) -> usize {
        self.processes * self.each
    }

    fn is_real(self) -> bool {
        self.generations() <= REAL_MAX
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.processes, self.each, self.durations.name())
    }
}

/// Runs the rows for these numbers of processes.
pub(in crate::bench) fn run(processes: &[NonZeroUsize]) -> Result<()> {
    let rows = processes.iter().flat_map(|&processes| {
        EACH.into_iter().flat_map(move |each| {
            Durations::ALL.map(|durations| Row { processes: processes.get(), each, durations })
        })
    });
    let rows: Vec<Row> = rows.collect();
    let (real, simulated): (Vec<Row>, Vec<Row>) = rows.iter().partition(|row| row.is_real());
    let mut measured: Vec<(Row, Beside)> = simulated
        .into_iter()
        .map(|row| {
            let [sharing, ignoring] = [false, true].map(|ignores| simulated::measure(row, ignores));
            (row, Beside { sharing, ignoring })
        })
        .collect();
    measured.extend(real::measure(&real)?);
    measured.sort_by_key(|(row, _)| (row.processes, row.each));
    println!("{}", table(&measured));
    let mut targets = Targets::default();
    for (row, Beside { sharing, .. }) in &measured {
        hold(&mut targets, *row, sharing);
    }
    targets.report();
    Ok(())
}

fn table(measured: &[(Row, Beside)]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header([
        "processes",
        "generations each",
        "durations",
        "time",
        "lost",
        "429s",
        "drained, of the least",
        "requests a generation",
        "ignoring others: lost",
        "429s",
        "drained",
        "requests",
    ]);
    for column in table.column_iter_mut().skip(4) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for (row, Beside { sharing, ignoring }) in measured {
        let time = if row.is_real() { "real" } else { "simulated" };
        let settings = [
            row.processes.to_string(),
            row.each.to_string(),
            row.durations.name().to_owned(),
            time.to_owned(),
        ];
        let figures = [sharing, ignoring].into_iter().flat_map(|measured| {
            [
                format!("{:.0}", measured.lost),
                format!("{:.1} %", 100.0 * measured.refused),
                format!("{:.2}", measured.drained),
                format!("{:.2}", measured.requests),
            ]
        });
        table.add_row(settings.into_iter().chain(figures));
    }
    table
}

/// Compares a row with the targets.
fn hold(targets: &mut Targets, row: Row, measured: &Measured) {
    let Measured { lost, refused, drained, .. } = measured;
    targets.hold(*lost == 0.0, || format!("{row}: {lost:.0} generations are lost; none may be"));
    targets.hold(*refused <= REFUSED_MAX, || {
        let (refused, allowed) = (100.0 * refused, 100.0 * REFUSED_MAX);
        format!("{row}: {refused:.1} % of requests got the response 429; at most {allowed} % may be")
    });
    targets.hold(*drained <= DRAINED_MAX, || {
        format!("{row}: it took {drained:.2} times the least; at most {DRAINED_MAX:.2} is allowed")
    });
}
