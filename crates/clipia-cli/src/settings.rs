//! The keys of `clipia.toml` as options of `clipia serve` and as environment variables. The server declares the keys; this
//! file turns them into arguments of the command line.

use crate::exit::Usage;
use clap::builder::{
    BoolishValueParser, PathBufValueParser, PossibleValuesParser, StringValueParser, TypedValueParser,
    ValueParser,
};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};
use clipia_server::{Config, ConfigKey, ConfigValueError, ValueForm};
use std::ffi::OsString;
use std::path::PathBuf;

/// The keys set by the command line, or else by the environment. Each has its value; a list has one value per element.
pub(crate) struct Settings(Vec<(&'static ConfigKey, Vec<OsString>)>);

impl Settings {
    /// `config` with these keys set.
    ///
    /// # Errors
    /// If a key does not accept its value.
    pub(crate) fn over(&self, mut config: Config) -> Result<Config, Usage> {
        for (key, words) in &self.0 {
            let refused = |error| Usage::new(format!("`--{}`: {error}", key.flag()));
            key.set(&mut config, words).map_err(refused)?;
        }
        Ok(config)
    }
}

impl Args for Settings {
    fn augment_args(command: Command) -> Command {
        command.args(Config::KEYS.iter().map(argument))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Settings {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let words = |key: &ConfigKey| Some(matches.get_many::<OsString>(key.name())?.cloned().collect());
        Ok(Self(Config::KEYS.iter().filter_map(|key| Some((key, words(key)?))).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The option of a key. It parses to text that [`ConfigKey::set`] takes.
fn argument(key: &'static ConfigKey) -> Arg {
    let argument = Arg::new(key.name())
        .long(key.flag())
        .env(key.variable())
        .hide_env_values(key.is_secret())
        .value_name(key.value_name())
        .help(key.help())
        .value_parser(parser(key));
    match key.form() {
        ValueForm::Switch => argument.num_args(0..=1).require_equals(true).default_missing_value("true"),
        ValueForm::List => argument.action(ArgAction::Append).value_delimiter(','),
        _ => argument,
    }
}

fn parser(key: &'static ConfigKey) -> ValueParser {
    match key.form() {
        ValueForm::Path => PathBufValueParser::new().map(PathBuf::into_os_string).into(),
        ValueForm::Switch => BoolishValueParser::new().map(|on| OsString::from(on.to_string())).into(),
        ValueForm::Number { max } => {
            value_parser!(u64).range(..=max).map(|number| OsString::from(number.to_string())).into()
        }
        ValueForm::OneOf(names) => {
            PossibleValuesParser::new(names.iter().copied()).map(OsString::from).into()
        }
        // The parser would print a wrong value, and with it a password.
        ValueForm::Url => StringValueParser::new().map(OsString::from).into(),
        ValueForm::Text | ValueForm::List => {
            let check = |text: String| {
                let words = [OsString::from(text)];
                key.set(&mut Config::default(), &words)?;
                let [word] = words;
                Ok::<_, ConfigValueError>(word)
            };
            StringValueParser::new().try_map(check).into()
        }
    }
}
