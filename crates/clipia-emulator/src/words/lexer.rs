//! The boundaries of a word: its name, its value, and the text after it.

use super::error::WordError;
use super::word::Word;
use clipia_queue::suggestion::nearest;
use std::ops::RangeInclusive;
use std::str::FromStr;
use strum::VariantNames;

/// Takes a word from the start of a text. The text begins after the `@`.
pub(super) fn word(text: &str) -> Result<(Word, Option<&str>, &str), WordError> {
    let end = text.find(|char: char| char == '=' || char.is_whitespace()).unwrap_or(text.len());
    let (name, after) = text.split_at(end);
    let Ok(word) = name.parse::<Word>() else {
        let meant = nearest(Word::VARIANTS.iter().copied(), &name.to_lowercase());
        return Err(WordError::Unknown { word: name.to_owned(), meant });
    };
    let Some(value) = after.strip_prefix('=') else { return Ok((word, None, after)) };
    let end = end_of_value(value).ok_or(WordError::QuoteOpen(word))?;
    let (value, after) = value.split_at(end);
    Ok((word, Some(value), after))
}

/// Where a value ends: at a space that is not in quotes. None if a quote does not end.
fn end_of_value(value: &str) -> Option<usize> {
    let mut in_quotes = false;
    let mut chars = value.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => in_quotes = !in_quotes,
            '\\' if in_quotes => {
                chars.next();
            }
            char if char.is_whitespace() && !in_quotes => return Some(at),
            _ => {}
        }
    }
    (!in_quotes).then_some(value.len())
}

/// The text in quotes that is the whole of `value`, written as a string of JSON.
pub(super) fn quoted(value: &str) -> Option<String> {
    if value.starts_with('"') { serde_json::from_str(value).ok() } else { None }
}

/// A text in quotes, as [`quoted`] reads it.
pub(super) fn in_quotes(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A number of decimal digits alone, within a range.
pub(super) fn number<N: FromStr + PartialOrd>(text: &str, range: RangeInclusive<N>) -> Option<N> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| is_number && range.contains(number))
}
