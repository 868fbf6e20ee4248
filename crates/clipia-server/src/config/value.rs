//! The types of a key's value, and how they are parsed on the command line and in the environment.

use super::{DatabaseUrl, LogFormat, PathPrefix, PublicUrl, Role, Roles, ValueForm};
use crate::admin::GRANT_MAX;
use crate::media::MediaLocation;
use crate::outbound::IpNet;
use clipia_queue::Credits;
use clipia_queue::limits::RateLimit;
use clipia_queue::retention::Keep;
use std::ffi::OsString;
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use strum::VariantNames;

/// Why a key does not accept a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigValueError(String);

/// A type of a key's value.
pub(super) trait Value: Sized {
    /// The form of such a value.
    const FORM: ValueForm;

    /// Parses `words`: the items of a list, or one word.
    fn read(words: &[OsString]) -> Result<Self, ConfigValueError>;
}

/// The word of a value that is not a list.
fn one(words: &[OsString]) -> Result<&OsString, ConfigValueError> {
    words.last().ok_or_else(|| ConfigValueError("a value is missing".to_owned()))
}

fn parse<T: FromStr<Err: Display>>(word: &OsString) -> Result<T, ConfigValueError> {
    let text = word.to_str().ok_or_else(|| ConfigValueError("the value is not UTF-8".to_owned()))?;
    text.parse().map_err(|error: T::Err| ConfigValueError(error.to_string()))
}

impl Value for SocketAddr {
    const FORM: ValueForm = ValueForm::Text;

    fn read(words: &[OsString]) -> Result<Self, ConfigValueError> {
        parse(one(words)?)
    }
}

impl Value for PathBuf {
    const FORM: ValueForm = ValueForm::Path;

    fn read(words: &[OsString]) -> Result<Self, ConfigValueError> {
        Ok(one(words)?.into())
    }
}

/// A place of media, which may be a path that is not UTF-8.
impl Value for MediaLocation {
    const FORM: ValueForm = ValueForm::Path;

    fn read(words: &[OsString]) -> Result<Self, ConfigValueError> {
        Self::try_from(PathBuf::from(one(words)?)).map_err(|error| ConfigValueError(error.to_string()))
    }
}

impl Value for bool {
    const FORM: ValueForm = ValueForm::Switch;

    fn read(words: &[OsString]) -> Result<Self, ConfigValueError> {
        parse(one(words)?)
    }
}

impl Value for DatabaseUrl {
    const FORM: ValueForm = ValueForm::Url;

    fn read(words: &[OsString]) -> Result<Self, ConfigValueError> {
        parse(one(words)?)
    }
}

impl Value for PathPrefix {
    const FORM: ValueForm = ValueForm::Text;

    fn read(words: &[OsString]) -> Result<Self, ConfigValueError> {
        parse(one(words)?)
    }
}

impl Value for PublicUrl {
    const FORM: ValueForm = ValueForm::Text;

    fn read(words: &[OsString]) -> Result<Self, ConfigValueError> {
        parse(one(words)?)
    }
}

impl Value for Roles {
    const FORM: ValueForm = ValueForm::List;

    fn read(words: &[OsString]) -> Result<Self, ConfigValueError> {
        let invalid = |_| ConfigValueError(super::RolesInvalid.to_string());
        let roles: Vec<Role> = words.iter().map(parse).collect::<Result<_, _>>().map_err(invalid)?;
        Self::new(roles).map_err(|error| ConfigValueError(error.to_string()))
    }
}

impl Value for Vec<IpNet> {
    const FORM: ValueForm = ValueForm::List;

    fn read(words: &[OsString]) -> Result<Self, ConfigValueError> {
        words.iter().map(parse).collect()
    }
}

/// Requests per minute; 0 is no limit.
impl Value for Option<RateLimit> {
    const FORM: ValueForm = ValueForm::Number { max: u32::MAX as u64 };

    fn read(words: &[OsString]) -> Result<Self, ConfigValueError> {
        parse(one(words)?).map(|requests| Some(RateLimit::per_minute(requests)))
    }
}

/// At most as many credits as one grant may give.
impl Value for Credits {
    const FORM: ValueForm = ValueForm::Number { max: GRANT_MAX.get() };

    fn read(words: &[OsString]) -> Result<Self, ConfigValueError> {
        let credits = parse(one(words)?).map(Credits::new)?;
        super::granted(credits).map_err(ConfigValueError)
    }
}

/// Whole seconds.
impl Value for Duration {
    // Nobody means a longer time. The bound keeps sums of times in range.
    const FORM: ValueForm = ValueForm::Number { max: u32::MAX as u64 };

    fn read(words: &[OsString]) -> Result<Self, ConfigValueError> {
        parse(one(words)?).map(|seconds: u32| Self::from_secs(seconds.into()))
    }
}

impl Value for Keep {
    const FORM: ValueForm = ValueForm::Text;

    fn read(words: &[OsString]) -> Result<Self, ConfigValueError> {
        parse(one(words)?)
    }
}

impl Value for LogFormat {
    const FORM: ValueForm = ValueForm::OneOf(Self::VARIANTS);

    fn read(words: &[OsString]) -> Result<Self, ConfigValueError> {
        parse(one(words)?)
    }
}
