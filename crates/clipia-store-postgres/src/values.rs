//! Values for the parameters of statements, each with its type: a statement that says its types needs no preparation, and so nothing
//! that a pooler could lose between two transactions.

use clipia_queue::uploads::UploadId;
use clipia_queue::{AccountId, Moment, RequestId};
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

/// A value and its type.
pub(crate) struct Value {
    value: Box<dyn ToSql + Sync + Send>,
    of: Type,
}

impl Value {
    fn new(value: impl ToSql + Sync + Send + 'static, of: Type) -> Self {
        Self { value: Box::new(value), of }
    }

    /// The value as the driver takes it.
    pub(crate) fn typed(&self) -> (&(dyn ToSql + Sync), Type) {
        (self.value.as_ref(), self.of.clone())
    }
}

/// What can be the parameter of a statement.
pub(crate) trait IntoValue {
    fn into_value(self) -> Value;
}

/// The values of a statement, in the order of its parameters.
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        vec![$($crate::values::IntoValue::into_value($value)),*]
    };
}
pub(crate) use values;

/// Columns whose Rust type is that of the driver.
macro_rules! columns {
    ($($rust:ty => $one:ident, $many:ident;)+) => {$(
        impl IntoValue for $rust {
            fn into_value(self) -> Value {
                Value::new(self, Type::$one)
            }
        }

        impl IntoValue for Option<$rust> {
            fn into_value(self) -> Value {
                Value::new(self, Type::$one)
            }
        }

        impl IntoValue for Vec<$rust> {
            fn into_value(self) -> Value {
                Value::new(self, Type::$many)
            }
        }

        impl IntoValue for Vec<Option<$rust>> {
            fn into_value(self) -> Value {
                Value::new(self, Type::$many)
            }
        }
    )+};
}

columns! {
    String => TEXT, TEXT_ARRAY;
    i64 => INT8, INT8_ARRAY;
    bool => BOOL, BOOL_ARRAY;
    Uuid => UUID, UUID_ARRAY;
    Vec<u8> => BYTEA, BYTEA_ARRAY;
}

/// Types of the domain, as the column that they are stored in.
macro_rules! converted {
    ($($from:ty => |$value:ident| $into:expr;)+) => {$(
        impl IntoValue for $from {
            fn into_value(self) -> Value {
                let $value = self;
                $into.into_value()
            }
        }
    )+};
}

converted! {
    &str => |text| text.to_owned();
    &String => |text| text.clone();
    Option<&str> => |text| text.map(str::to_owned);
    Option<&String> => |text| text.cloned();
    &AccountId => |account| account.0.clone();
    RequestId => |id| id.0;
    UploadId => |id| id.0;
    Moment => |at| at.as_micros();
    Option<Moment> => |at| at.map(Moment::as_micros);
    u8 => |number| i64::from(number);
    u32 => |number| i64::from(number);
    Option<u32> => |number| number.map(i64::from);
    Option<u16> => |number| number.map(i64::from);
    u64 => |number| i64::try_from(number).unwrap_or(i64::MAX);
    usize => |number| i64::try_from(number).unwrap_or(i64::MAX);
}

/// A text that a column takes: PostgreSQL has no room for the character NUL, which a program or a receiver may send.
pub(crate) fn text(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
