//! A key of `clipia.toml`: its names in the file, the environment and the command line, and its documentation.

use super::Config;
use super::value::ConfigValueError;
use std::ffi::OsString;
use std::sync::LazyLock;

/// The first lines of the commented file.
const HEAD: &str = "\
# How this server runs. Each key stands here with its default; take away `#: ` and write your own value.
#
# The environment goes before this file, and the command line before both: `drain_seconds` is also
# `CLIPIA_SERVE_DRAIN_SECONDS` and `--drain-seconds`. `clipia serve --print-config` prints what is in force.
";

/// The default of each key, as TOML.
static DEFAULTS: LazyLock<toml::Table> = LazyLock::new(|| {
    let all = Config::default().to_toml().unwrap_or_default();
    all.parse().unwrap_or_default()
});

/// A key of [`Config::FILE`]. It is also an environment variable and an option of `clipia serve`.
#[derive(Debug)]
pub struct ConfigKey {
    pub(super) name: &'static str,
    /// The environment variable, where it is another than that of the name; else nothing.
    pub(super) variable: &'static [&'static str],
    pub(super) value_name: &'static str,
    pub(super) help: &'static str,
    pub(super) comment: &'static [&'static str],
    pub(super) form: ValueForm,
    pub(super) set: fn(&mut Config, &[OsString]) -> Result<(), ConfigValueError>,
}

/// The form of a key's value on the command line and in the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueForm {
    /// A text with a syntax of its own, such as an address.
    Text,
    /// A URL, which may hold a password.
    Url,
    /// A path, which need not be UTF-8.
    Path,
    /// `true` or `false`. An option without a value is `true`.
    Switch,
    /// A whole number from 0.
    Number {
        /// The largest number.
        max: u64,
    },
    /// One of these names.
    OneOf(&'static [&'static str]),
    /// Any number of texts, separated by commas.
    List,
}

impl ConfigKey {
    /// The prefix of the environment variables. It is longer than `CLIPIA_`, because an unknown variable with the prefix is an
    /// error, and clients have variables that begin with `CLIPIA_`.
    pub const VARIABLES: &str = "CLIPIA_SERVE_";

    /// The name in the file: `drain_seconds`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The option of `clipia serve` without the leading dashes: `drain-seconds`.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// The environment variable: `CLIPIA_SERVE_DRAIN_SECONDS`. One that other commands read as well has a name without `SERVE`.
    pub fn variable(&self) -> String {
        let own = || format!("{}{}", Self::VARIABLES, self.name.to_uppercase());
        self.variable.first().map_or_else(own, |&shared| shared.to_owned())
    }

    /// The placeholder of the value in the help: `N`.
    pub fn value_name(&self) -> &'static str {
        self.value_name
    }

    /// The line of the help.
    pub fn help(&self) -> String {
        let default = match DEFAULTS.get(self.name) {
            Some(toml::Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            None => String::new(),
        };
        self.help.replace("{default}", &default)
    }

    /// Whether the value may hold a secret, which is never shown.
    pub fn is_secret(&self) -> bool {
        self.form == ValueForm::Url
    }

    /// The form of the value on the command line and in the environment.
    pub fn form(&self) -> ValueForm {
        self.form
    }

    /// Sets the key in `config` to a value from the environment or the command line. `words` has the items of a list, or one
    /// value.
    ///
    /// # Errors
    /// [`ConfigValueError`] if the key does not accept the value.
    pub fn set(&self, config: &mut Config, words: &[OsString]) -> Result<(), ConfigValueError> {
        (self.set)(config, words)
    }

    /// The part of the commented file for this key: the comment, and the default commented out.
    fn commented(&self) -> String {
        let comment: String = self.comment.iter().map(|line| format!("#{line}\n")).collect();
        let default = DEFAULTS.get(self.name).map(ToString::to_string).unwrap_or_default();
        format!("{comment}#: {} = {default}\n", self.name)
    }
}

/// The commented file: each key with its comment and its default, commented out.
pub(super) fn reference() -> String {
    let keys = Config::KEYS.iter().map(|key| format!("\n{}", key.commented()));
    std::iter::once(HEAD.to_owned()).chain(keys).collect()
}
