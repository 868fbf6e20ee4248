//! A key of `clipia.toml`: what the file, the environment and the command line call it, and what they say of it.

use super::Config;
use super::value::ConfigValueError;
use std::ffi::OsString;
use std::sync::LazyLock;

/// What the commented file says above its keys.
const HEAD: &str = "\
# How this server runs. Each key stands here with its default; take away `#: ` and write your own value.
#
# The environment goes before this file, and the command line before both: `drain_seconds` is also
# `CLIPIA_SERVE_DRAIN_SECONDS` and `--drain-seconds`. `clipia serve --print-config` prints what is in force.
";

/// Each key's default, as TOML.
static DEFAULTS: LazyLock<toml::Table> = LazyLock::new(|| {
    let all = Config::default().to_toml().unwrap_or_default();
    all.parse().unwrap_or_default()
});

/// A key of [`Config::FILE`], which is also a variable of the environment and an option of `clipia serve`.
#[derive(Debug)]
pub struct ConfigKey {
    pub(super) name: &'static str,
    pub(super) value_name: &'static str,
    pub(super) help: &'static str,
    pub(super) comment: &'static [&'static str],
    pub(super) form: ValueForm,
    pub(super) set: fn(&mut Config, &[OsString]) -> Result<(), ConfigValueError>,
}

/// How the value of a key is written outside the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueForm {
    /// As a text of its own kind, such as an address.
    Text,
    /// As a path, which need not be UTF-8.
    Path,
    /// As `true` or `false`; as an option also without a value, which is `true`.
    Switch,
    /// As a whole number from 0.
    Number {
        /// The largest.
        max: u64,
    },
    /// As one of these names.
    OneOf(&'static [&'static str]),
    /// As any number of texts, with commas between them.
    List,
}

impl ConfigKey {
    /// What the name of each key's variable begins with. It is longer than `CLIPIA_`, so that a variable that is no key can be
    /// refused: clients and orchestrators have variables of their own with the shorter one.
    pub const VARIABLES: &str = "CLIPIA_SERVE_";

    /// The name in the file: `drain_seconds`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The option of `clipia serve`, without its dashes in front: `drain-seconds`.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// The variable of the environment: `CLIPIA_SERVE_DRAIN_SECONDS`.
    pub fn variable(&self) -> String {
        format!("{}{}", Self::VARIABLES, self.name.to_uppercase())
    }

    /// What stands for the value in the help: `N`.
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

    /// How the value is written outside the file.
    pub fn form(&self) -> ValueForm {
        self.form
    }

    /// Sets the key in `config` to what the environment or the command line says: `words` has the parts of a list, or one value.
    ///
    /// # Errors
    /// [`ConfigValueError`] where the key does not take that.
    pub fn set(&self, config: &mut Config, words: &[OsString]) -> Result<(), ConfigValueError> {
        (self.set)(config, words)
    }

    /// The key in the commented file: its comment, and its default commented out.
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
