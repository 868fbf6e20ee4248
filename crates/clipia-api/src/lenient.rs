//! Lenient reading of answers: the fields that the next step needs must be readable, every other field may be odd.
//!
//! A generation that was accepted is paid for. A client that refuses the whole answer for one odd field loses the
//! generation, and the vendor's own clients read answers loosely. So each object of an answer is read field by field: a
//! field that can be read gets its type, and a field that cannot stays as it came, in `extra`. Only the fields that the
//! specification calls `x-essential` (of a submit the id, of a result the status) must be readable.

mod values;

use serde::Serialize;
use serde::ser::SerializeMap;
use serde_json::de::SliceRead;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

pub(crate) use values::{FLOAT_EXACT_MAX, is_id};
#[cfg(feature = "client")]
pub(crate) use values::{id_of, is_told};

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

    /// Reads a document in which nothing is odd; `None` of any other. Costs less than half of [`read`](Self::read).
    #[doc(hidden)]
    fn read_regular(_document: &[u8]) -> Option<Self> {
        None
    }

    /// What can be read of a value, and the value as it came, where not all of it could be.
    #[doc(hidden)]
    fn read_partly(value: Value) -> (Option<Self>, Option<Value>) {
        match Self::read(value) {
            Ok(read) => (Some(read), None),
            Err(value) => (None, Some(value)),
        }
    }

    /// Takes the field `name` out of `fields`. A value of which not all can be read stays in `fields`. `None` where there
    /// is no value and none stands in for it: an object that needs the field cannot be read then.
    #[doc(hidden)]
    fn take(fields: &mut Fields, name: &str) -> Option<Self> {
        take_partly(fields, name)
    }

    /// Takes an essential field, for which nothing stands in.
    #[doc(hidden)]
    fn take_essential(fields: &mut Fields, name: &str) -> Option<Self> {
        Self::take(fields, name)
    }

    /// Whether the field is left out when the object is written.
    #[doc(hidden)]
    fn is_absent(&self) -> bool {
        false
    }
}

/// Reading an object of the wire field by field, and writing it. Essential fields are read first: they may be found in
/// other fields, such as the id in `status_url`.
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

/// Reading an answer leniently through serde, too. A written answer is so read again as it was, odd fields included. What
/// serde derives is a method of the type itself (`remote = "Self"`), and reads regular documents.
macro_rules! answer {
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

/// Bytes of the longest document that is read without a bound on its values.
const REGULAR_MAX: usize = 256 * 1024;

/// The reader of a document that is short enough to be read at once.
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

/// What was read of a value, if it was all of it. Of null nothing is read, and nothing is left.
fn wholly<T: Default>(partly: (Option<T>, Option<Value>)) -> Result<T, Value> {
    match partly {
        (read, None) => Ok(read.unwrap_or_default()),
        (_, Some(value)) => Err(value),
    }
}

/// An entry that was read, or partly read, as it came.
fn as_it_came<T: Serialize>((read, rest): &(Option<T>, Option<Value>)) -> Value {
    rest.clone().unwrap_or_else(|| serde_json::to_value(read).unwrap_or_default())
}

/// Puts a field that was read back among the others: its object lacks another field, and is handed back as it came.
pub(crate) fn give_back<T: Lenient + Serialize>(fields: &mut Fields, name: &str, read: &Option<T>) {
    let read = read.as_ref().filter(|read| !read.is_absent() && !fields.contains_key(name));
    if let Some(value) = read.and_then(|read| serde_json::to_value(read).ok()) {
        fields.insert(name.to_owned(), value);
    }
}

/// Writes a field, unless `extra` has the value that came in its place.
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

/// A list has the entries that can be read. Where one cannot, the whole list stays in `extra` besides.
impl<T: Lenient + Serialize> Lenient for Vec<T> {
    fn read(value: Value) -> Result<Self, Value> {
        wholly(Self::read_partly(value))
    }

    fn read_partly(value: Value) -> (Option<Self>, Option<Value>) {
        let entries = match value {
            Value::Null => return (None, None),
            Value::Array(entries) => entries,
            // Some servers send one entry without a list around it.
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

/// A map has the entries that can be read, as a list has.
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

    /// Any JSON whose names are often those of an answer.
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

    /// What is read and written is read the same again, what cannot be read comes back as it was, and what is read at once
    /// is what would be read field by field.
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
        fn any_answer_is_read_once_and_for_all(value in odd()) {
            holds::<SubmitResponse>(value.clone())?;
            holds::<ResultResponse>(value.clone())?;
            holds::<Model>(value)?;
        }

        /// An entry of a list that is not what it should be takes none of its neighbours with it.
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
