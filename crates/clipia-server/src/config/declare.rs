//! The macro that declares the keys of `clipia.toml`.

/// Declares [`Config`](super::Config): a field for each key with its default, and the list of keys. The options, the environment
/// variables and the commented file come from that list.
///
/// Each key is written as
///
/// ```text
/// /// The comment in the commented file, and in the documentation of the field.
/// #[key("name", "VALUE", "The line of `clipia serve --help`, with the default as {default}")]
/// /// A further note in the documentation of the field only.
/// pub field: Type = default,
/// ```
///
/// `Type` is a [`Value`](super::value::Value). No library does all of this: confique and figment have no options, conf and
/// clap-layers write no commented file, and each would bring its own messages for a wrong key.
macro_rules! keys {
    (
        $(#[$of_struct:meta])*
        pub struct $Config:ident {
            $(
                $(#[doc = $line:literal])+
                #[key($name:literal, $value_name:literal, $help:literal $(, env = $variable:literal)? $(,)?)]
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
            /// The keys of [`Config::FILE`], in the order of the commented file.
            pub const KEYS: &[ConfigKey] = &[
                $(ConfigKey {
                    name: $name,
                    variable: [$($variable)?].as_slice(),
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
