//! The JSON of a body, parsed within limits. A value may take one byte in the body and a hundred in memory.

use crate::api_error::ApiError;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::cell::Cell;
use std::fmt;

/// The deepest nesting of arrays and objects. Inputs are flat. `serde_json` parses 128 levels, but an input that deep could
/// not be parsed again inside a larger document.
pub(super) const DEPTH_MAX: usize = 32;

/// The most values and keys of a body. An image as a `data:` URL is one value.
pub(super) const NODES_MAX: usize = 20_000;

/// The object that a body holds. Where a name comes twice, the last value counts, as in most parsers.
///
/// # Errors
/// `invalid_request` says what is wrong with the body.
pub(super) fn object(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    match read(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(ApiError::invalid("the body must be a JSON object such as {\"input\": {…}}")),
        Err(error) if error.is_data() => Err(ApiError::invalid(format!("the body {error}"))),
        Err(error) => Err(ApiError::invalid(format!("the body is not JSON: {error}"))),
    }
}

fn read(body: &[u8]) -> serde_json::Result<Value> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let left = Cell::new(NODES_MAX);
    let value = Node { depth: 0, left: &left }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// One value of the body: its depth, and how many more values and keys the body may have.
#[derive(Clone, Copy)]
struct Node<'l> {
    depth: usize,
    left: &'l Cell<usize>,
}

impl Node<'_> {
    /// The element of this array, or the member of this object.
    fn inner<E: Error>(self) -> Result<Self, E> {
        if self.depth == DEPTH_MAX {
            return Err(E::custom(format_args!("is nested deeper than {DEPTH_MAX} levels")));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }

    /// Counts a value or a key.
    fn count<E: Error>(self) -> Result<(), E> {
        let left = self.left.get().checked_sub(1);
        let left =
            left.ok_or_else(|| E::custom(format_args!("has more than {NODES_MAX} values and keys")))?;
        self.left.set(left);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.count()?;
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
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut array = Vec::new();
        while let Some(value) = entries.next_element_seed(inner)? {
            array.push(value);
        }
        Ok(array.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key()? {
            self.count()?;
            let value = members.next_value_seed(inner)?;
            object.insert(name, value);
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(body: &str) -> String {
        format!("{:?}", object(body.as_bytes()).unwrap_err())
    }

    #[test]
    fn a_body_has_a_deepest_nesting() {
        let nested = |levels: usize| {
            let (open, close) = ("[".repeat(levels - 1), "]".repeat(levels - 1));
            format!("{{\"input\": {open}{close}}}")
        };
        object(nested(DEPTH_MAX).as_bytes()).unwrap();
        for levels in [DEPTH_MAX + 1, 120, 200, 10_000] {
            let refused = refused(&nested(levels));
            assert!(refused.contains("the body is nested deeper than 32 levels"), "{levels}: {refused}");
        }
    }

    #[test]
    fn a_body_has_a_most_values() {
        let many = |count: usize| format!("{{\"input\": [{}1]}}", "1,".repeat(count - 1));
        // The object, its key and the array are counted too.
        object(many(NODES_MAX - 3).as_bytes()).unwrap();
        for body in [
            many(NODES_MAX - 2),
            many(3_000_000),
            format!("{{\"input\": [{}1]}}", "{\"\":0},".repeat(800_000)),
        ] {
            assert!(refused(&body).contains("the body has more than 20000 values and keys"));
        }
    }

    #[test]
    fn a_body_is_read_as_other_parsers_read_it() {
        for body in [
            r#"{"a": [1, -1, 1.5, -0.0, 9007199254740993, 18446744073709551615, 1e30, true, null, "\u00e9"], "": {}}"#,
            r#"{"a": 1, "a": 2}"#,
        ] {
            let read = object(body.as_bytes()).map(Value::Object).unwrap();
            assert_eq!(read, serde_json::from_str::<Value>(body).unwrap());
        }
        assert_eq!(Value::Object(object(br#"{"a": 1, "a": 2}"#).unwrap()), json!({"a": 2}));
    }
}
