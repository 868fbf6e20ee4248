//! One table of a scenario, and the mistakes in it.

use clipia_queue::mistakes::Notes;
use clipia_queue::suggestion::{did_you_mean, nearest};
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A table such as a `[[fault]]`.
pub(super) struct Table<'r, 't, 'd> {
    name: &'static str,
    at: Range<usize>,
    keys: &'r DeTable<'d>,
    notes: &'r mut Notes<'t>,
}

/// Reads each table of the list `name`, and notes the keys of a table that are not `known`.
pub(super) fn each(
    document: &DeTable<'_>,
    name: &'static str,
    known: &[&'static str],
    notes: &mut Notes<'_>,
    mut read: impl FnMut(Table<'_, '_, '_>),
) {
    let Some(list) = document.get(name) else { return };
    let Some(tables) = list.get_ref().as_array() else {
        let message = format!("each {name} must be a table of its own, which begins with `[[{name}]]`");
        notes.mistake(&list.span(), message, None);
        return;
    };
    for table in tables {
        let Some(keys) = table.get_ref().as_table() else {
            notes.mistake(&table.span(), format!("a {name} must be a table"), None);
            continue;
        };
        for (key, _) in keys {
            let of: &str = key.get_ref();
            if !known.contains(&of) {
                let message = format!("`{name}`: there is no key `{of}`");
                notes.mistake(&key.span(), message, did_you_mean(nearest(known.iter().copied(), of)));
            }
        }
        read(Table { name, at: table.span(), keys, notes });
    }
}

impl Table<'_, '_, '_> {
    /// Whether it has a key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }

    /// Notes that a key is missing.
    pub(super) fn missing(&mut self, key: &str, example: &str) {
        let message = format!("`{}`: `{key}` is missing", self.name);
        let quote = if example.bytes().all(|byte| byte.is_ascii_digit()) { "" } else { "\"" };
        self.notes.mistake(&self.at, message, Some(format!("write `{key} = {quote}{example}{quote}`")));
    }

    /// A text that must be there, as what it says.
    pub(super) fn needed<T: FromStr<Err: Display>>(&mut self, key: &str, example: &str) -> Option<T> {
        // A misspelled key is noted already, and its value may be meant.
        if !self.has(key) && !self.keys.keys().any(|other| nearest([key], other.get_ref()).is_some()) {
            self.missing(key, example);
        }
        self.read(key)
    }

    /// A text, as what it says.
    pub(super) fn read<T: FromStr<Err: Display>>(&mut self, key: &str) -> Option<T> {
        let value = self.keys.get(key)?;
        let read = match value.get_ref().as_str() {
            Some(text) => text.parse().map_err(|error: T::Err| error.to_string()),
            None => Err("it must be a text in quotes".to_owned()),
        };
        read.map_err(|why| self.mistake(key, value, &why)).ok()
    }

    /// A whole number.
    pub(super) fn number<N>(&mut self, key: &str, range: RangeInclusive<N>) -> Option<N>
    where
        N: TryFrom<u64> + PartialOrd + Display,
    {
        let value = self.keys.get(key)?;
        let number = match value.get_ref() {
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        let number = number.and_then(|number| N::try_from(number).ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let why = format!("it must be a whole number from {} to {}", range.start(), range.end());
            self.mistake(key, value, &why);
        }
        number
    }

    fn mistake(&mut self, key: &str, value: &Spanned<DeValue<'_>>, why: &str) {
        self.notes.mistake(&value.span(), format!("`{}`: `{key}`: {why}", self.name), None);
    }
}
