//! How an answer is read: what the next step needs must be there, everything else may be odd.
//!
//! A generation that was accepted is paid for. A client that refuses the whole answer for one odd field loses it, and
//! the vendor's own clients read answers loosely. So each object of an answer is read field by field: a field that can
//! be read becomes its type, and one that cannot stays as it came, in `extra`. Only what the specification calls
//! `x-essential` (of a submit the id, of a result the status) must be readable.

use crate::{Credits, ModelType, Progress, RequestId, Status, WebhookStatus};
use jiff::Timestamp;
use serde::Serialize;
use serde::ser::SerializeMap;
use serde_json::{Map, Number, Value};
use std::collections::BTreeMap;

/// The fields of an object that were not read yet.
type Fields = Map<String, Value>;

/// A type that is read from whatever a server may send in its place.
///
/// ```
/// use clipia_api::Lenient;
/// use clipia_api::types::Image;
/// use serde_json::json;
///
/// let image = Image::read(json!({"url": "https://a.example/1.png", "width": 1024.0, "height": "tall"})).unwrap();
/// assert_eq!((image.width, image.height), (Some(1024), None));
/// assert_eq!(image.extra["height"], "tall");
/// // `url` is what an image is for.
/// assert_eq!(Image::read(json!({"width": 1024})), Err(json!({"width": 1024})));
/// ```
pub trait Lenient: Sized {
    /// Reads a value.
    ///
    /// # Errors
    /// The value as it came, where it cannot be read.
    fn read(value: Value) -> Result<Self, Value>;

    /// Takes the field `name` out of `fields`, where a value that cannot be read stays. `None` where the object cannot
    /// do without the field.
    #[doc(hidden)]
    fn take(fields: &mut Fields, name: &str) -> Option<Self> {
        Self::read(fields.remove(name)?).map_err(|value| fields.insert(name.to_owned(), value)).ok()
    }

    /// The same of a field without which the object is none.
    #[doc(hidden)]
    fn take_essential(fields: &mut Fields, name: &str) -> Option<Self> {
        Self::take(fields, name)
    }

    /// Whether there is nothing to write.
    #[doc(hidden)]
    fn is_absent(&self) -> bool {
        false
    }
}

/// Reads an object of the wire field by field, and writes it again. What is essential is read first, since other fields
/// may stand in for it.
macro_rules! object {
    ($type:ident {
        $(fill: $fill:path,)?
        essential: [$($key:ident = $key_name:literal,)*],
        other: [$($field:ident = $name:literal,)*],
    }) => {
        impl crate::Lenient for crate::types::$type {
            fn read(value: serde_json::Value) -> Result<Self, serde_json::Value> {
                let serde_json::Value::Object(mut fields) = value else { return Err(value) };
                $($fill(&mut fields);)?
                $(let $key = crate::Lenient::take_essential(&mut fields, $key_name);)*
                $(let $field = crate::Lenient::take(&mut fields, $name);)*
                let is_whole = true $(&& $key.is_some())* $(&& $field.is_some())*;
                if !is_whole {
                    $(crate::lenient::give_back(&mut fields, $key_name, &$key);)*
                    $(crate::lenient::give_back(&mut fields, $name, &$field);)*
                    return Err(fields.into());
                }
                let whole = move || Some(Self { $($key: $key?,)* $($field: $field?,)* extra: fields });
                whole().ok_or(serde_json::Value::Null)
            }
        }

        impl serde::Serialize for crate::types::$type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut fields = serializer.serialize_map(None)?;
                $(crate::lenient::write(&mut fields, &self.extra, $key_name, &self.$key, true)?;)*
                $(crate::lenient::write(&mut fields, &self.extra, $name, &self.$field, false)?;)*
                for (name, value) in &self.extra {
                    serde::ser::SerializeMap::serialize_entry(&mut fields, name, value)?;
                }
                serde::ser::SerializeMap::end(fields)
            }
        }
    };
}
pub(crate) use object;

/// Lets serde read an answer so, too: what was kept as it came is then read again as it was.
macro_rules! answer {
    ($type:ident) => {
        impl TryFrom<serde_json::Value> for crate::types::$type {
            type Error = crate::Unreadable;

            fn try_from(value: serde_json::Value) -> Result<Self, crate::Unreadable> {
                crate::Lenient::read(value).map_err(|_| crate::Unreadable(stringify!($type)))
            }
        }
    };
}
pub(crate) use answer;

/// A value lacks what is essential of the answer that it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable(pub(crate) &'static str);

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "it lacks what is essential of a `{}`", self.0)
    }
}

impl std::error::Error for Unreadable {}

/// Puts a field that was read back where it was: its object is not one.
pub(crate) fn give_back<T: Lenient + Serialize>(fields: &mut Fields, name: &str, read: &Option<T>) {
    let read = read.as_ref().filter(|read| !read.is_absent() && !fields.contains_key(name));
    if let Some(value) = read.and_then(|read| serde_json::to_value(read).ok()) {
        fields.insert(name.to_owned(), value);
    }
}

/// Writes a field, unless it is written as it came.
pub(crate) fn write<M: SerializeMap, T: Lenient + Serialize>(
    map: &mut M,
    extra: &Fields,
    name: &str,
    field: &T,
    essential: bool,
) -> Result<(), M::Error> {
    if extra.contains_key(name) || (!essential && field.is_absent()) {
        return Ok(());
    }
    map.serialize_entry(name, field)
}

impl<T: Lenient> Lenient for Option<T> {
    fn read(value: Value) -> Result<Self, Value> {
        if value.is_null() { Ok(None) } else { T::read(value).map(Some) }
    }

    fn take(fields: &mut Fields, name: &str) -> Option<Self> {
        if fields.get(name).is_some_and(Value::is_null) {
            fields.remove(name);
        }
        Some(T::take(fields, name))
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

/// Entries that cannot be read cost neither the others nor themselves: the whole list then stays beside what was read.
impl<T: Lenient + Serialize> Lenient for Vec<T> {
    fn read(value: Value) -> Result<Self, Value> {
        match value {
            Value::Null => Ok(Self::new()),
            Value::Array(entries) => {
                Ok(entries.into_iter().filter_map(|entry| T::read(entry).ok()).collect())
            }
            // One, where there may be several.
            one => Ok(vec![T::read(one)?]),
        }
    }

    fn take(fields: &mut Fields, name: &str) -> Option<Self> {
        Some(Self::take_essential(fields, name).unwrap_or_default())
    }

    fn take_essential(fields: &mut Fields, name: &str) -> Option<Self> {
        let entries = match fields.remove(name)? {
            Value::Null => return None,
            Value::Array(entries) => entries,
            one => {
                let read = T::read(one).map_err(|one| fields.insert(name.to_owned(), one));
                return Some(vec![read.ok()?]);
            }
        };
        let entries: Vec<Result<T, Value>> = entries.into_iter().map(T::read).collect();
        if entries.iter().any(Result::is_err) {
            let raw = |entry: &Result<T, Value>| match entry {
                Ok(read) => serde_json::to_value(read).unwrap_or_default(),
                Err(raw) => raw.clone(),
            };
            fields.insert(name.to_owned(), entries.iter().map(raw).collect());
        }
        Some(entries.into_iter().flatten().collect())
    }

    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

/// As a list is read.
impl<T: Lenient + Serialize> Lenient for BTreeMap<String, T> {
    fn read(value: Value) -> Result<Self, Value> {
        let Value::Object(entries) = value else { return Err(value) };
        let read = |(name, entry)| Some((name, T::read(entry).ok()?));
        Ok(entries.into_iter().filter_map(read).collect())
    }

    fn take(fields: &mut Fields, name: &str) -> Option<Self> {
        let entries = match fields.remove(name) {
            None | Some(Value::Null) => return Some(Self::new()),
            Some(Value::Object(entries)) => entries,
            Some(other) => {
                fields.insert(name.to_owned(), other);
                return Some(Self::new());
            }
        };
        let (mut read, mut raw) = (Self::new(), Map::new());
        for (key, entry) in entries {
            match T::read(entry) {
                Ok(entry) => drop(read.insert(key, entry)),
                Err(entry) => drop(raw.insert(key, entry)),
            }
        }
        if !raw.is_empty() {
            raw.extend(
                read.iter()
                    .map(|(key, entry)| (key.clone(), serde_json::to_value(entry).unwrap_or_default())),
            );
            fields.insert(name.to_owned(), raw.into());
        }
        Some(read)
    }

    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

impl Lenient for Value {
    fn read(value: Value) -> Result<Self, Value> {
        Ok(value)
    }
}

/// A number is taken for its digits, as of an account or a code.
impl Lenient for String {
    fn read(value: Value) -> Result<Self, Value> {
        match value {
            Value::String(text) => Ok(text),
            Value::Number(number) => Ok(number.to_string()),
            other => Err(other),
        }
    }
}

impl Lenient for bool {
    fn read(value: Value) -> Result<Self, Value> {
        value.as_bool().ok_or(value)
    }
}

impl Lenient for f64 {
    fn read(value: Value) -> Result<Self, Value> {
        number(&value).and_then(|number| number.as_f64()).ok_or(value)
    }
}

impl Lenient for u64 {
    fn read(value: Value) -> Result<Self, Value> {
        number(&value).and_then(|number| whole(&number)).ok_or(value)
    }
}

impl Lenient for u32 {
    fn read(value: Value) -> Result<Self, Value> {
        number(&value).and_then(|number| whole(&number)?.try_into().ok()).ok_or(value)
    }
}

impl Lenient for Credits {
    fn read(value: Value) -> Result<Self, Value> {
        let read =
            |number: Number| number.as_u64().map(Self::new).or_else(|| number.as_f64().and_then(Self::of));
        number(&value).and_then(read).ok_or(value)
    }
}

/// `"45%"`, too.
impl Lenient for Progress {
    fn read(value: Value) -> Result<Self, Value> {
        let percent = match &value {
            Value::String(text) => {
                text.trim().strip_suffix('%').and_then(|digits| digits.trim_end().parse().ok())
            }
            _ => None,
        };
        percent.or_else(|| number(&value)?.as_f64()).map(Self::of).ok_or(value)
    }
}

impl Lenient for Timestamp {
    fn read(value: Value) -> Result<Self, Value> {
        value.as_str().and_then(|text| text.parse().ok()).ok_or(value)
    }
}

/// The number that a value is, or that a text spells.
fn number(value: &Value) -> Option<Number> {
    match value {
        Value::Number(number) => Some(number.clone()),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A whole number that is not negative, as `3.0` is, too.
fn whole(number: &Number) -> Option<u64> {
    // Where floats end to tell whole numbers apart.
    const EXACT_MAX: f64 = (1_u64 << 53) as f64;
    let float = || number.as_f64().filter(|float| float.fract() == 0.0 && (0.0..=EXACT_MAX).contains(float));
    number.as_u64().or_else(|| float().map(|float| float as u64))
}

/// Characters of the longest id that is taken for one. A UUID has 36.
const ID_MAX: usize = 256;

/// A text that is not empty, or a whole number; else the id in `status_url` or `response_url`.
impl Lenient for RequestId {
    fn read(value: Value) -> Result<Self, Value> {
        match value {
            Value::String(text) if is_id(&text) => Ok(text.into()),
            Value::Number(number) if number.is_u64() => Ok(number.to_string().into()),
            other => Err(other),
        }
    }

    fn take(fields: &mut Fields, name: &str) -> Option<Self> {
        if let Some(Ok(id)) = fields.remove(name).map(Self::read) {
            return Some(id);
        }
        let url = |name: &&str| fields.get(*name)?.as_str();
        ["status_url", "response_url"].iter().filter_map(url).find_map(|url| Some(Self::from(id_of(url)?)))
    }
}

/// Whether a text may be an id: not where it is blank, or no part of a path.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() <= ID_MAX && !matches!(text.trim(), "" | "." | "..")
}

/// The id of the request that an address of the API is about.
pub(crate) fn id_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("/v1/requests/")?;
    rest.split(['/', '?', '#']).next().filter(|id| is_id(id))
}

/// Whatever stands in the place of a word is one that this version does not know.
fn word(fields: &mut Fields, name: &str) -> Option<String> {
    match fields.remove(name)? {
        Value::Null => None,
        Value::String(word) => Some(word),
        other => Some(other.to_string()),
    }
}

macro_rules! words {
    ($($type:ident)*) => {$(
        impl Lenient for $type {
            fn read(value: Value) -> Result<Self, Value> {
                String::read(value).map(Self::from)
            }

            fn take(fields: &mut Fields, name: &str) -> Option<Self> {
                Some(word(fields, name).unwrap_or_default().into())
            }
        }
    )*};
}

words! { ModelType WebhookStatus }

impl Lenient for Status {
    fn read(value: Value) -> Result<Self, Value> {
        String::read(value).map(Self::from)
    }

    /// Where no status is told, what only an ended generation has tells it. A word that this version knows in another
    /// spelling, and what is no word, stay as they came, too.
    fn take(fields: &mut Fields, name: &str) -> Option<Self> {
        if let Some(Value::String(word)) = fields.get_mut(name) {
            let told = Self::from(std::mem::take(word));
            fields.remove(name);
            let Self::Unknown(word) = told else { return Some(told) };
            let respelt = Self::from(word.trim().to_ascii_uppercase());
            if !matches!(respelt, Self::Unknown(_)) {
                fields.insert(name.to_owned(), word.into());
                return Some(respelt);
            }
            if !word.trim().is_empty() {
                return Some(Self::Unknown(word));
            }
        }
        let has = |name| matches!(fields.get(name), Some(Value::Object(object)) if !object.is_empty());
        Some(match (has("output"), has("error")) {
            (true, false) => Self::Completed,
            (false, true) => Self::Failed,
            _ => Self::Unknown(match fields.get(name) {
                None | Some(Value::Null) => String::new(),
                Some(other) => other.to_string(),
            }),
        })
    }
}

/// Whether an answer tells where its generation stands, in a word.
#[cfg(feature = "client")]
pub(crate) fn is_told(status: &Status, extra: &Fields) -> bool {
    match status {
        Status::Unknown(word) => !word.is_empty() && !extra.contains_key("status"),
        _ => true,
    }
}
