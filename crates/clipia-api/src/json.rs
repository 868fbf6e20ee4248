//! Reads the JSON of a stranger: within bounds, and past what a strict parser refuses a whole document for.

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

/// How deep arrays and objects are read; what stands deeper becomes null. Within what `serde_json` takes (128).
const DEPTH_MAX: usize = 100;

/// Values kept of one field of the document, and of all fields: hundreds of times more than any answer has. What comes
/// after them is skipped. A value takes up to a hundred bytes, and one byte of a document may be one.
const NODES_OF_FIELD_MAX: usize = 100_000;
const NODES_MAX: usize = 400_000;

/// The value that a document holds.
///
/// Strings may hold bytes that are no UTF-8, half of a surrogate pair or a raw control character: each becomes what
/// a reader of text makes of it. A number that is none to `serde_json` (`1e400`, `NaN`, 400 digits) becomes a text.
///
/// # Errors
/// Where the document is not JSON even so.
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
    let all = Cell::new(NODES_MAX);
    let value =
        Node { depth: 0, left: &Cell::new(NODES_OF_FIELD_MAX), all: &all }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// One value, and how many more may be kept with it.
#[derive(Clone, Copy)]
struct Node<'a> {
    depth: usize,
    left: &'a Cell<usize>,
    all: &'a Cell<usize>,
}

impl Node<'_> {
    fn inner(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }

    /// Whether there is room for one value more.
    fn has_room(self) -> bool {
        let (left, all) = (self.left.get(), self.all.get());
        if left == 0 || all == 0 {
            return false;
        }
        self.left.set(left - 1);
        self.all.set(all - 1);
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
        while self.has_room()
            && let Some(entry) = entries.next_element_seed(self.inner())?
        {
            kept.push(entry);
        }
        while let Some(IgnoredAny) = entries.next_element()? {}
        Ok(kept.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut kept = Map::new();
        while self.has_room()
            && let Some(name) = fields.next_key::<String>()?
        {
            // Each field of the document has a bound of its own, so that none takes the room of another.
            let own = Cell::new(NODES_OF_FIELD_MAX);
            let left = if self.depth == 0 { &own } else { self.left };
            let value = fields.next_value_seed(Node { left, ..self.inner() })?;
            kept.insert(name, value);
        }
        while let Some((IgnoredAny, IgnoredAny)) = fields.next_entry()? {}
        Ok(kept.into())
    }
}

/// The document with everything replaced that `serde_json` refuses it for, and that has one plain meaning.
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

/// Copies the string that `text` begins with, and returns its length.
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
                let escape = escape(&bytes[at..]);
                let length = escape.len().min(bytes.len() - at);
                mended.push_str(match escape {
                    Escape::Surrogate => "\\ufffd",
                    Escape::Whole(length) => &text[at..at + length.min(bytes.len() - at)],
                });
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

/// What a backslash begins.
enum Escape {
    /// Half of a surrogate pair, which stands for no character.
    Surrogate,
    /// An escape of this many bytes that is left as it is.
    Whole(usize),
}

impl Escape {
    fn len(&self) -> usize {
        match self {
            Self::Surrogate => 6,
            Self::Whole(length) => *length,
        }
    }
}

fn escape(bytes: &[u8]) -> Escape {
    match unit(bytes) {
        Some(0xD800..=0xDBFF) if matches!(bytes.get(6..).and_then(unit), Some(0xDC00..=0xDFFF)) => {
            Escape::Whole(12)
        }
        Some(0xD800..=0xDFFF) => Escape::Surrogate,
        Some(_) => Escape::Whole(6),
        // A backslash and an ASCII character, or a backslash alone, on which the parser has its say.
        None => Escape::Whole(if bytes.get(1).is_some_and(u8::is_ascii) { 2 } else { 1 }),
    }
}

/// The number of `\uXXXX`.
fn unit(bytes: &[u8]) -> Option<u16> {
    let digits = std::str::from_utf8(bytes.strip_prefix(b"\\u")?.get(..4)?).ok()?;
    digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

/// Copies the number or word that `text` begins with, in quotes where it is none of JSON's, and returns its length.
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
    fn what_one_plain_meaning_has_is_read_so() {
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
    fn what_has_none_is_refused_and_half_a_document_is_told_apart() {
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
    fn no_field_takes_the_room_of_another() {
        let zeros = vec!["0"; NODES_OF_FIELD_MAX * 3].join(",");
        let document = format!(
            r#"{{"junk": [{zeros}], "more": {{"b": [{zeros}]}}, "images": [{{"url": "u"}}], "id": "x"}}"#
        );
        let read = parse(document.as_bytes()).unwrap();
        assert_eq!((&read["id"], &read["images"]), (&json!("x"), &json!([{"url": "u"}])));
        assert_eq!(read["junk"].as_array().unwrap().len(), NODES_OF_FIELD_MAX);
    }

    proptest! {
        /// What is mended is what was there, where nothing was to be mended.
        #[test]
        fn json_is_left_as_it_is(text in ".*", eighths in any::<i32>(), whole in any::<i64>()) {
            let number = f64::from(eighths) / 8.0;
            let value = json!({"a": [text, number, whole, {"b": null, &text: true}]});
            let document = value.to_string();
            prop_assert_eq!(mended(&document), &document[..]);
            prop_assert_eq!(parse(document.as_bytes()).unwrap(), value);
        }

        #[test]
        fn any_document_is_read_or_refused(document in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            r#"[\[\]{}",:\\udDcC8-9aeEnN.+ -]{0,60}"#.prop_map(String::into_bytes),
        ]) {
            let _ = parse(&document);
            let _ = mended(&String::from_utf8_lossy(&document));
        }
    }
}
