//! Reading of JSON from outside, within bounds. Repairs documents that a strict parser refuses.

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

/// Levels of arrays and objects that are read. A deeper value becomes null. `serde_json` allows 128.
const DEPTH_MAX: usize = 100;

/// Values that are kept of one field of the document, and of all fields: hundreds of times more than any response has.
/// Further values are skipped: a value of one byte in the document takes up to a hundred bytes of memory.
const NODES_OF_FIELD_MAX: usize = 100_000;
const NODES_MAX: usize = 400_000;

/// Parses a document.
///
/// In a string, bytes that are not UTF-8 and halves of surrogate pairs become U+FFFD; raw control characters stay. A
/// number that `serde_json` refuses (`1e400`, `NaN`, 400 digits) becomes a text.
///
/// # Errors
/// The document is not JSON even after repair.
pub(crate) fn parse(document: &[u8]) -> Result<Value, serde_json::Error> {
    let document = document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document);
    match read(document) {
        Err(error) if !error.is_eof() => {
            read(mended(&String::from_utf8_lossy(document)).as_bytes()).map_err(|_| error)
        }
        read => read,
    }
}

fn read(document: &[u8]) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(document);
    let (left_of_field, left) = (Cell::new(NODES_OF_FIELD_MAX), Cell::new(NODES_MAX));
    let root = Node { depth: 0, left_of_field: &left_of_field, left: &left };
    let value = root.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// The depth of one value in the document, and how many more values may be kept.
#[derive(Clone, Copy)]
struct Node<'a> {
    depth: usize,
    /// Values that may still be kept of this field of the document.
    left_of_field: &'a Cell<usize>,
    /// Values that may still be kept of the whole document.
    left: &'a Cell<usize>,
}

impl Node<'_> {
    fn inner(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }

    /// Counts one more value; `false` if the bound is reached.
    fn count_one(self) -> bool {
        let (left_of_field, left) = (self.left_of_field.get(), self.left.get());
        if left_of_field == 0 || left == 0 {
            return false;
        }
        self.left_of_field.set(left_of_field - 1);
        self.left.set(left - 1);
        true
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.depth >= DEPTH_MAX {
            return deserializer.deserialize_ignored_any(IgnoredAny).map(|IgnoredAny| Value::Null);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut kept = Vec::new();
        while self.count_one()
            && let Some(entry) = entries.next_element_seed(self.inner())?
        {
            kept.push(entry);
        }
        while let Some(IgnoredAny) = entries.next_element()? {}
        Ok(kept.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut kept = Map::new();
        while self.count_one()
            && let Some(name) = fields.next_key::<String>()?
        {
            // Each field of the document has a bound of its own, so that a long field does not use up the bound of
            // another.
            let own = Cell::new(NODES_OF_FIELD_MAX);
            let left_of_field = if self.depth == 0 { &own } else { self.left_of_field };
            let value = fields.next_value_seed(Node { left_of_field, ..self.inner() })?;
            kept.insert(name, value);
        }
        while let Some((IgnoredAny, IgnoredAny)) = fields.next_entry()? {}
        Ok(kept.into())
    }
}

/// The document, repaired where `serde_json` refuses it although its meaning is plain.
fn mended(document: &str) -> String {
    let mut mended = String::with_capacity(document.len() + 16);
    let mut rest = document;
    while let Some(next) = rest.chars().next() {
        let length = match next {
            '"' => string(rest, &mut mended),
            '-' | '+' | '.' | '0'..='9' | 'A'..='Z' | 'a'..='z' => word(rest, &mut mended),
            other => {
                mended.push(other);
                other.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    mended
}

/// Copies the string at the start of `text`, and returns its length.
fn string(text: &str, mended: &mut String) -> usize {
    mended.push('"');
    let (mut at, bytes) = (1, text.as_bytes());
    while let Some(next) = text[at..].chars().next() {
        let step = match next {
            '"' => {
                mended.push('"');
                return at + 1;
            }
            '\\' => {
                let (length, is_lone) = escape(&bytes[at..]);
                mended.push_str(if is_lone { "\\ufffd" } else { &text[at..at + length] });
                length
            }
            control if control < ' ' => {
                mended.push_str(&format!("\\u{:04x}", u32::from(control)));
                1
            }
            other => {
                mended.push(other);
                other.len_utf8()
            }
        };
        at += step;
    }
    at
}

/// The length of the escape at the start of `bytes`, and whether it is half of a surrogate pair, which is no character.
fn escape(bytes: &[u8]) -> (usize, bool) {
    match unit(bytes) {
        Some(0xD800..=0xDBFF) if matches!(bytes.get(6..).and_then(unit), Some(0xDC00..=0xDFFF)) => {
            (12, false)
        }
        Some(0xD800..=0xDFFF) => (6, true),
        Some(_) => (6, false),
        // A backslash and an ASCII character; or a lone backslash, which the parser may refuse.
        None => (if bytes.get(1).is_some_and(u8::is_ascii) { 2 } else { 1 }, false),
    }
}

/// The value of `\uXXXX`.
fn unit(bytes: &[u8]) -> Option<u16> {
    let digits = std::str::from_utf8(bytes.strip_prefix(b"\\u")?.get(..4)?).ok()?;
    digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

/// Copies the number or word at the start of `text`, and returns its length. A word that JSON does not have is put in
/// quotes.
fn word(text: &str, mended: &mut String) -> usize {
    let is_of_word = |next: char| next.is_ascii_alphanumeric() || matches!(next, '-' | '+' | '.');
    let word = &text[..text.find(|next| !is_of_word(next)).unwrap_or(text.len())];
    let is_json = matches!(word, "true" | "false" | "null") || word.parse::<Number>().is_ok();
    mended.push_str(&if is_json { Cow::Borrowed(word) } else { Cow::Owned(format!("\"{word}\"")) });
    word.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn lone(half: &str) -> String {
        format!(r#"{{"a": "x{half}y", "b": 1}}"#)
    }

    #[test]
    fn documents_with_a_plain_meaning_are_repaired() {
        for (document, read) in [
            ("{\"a\": \"x\u{1}\ty\", \"b\": 1}".as_bytes().to_vec(), json!({"a": "x\u{1}\ty", "b": 1})),
            (b"{\"a\": \"x\xff\xfey\", \"b\": 1}".to_vec(), json!({"a": "x\u{fffd}\u{fffd}y", "b": 1})),
            (lone(r"\ud83d").into_bytes(), json!({"a": "x\u{fffd}y", "b": 1})),
            (lone(r"\udc00").into_bytes(), json!({"a": "x\u{fffd}y", "b": 1})),
            (lone(r"\ud83d\ud83d\ude00").into_bytes(), json!({"a": "x\u{fffd}😀y", "b": 1})),
            (lone(r"\\ud83d\ud83d").into_bytes(), json!({"a": "x\\ud83d\u{fffd}y", "b": 1})),
            (b"\xef\xbb\xbf{\"a\": 1}".to_vec(), json!({"a": 1})),
            (
                br#"{"a": NaN, "b": -Infinity, "c": 1e400, "d": "NaN"}"#.to_vec(),
                json!({"a": "NaN", "b": "-Infinity", "c": "1e400", "d": "NaN"}),
            ),
            (format!(r#"{{"a": {}}}"#, "9".repeat(400)).into_bytes(), json!({"a": "9".repeat(400)})),
            (br#"{"a": 1, "a": 2}"#.to_vec(), json!({"a": 2})),
        ] {
            assert_eq!(parse(&document).unwrap(), read, "{}", String::from_utf8_lossy(&document));
        }
    }

    #[test]
    fn documents_without_a_plain_meaning_are_refused_and_truncated_ones_are_recognised() {
        for (document, half) in
            [("", true), (r#"{"a": "#, true), (r#"{"a": "x"#, true), ("<html>", false), (r#"{"a" 1}"#, false)]
        {
            assert_eq!(parse(document.as_bytes()).unwrap_err().is_eof(), half, "{document}");
        }
    }

    #[test]
    fn depth_is_cut() {
        for levels in [99, 200, 100_000] {
            let document = format!(r#"{{"a": {}{}, "b": 1}}"#, "[".repeat(levels), "]".repeat(levels));
            let read = parse(document.as_bytes()).unwrap();
            assert_eq!(read["b"], 1, "{levels}");
            assert!(read["a"].is_array());
        }
    }

    #[test]
    fn a_long_field_does_not_shorten_another() {
        let zeros = vec!["0"; NODES_OF_FIELD_MAX * 3].join(",");
        let document = format!(
            r#"{{"junk": [{zeros}], "more": {{"b": [{zeros}]}}, "images": [{{"url": "u"}}], "id": "x"}}"#
        );
        let read = parse(document.as_bytes()).unwrap();
        assert_eq!((&read["id"], &read["images"]), (&json!("x"), &json!([{"url": "u"}])));
        assert_eq!(read["junk"].as_array().unwrap().len(), NODES_OF_FIELD_MAX);
    }

    proptest! {
        /// Repair leaves a document that needs none unchanged.
        #[test]
        fn json_is_left_as_it_is(text in ".*", eighths in any::<i32>(), whole in any::<i64>()) {
            let number = f64::from(eighths) / 8.0;
            let value = json!({"a": [text, number, whole, {"b": null, &text: true}]});
            let document = value.to_string();
            prop_assert_eq!(mended(&document), &document[..]);
            prop_assert_eq!(parse(document.as_bytes()).unwrap(), value);
        }

        #[test]
        fn no_document_makes_the_parser_panic(document in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            r#"[\[\]{}",:\\udDcC8-9aeEnN.+ -]{0,60}"#.prop_map(String::into_bytes),
        ]) {
            let _ = parse(&document);
            let _ = mended(&String::from_utf8_lossy(&document));
        }
    }
}
