//! The macro that declares the keys of `clipia.toml`.

/// Declares [`Config`](super::Config): a field for each key, its default, and the list of keys that flags, variables of the
/// environment and the commented file are made from.
///
/// Each key is written as
///
/// ```text
/// /// The comment in the commented file, and in the documentation of the field.
/// #[key("name", "VALUE", "The line of `clipia serve --help`, with the default as {default}")]
/// /// What only users of the library must know of the field.
/// pub field: Type = default,
/// ```
///
/// `Type` is a [`Value`](super::value::Value). No library does all of this: confique and figment know no flags, conf
/// and clap-layers write no commented file, and each of them would bring its own messages for a wrong key.
macro_rules! keys {
    (
        $(#[$of_struct:meta])*
        pub struct $Config:ident {
            $(
                $(#[doc = $line:literal])+
                #[key($name:literal, $value_name:literal, $help:literal)]
                $(#[$attribute:meta])*
                pub $field:ident: $Type:ty = $default:expr,
            )+
        }
    ) => {
        $(#[$of_struct])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $Config {
            $(
                $(#[doc = $line])+
                #[serde(rename = $name)]
                $(#[$attribute])*
                pub $field: $Type,
            )+
        }

        impl Default for $Config {
            fn default() -> Self {
                Self { $($field: $default),+ }
            }
        }

        impl $Config {
            /// The keys of [`Config::FILE`], in its order.
            pub const KEYS: &[ConfigKey] = &[
                $(ConfigKey {
                    name: $name,
                    value_name: $value_name,
                    help: $help,
                    comment: &[$($line),+],
                    form: <$Type as Value>::FORM,
                    set: |config, words| {
                        config.$field = Value::read(words)?;
                        Ok(())
                    },
                }),+
            ];
        }
    };
}

pub(super) use keys;
