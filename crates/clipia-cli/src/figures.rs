//! What a store holds, for people.

use crate::output::facts;
use clipia_server::store::transfer::{Figures, Table};

/// The figures of a store that was exported or imported, with the rules that hold for it.
pub(crate) fn text(figures: &Figures, rules: u64) -> String {
    let rows = |table| figures.rows(table).to_string();
    let (available, held) = figures.credits();
    let by_name = |counts: &std::collections::BTreeMap<String, u64>| {
        let counts: Vec<String> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
        if counts.is_empty() { "0".to_owned() } else { counts.join(", ") }
    };
    facts([
        ("accounts", rows(Table::Account)),
        ("credits", format!("{available} available, {held} reserved")),
        ("movements of credits", rows(Table::Movement)),
        ("keys", rows(Table::ApiKey)),
        ("requests", by_name(&figures.requests)),
        ("attempts", rows(Table::Attempt)),
        ("deliveries", by_name(&figures.deliveries)),
        ("idempotency keys", rows(Table::Idempotency)),
        ("uploads", rows(Table::Upload)),
        ("workers", rows(Table::Worker)),
        ("entries of the audit log", rows(Table::Audit)),
        ("rows", figures.tables.values().map(|table| table.rows).sum::<u64>().to_string()),
        ("rules that hold", rules.to_string()),
    ])
}
