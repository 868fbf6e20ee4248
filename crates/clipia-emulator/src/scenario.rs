//! The file of `--scenario`: faults, scripts and accounts.
//!
//! ```toml
//! [[fault]]
//! operation = "status"
//! what = "503"
//! times = 5
//!
//! [[script]]
//! model = "nano-banana-2"
//! prompt = "^a red"
//! times = 2
//! words = "@takes=10s @fail"
//!
//! [[account]]
//! key = "clipia_live_poor"
//! credits = 5
//! ```

mod table;
#[cfg(test)]
mod tests;

use crate::{CallerKey, FaultRule, ScriptRule};
use clipia_queue::mistakes::{Mistakes, Notes};
use clipia_queue::suggestion::{did_you_mean, nearest};
use std::str::FromStr;
use table::Table;
use toml::de::DeTable;

/// The keys of the file.
const FAULT: &str = "fault";
const SCRIPT: &str = "script";
const ACCOUNT: &str = "account";

/// What a scenario says.
///
/// ```
/// use clipia_emulator::Scenario;
///
/// let mistakes = "[[fault]]\noperation = \"sttaus\"\nwhat = \"503\"".parse::<Scenario>().unwrap_err();
/// assert!(mistakes.to_string().starts_with("line 2: `fault`: `operation`"));
/// assert!(mistakes.to_string().contains("did you mean `status`?"));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scenario {
    /// The rules of faults, in their order.
    pub faults: Vec<FaultRule>,
    /// The rules of scripts, in their order.
    pub scripts: Vec<ScriptRule>,
    /// The accounts.
    pub accounts: Vec<ScenarioAccount>,
}

/// An account of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioAccount {
    /// Its key.
    pub key: CallerKey,
    /// Its credits.
    pub credits: u64,
}

impl FromStr for Scenario {
    type Err = Mistakes;

    fn from_str(text: &str) -> Result<Self, Mistakes> {
        let (document, errors) = DeTable::parse_recoverable(text);
        let mut notes = Notes::new(text);
        for error in &errors {
            let message = format!("this is not TOML: {}", error.message());
            notes.mistake(&error.span().unwrap_or_default(), message, None);
        }
        // What is read of a file that is not TOML would be wrong for no fault of its own.
        let scenario = match errors.is_empty() {
            true => Self::read(document.get_ref(), &mut notes),
            false => Self::default(),
        };
        let mut mistakes = notes.mistakes;
        mistakes.sort_by_key(|mistake| mistake.line);
        if mistakes.is_empty() { Ok(scenario) } else { Err(Mistakes(mistakes)) }
    }
}

impl Scenario {
    fn read(document: &DeTable<'_>, notes: &mut Notes<'_>) -> Self {
        let known = [FAULT, SCRIPT, ACCOUNT];
        for (key, _) in document {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                let message = format!("`{name}` is neither `[[fault]]`, `[[script]]` nor `[[account]]`");
                notes.mistake(&key.span(), message, did_you_mean(nearest(known, name)));
            }
        }
        let mut scenario = Self::default();
        table::each(document, FAULT, &["operation", "what", "times", "percent", "after"], notes, |table| {
            scenario.faults.extend(fault(table));
        });
        table::each(document, SCRIPT, &["model", "prompt", "times", "words"], notes, |table| {
            scenario.scripts.extend(script(table));
        });
        table::each(document, ACCOUNT, &["key", "credits"], notes, |table| {
            scenario.accounts.extend(account(table));
        });
        scenario
    }
}

fn fault(mut table: Table<'_, '_, '_>) -> Option<FaultRule> {
    let (calls, fault) = (table.needed("operation", "status"), table.needed("what", "503"));
    let times = table.number("times", 1..=u32::MAX);
    let percent = table.number("percent", 1..=100);
    let after = table.number("after", 0..=u32::MAX);
    Some(FaultRule { calls: calls?, fault: fault?, times, percent, after: after.unwrap_or_default() })
}

fn script(mut table: Table<'_, '_, '_>) -> Option<ScriptRule> {
    let script = table.needed("words", "@fail");
    let (model, prompt) = (table.read("model"), table.read("prompt"));
    let times = table.number("times", 1..=u32::MAX);
    Some(ScriptRule { model, prompt, times, script: script? })
}

fn account(mut table: Table<'_, '_, '_>) -> Option<ScenarioAccount> {
    let key = table.needed("key", "clipia_live_my_test");
    let credits = table.number("credits", 0..=CREDITS_MAX);
    if !table.has("credits") {
        table.missing("credits", "5");
    }
    Some(ScenarioAccount { key: key?, credits: credits? })
}

/// The most credits of an account: a sum of many fits into 63 bits.
pub(crate) const CREDITS_MAX: u64 = 1_000_000_000_000;
