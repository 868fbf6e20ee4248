//! Lenient reading of responses: the fields that the next step needs must be readable, every other field may be odd.
//!
//! An accepted generation is paid for. A client that refuses the whole response for one odd field loses the generation.
//! The vendor's own clients read responses loosely, too. So each object is read field by field: a readable field gets
//! its type, and any other field stays in `extra` as it was sent. Only the fields that the specification calls
//! `x-essential` (the id of a submit, the status of a result) must be readable.

mod values;

use serde::Serialize;
use serde::ser::SerializeMap;
use serde_json::de::SliceRead;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

pub(crate) use values::{FLOAT_EXACT_MAX, is_id};
#[cfg(feature = "client")]
pub(crate) use values::{has_status, id_of};

/// The fields of an object that were not read yet.
type Fields = Map<String, Value>;

/// A type that can be read from any value that a server sends in its place.
///
/// ```
/// use clipia_api::Lenient;
/// use clipia_api::types::Image;
/// use serde_json::json;
///
/// let image = Image::read(json!({"url": "https://a.example/1.png", "width": 1024.0, "height": "tall"})).unwrap();
/// assert_eq!((image.width, image.height), (Some(1024), None));
/// assert_eq!(image.extra["height"], "tall");
/// // `url` is essential for an image.
/// assert_eq!(Image::read(json!({"width": 1024})), Err(json!({"width": 1024})));
/// ```
pub trait Lenient: Sized {
    /// Reads a value.
    ///
    /// # Errors
    /// The value, unchanged, if it cannot be read.
    fn read(value: Value) -> Result<Self, Value>;

    /// Reads a document without odd fields; `None` for any other. Costs less than half of [`read`](Self::read).
    #[doc(hidden)]
    fn read_regular(_document: &[u8]) -> Option<Self> {
        None
    }

    /// The readable part of a value; and the value, unchanged, if some of it cannot be read.
    #[doc(hidden)]
    fn read_partly(value: Value) -> (Option<Self>, Option<Value>) {
        match Self::read(value) {
            Ok(read) => (Some(read), None),
            Err(value) => (None, Some(value)),
        }
    }

    /// Takes the field `name` out of `fields`. A value that is only partly readable stays in `fields` as well. `None`
    /// if the field has neither a value nor a default, which makes its object unreadable.
    #[doc(hidden)]
    fn take(fields: &mut Fields, name: &str) -> Option<Self> {
        take_partly(fields, name)
    }

    /// Takes an essential field, which has no default.
    #[doc(hidden)]
    fn take_essential(fields: &mut Fields, name: &str) -> Option<Self> {
        Self::take(fields, name)
    }

    /// Whether the field is omitted when the object is written.
    #[doc(hidden)]
    fn is_absent(&self) -> bool {
        false
    }
}

/// Reads an object of the wire field by field, and writes it. Essential fields are read first, because other fields may
/// stand in for them: `status_url` contains the id.
macro_rules! object {
    ($type:ident {
        $(fill: $fill:path,)?
        $(regular: $regular:path,)?
        essential: [$($key:ident = $key_name:literal,)*],
        other: [$($field:ident = $name:literal,)*],
    }) => {
        impl crate::Lenient for crate::types::$type {
            $(fn read_regular(document: &[u8]) -> Option<Self> {
                let mut reader = crate::lenient::regular(document)?;
                let read = $regular(&mut reader).ok()?;
                reader.end().ok()?;
                Some(read)
            })?

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

/// Reads a response leniently through serde, too, so that a written response is read again with its odd fields. The
/// implementation that serde derives is a method of the type itself (`remote = "Self"`), and reads regular documents.
macro_rules! response {
    ($type:ident) => {
        impl<'de> serde::Deserialize<'de> for crate::types::$type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = serde_json::Value::deserialize(deserializer)?;
                Self::try_from(value).map_err(serde::de::Error::custom)
            }
        }

        impl TryFrom<serde_json::Value> for crate::types::$type {
            type Error = crate::Unreadable;

            fn try_from(value: serde_json::Value) -> Result<Self, crate::Unreadable> {
                crate::Lenient::read(value).map_err(|_| crate::Unreadable(stringify!($type)))
            }
        }
    };
}
pub(crate) use response;

/// An essential field is missing in a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable(pub(crate) &'static str);

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "an essential field of a `{}` is missing", self.0)
    }
}

impl std::error::Error for Unreadable {}

/// Bytes of the longest document that is read without a bound on its values.
const REGULAR_MAX: usize = 256 * 1024;

/// A reader of a document, if the document is short enough for one pass.
pub(crate) fn regular(document: &[u8]) -> Option<serde_json::Deserializer<SliceRead<'_>>> {
    (document.len() <= REGULAR_MAX).then(|| serde_json::Deserializer::from_slice(document))
}

fn take_partly<T: Lenient>(fields: &mut Fields, name: &str) -> Option<T> {
    let (read, rest) = T::read_partly(fields.remove(name)?);
    if let Some(rest) = rest {
        fields.insert(name.to_owned(), rest);
    }
    read
}

/// The value, if it was read completely. Null is read as the default.
fn wholly<T: Default>(partly: (Option<T>, Option<Value>)) -> Result<T, Value> {
    match partly {
        (read, None) => Ok(read.unwrap_or_default()),
        (_, Some(value)) => Err(value),
    }
}

/// An entry of a list or map, as it was sent.
fn as_it_came<T: Serialize>((read, rest): &(Option<T>, Option<Value>)) -> Value {
    rest.clone().unwrap_or_else(|| serde_json::to_value(read).unwrap_or_default())
}

/// Puts a field back into `fields`, because another field of its object is missing and the object is returned
/// unchanged.
pub(crate) fn give_back<T: Lenient + Serialize>(fields: &mut Fields, name: &str, read: &Option<T>) {
    let read = read.as_ref().filter(|read| !read.is_absent() && !fields.contains_key(name));
    if let Some(value) = read.and_then(|read| serde_json::to_value(read).ok()) {
        fields.insert(name.to_owned(), value);
    }
}

/// Writes a field, unless `extra` has the value that was sent in its place.
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

/// A list keeps its readable entries. If one entry is not readable, the whole list stays in `extra` as well.
impl<T: Lenient + Serialize> Lenient for Vec<T> {
    fn read(value: Value) -> Result<Self, Value> {
        wholly(Self::read_partly(value))
    }

    fn read_partly(value: Value) -> (Option<Self>, Option<Value>) {
        let entries = match value {
            Value::Null => return (None, None),
            Value::Array(entries) => entries,
            // Some servers send a single entry without a list around it.
            one => {
                let (read, rest) = T::read_partly(one);
                return (read.map(|read| vec![read]), rest);
            }
        };
        let entries: Vec<(Option<T>, Option<Value>)> = entries.into_iter().map(T::read_partly).collect();
        let is_whole = entries.iter().all(|(_, rest)| rest.is_none());
        let rest = (!is_whole).then(|| entries.iter().map(as_it_came).collect());
        (Some(entries.into_iter().filter_map(|(read, _)| read).collect()), rest)
    }

    fn take(fields: &mut Fields, name: &str) -> Option<Self> {
        Some(Self::take_essential(fields, name).unwrap_or_default())
    }

    fn take_essential(fields: &mut Fields, name: &str) -> Option<Self> {
        take_partly(fields, name)
    }

    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

/// A map keeps its readable entries, as a list does.
impl<T: Lenient + Serialize> Lenient for BTreeMap<String, T> {
    fn read(value: Value) -> Result<Self, Value> {
        wholly(Self::read_partly(value))
    }

    fn read_partly(value: Value) -> (Option<Self>, Option<Value>) {
        let entries = match value {
            Value::Null => return (None, None),
            Value::Object(entries) => entries,
            other => return (None, Some(other)),
        };
        let entries: BTreeMap<String, (Option<T>, Option<Value>)> =
            entries.into_iter().map(|(key, entry)| (key, T::read_partly(entry))).collect();
        let is_whole = entries.values().all(|(_, rest)| rest.is_none());
        let rest = (!is_whole).then(|| {
            let entries = entries.iter().map(|(key, entry)| (key.clone(), as_it_came(entry)));
            entries.collect::<Fields>().into()
        });
        (Some(entries.into_iter().filter_map(|(key, (read, _))| Some((key, read?))).collect()), rest)
    }

    fn take(fields: &mut Fields, name: &str) -> Option<Self> {
        Some(take_partly(fields, name).unwrap_or_default())
    }

    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use crate::types::{Model, ModelList, ResultResponse, SubmitResponse};
    use crate::{Lenient, json};
    use proptest::prelude::*;
    use serde::Serialize;
    use serde_json::{Map, Value};

    /// Any JSON, with names that are often those of a response.
    fn odd() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e3..1e3).prop_map(|number: f64| Value::from((number * 8.0).round() / 8.0)),
            "(IN_QUEUE|COMPLETED|FAILED|45%|8|/v1/requests/x/status|.{0,8})".prop_map(Value::from),
        ];
        let name = "(request_id|status|cost|output|error|images|video|url|width|warnings|progress|logs|status_url|slug|id|\
                    type|pricing|multipliers|parameters|input_schema|name|[a-z]{1,3})";
        leaf.prop_recursive(5, 64, 8, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(name, inner, 0..10)
                    .prop_map(|fields| fields.into_iter().collect::<Map<_, _>>().into()),
            ]
        })
    }

    /// A value that is read and written is read as the same again. An unreadable value is returned unchanged. Reading
    /// in one pass gives the same as reading field by field.
    fn holds<T: Lenient + Serialize + PartialEq + std::fmt::Debug>(
        value: Value,
    ) -> Result<(), TestCaseError> {
        if let Some(read) = T::read_regular(value.to_string().as_bytes()) {
            prop_assert_eq!(Ok(read), T::read(value.clone()));
        }
        match T::read(value.clone()) {
            Ok(read) => {
                let written = serde_json::to_string(&read).unwrap();
                prop_assert_eq!(T::read(json::parse(written.as_bytes()).unwrap()), Ok(read));
            }
            Err(back) => {
                prop_assert!(T::read(back.clone()).is_err(), "{value} was read as it came back: {back}");
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn a_response_written_and_read_again_is_the_same(value in odd()) {
            holds::<SubmitResponse>(value.clone())?;
            holds::<ResultResponse>(value.clone())?;
            holds::<Model>(value)?;
        }

        /// An unreadable entry of a list does not remove its neighbours.
        #[test]
        fn any_catalogue_is_listed(odd in odd(), list in odd(), page in odd()) {
            let model = serde_json::json!({"slug": "fox-1", "type": "image", "name": "Fox"});
            let document = serde_json::json!({"data": [odd, model, page], "page": list}).to_string();
            let read = crate::read::<ModelList>(document.as_bytes());
            let is_there = read.as_ref().is_ok_and(|read| read.data.iter().any(|model| model.slug == "fox-1"));
            prop_assert!(is_there, "{read:?}");
            holds::<ModelList>(json::parse(document.as_bytes()).unwrap())?;
            holds::<ModelList>(list)?;
        }
    }
}
