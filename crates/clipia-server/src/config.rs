//! How a server is to run, and the file that says so.

use crate::admin::GRANT_MAX;
use crate::outbound::IpNet;
use clipia_queue::Credits;
use clipia_queue::limits::{REQUESTS_PER_MINUTE, RateLimit};
use clipia_queue::retention::{Keep, Retention};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How a server is to run.
///
/// Each field is a key of `clipia.toml`, whose comments explain it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where to listen; port 0 is any free one.
    pub listen: SocketAddr,
    /// Where administration and metrics listen; port 0 is any free one.
    pub admin_listen: SocketAddr,
    /// Where everything is kept.
    pub data: PathBuf,
    /// Whether webhooks and images may be on this machine and without TLS.
    pub dev: bool,
    /// Ranges of addresses that webhooks and images may be at besides public ones.
    pub allow: Vec<IpNet>,
    /// How many requests a key may make, where that is said; [`Config::rate_limit`] tells what is in force.
    #[serde(rename = "rpm", with = "per_minute", skip_serializing_if = "Option::is_none")]
    pub limit: Option<RateLimit>,
    /// What the first account gets at the first start: at most [`GRANT_MAX`].
    #[serde(deserialize_with = "first_credits")]
    pub credits: Credits,
    /// How long what runs may go on once the server is told to stop; in whole seconds.
    #[serde(rename = "drain_seconds", with = "seconds")]
    pub drain: Duration,
    /// How long a request is kept that has ended, once its delivery has settled.
    pub keep_requests: Keep,
    /// How long its files are kept: no longer than the request.
    pub keep_media: Keep,
    /// How long its input is kept: no longer than the request.
    pub keep_inputs: Keep,
    /// How long the attempts at it and at its delivery are kept: no longer than the request.
    pub keep_attempts: Keep,
    /// How the program writes its log.
    pub log_format: LogFormat,
}

/// How a program writes its log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// As text on a terminal, else as JSON.
    #[default]
    Auto,
    /// One line of text for each event.
    Text,
    /// One JSON object for each event.
    Json,
}

/// A file that says nothing usable about how a server is to run.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot read `{}`: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no TOML, has a key that there is not, or a value that the key does not take.
    #[error("`{}`: {source}", .path.display())]
    Invalid {
        /// Which.
        path: PathBuf,
        /// What is wrong, and on which line.
        source: Box<toml::de::Error>,
        /// The key that was most likely meant by one that there is not.
        meant: Option<String>,
    },
    /// It stands in the data directory and names another.
    #[error("`{}`: `data` has no place in the data directory's own file: start with `--data` or `--config`", .0.display())]
    Elsewhere(PathBuf),
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4747)),
            admin_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            data: PathBuf::from("clipia-data"),
            dev: false,
            allow: Vec::new(),
            limit: None,
            credits: Credits::new(10_000),
            drain: Duration::from_secs(8),
            keep_requests: Keep::days(90),
            keep_media: Keep::days(30),
            keep_inputs: Keep::days(90),
            keep_attempts: Keep::days(90),
            log_format: LogFormat::Auto,
        }
    }
}

impl Config {
    /// The name of the file in a data directory.
    pub const FILE: &str = "clipia.toml";

    /// What [`Config::FILE`] may hold: each key with its default, commented out.
    pub const REFERENCE: &str = include_str!("clipia.toml");

    /// A server on this machine that keeps everything in `data`.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self { data: data.into(), ..Self::default() }
    }

    /// How many requests a key may make: [`REQUESTS_PER_MINUTE`] a minute where nothing is said, and with `dev` as many as it
    /// likes, since a limit only slows down those who try things out.
    pub fn rate_limit(&self) -> RateLimit {
        let usual = if self.dev { 0 } else { REQUESTS_PER_MINUTE };
        self.limit.unwrap_or_else(|| RateLimit::per_minute(usual))
    }

    /// How long each part of a request is kept that has ended.
    pub fn retention(&self) -> Retention {
        Retention::new(self.keep_requests, self.keep_media, self.keep_inputs, self.keep_attempts)
    }

    /// What the file at `path` says, and the default of what it does not say.
    ///
    /// # Errors
    /// [`ConfigError`], also for a key that there is not.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let file = |source| ConfigError::File { path: path.to_owned(), source };
        Self::parse(path, &std::fs::read_to_string(path).map_err(file)?)
    }

    /// What [`Config::FILE`] in the directory `data` says, if it is there.
    ///
    /// # Errors
    /// [`ConfigError`], also where it names another directory.
    pub fn read_in(data: &Path) -> Result<Self, ConfigError> {
        let path = data.join(Self::FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::new(data)),
            Err(source) => return Err(ConfigError::File { path, source }),
        };
        let config = Self::parse(&path, &text)?;
        if keys(&text).any(|key| key == "data") {
            return Err(ConfigError::Elsewhere(path));
        }
        Ok(Self { data: data.to_owned(), ..config })
    }

    /// Leaves [`Config::REFERENCE`] in the data directory where no such file is, for an operator to find.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn leave_reference(data: &Path) -> io::Result<()> {
        use io::Write;
        match crate::private::create_new(&data.join(Self::FILE)) {
            Ok(mut file) => file.write_all(Self::REFERENCE.as_bytes()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// As a file would say it: every key. There is no secret among them.
    ///
    /// # Errors
    /// If a path in it is not UTF-8.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(&Self { limit: Some(self.rate_limit()), ..self.clone() })
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|source| ConfigError::Invalid {
            path: path.to_owned(),
            source: Box::new(source),
            meant: keys(text).find_map(|key| meant(&key)),
        })
    }
}

/// The keys of a file; none where it is no TOML.
fn keys(text: &str) -> impl Iterator<Item = String> {
    text.parse::<toml::Table>().unwrap_or_default().into_iter().map(|(key, _)| key)
}

/// The key that was most likely meant by `key`, if that is none.
fn meant(key: &str) -> Option<String> {
    /// How alike two names must be: higher than for two that only share a letter or two.
    const ALIKE: f64 = 0.8;
    let known: Vec<String> = keys(&Config::default().to_toml().ok()?).collect();
    if known.iter().any(|name| name == key) {
        return None;
    }
    let likeness = |name: &str| strsim::jaro_winkler(name, key);
    let best = known.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(&best) > ALIKE).then_some(best)
}

/// A rate limit as the requests a minute; 0 is none.
mod per_minute {
    use super::RateLimit;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(limit: &Option<RateLimit>, to: S) -> Result<S::Ok, S::Error> {
        let limit = limit.filter(|limit| !limit.is_lifted());
        to.serialize_u32(limit.map_or(0, |limit| limit.whole().limit))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<RateLimit>, D::Error> {
        u32::deserialize(from).map(|requests| Some(RateLimit::per_minute(requests)))
    }
}

/// Credits of the first account, within what one call may give.
fn first_credits<'de, D: Deserializer<'de>>(from: D) -> Result<Credits, D::Error> {
    let credits = Credits::deserialize(from)?;
    if credits > GRANT_MAX {
        return Err(D::Error::custom(format!("the first account gets {GRANT_MAX} credits at most")));
    }
    Ok(credits)
}

/// A duration in whole seconds.
mod seconds {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::time::Duration;

    pub(super) fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(duration.as_secs())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        // Longer is never meant; the bound also keeps sums of times in range.
        u32::deserialize(from).map(|seconds| Duration::from_secs(seconds.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reference as it reads once every key is taken.
    fn taken() -> String {
        let lines = Config::REFERENCE.lines().filter_map(|line| line.strip_prefix("#: "));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(Path::new(Config::FILE), text)
    }

    #[test]
    fn the_reference_names_every_key_with_its_default() {
        assert_eq!(parse(Config::REFERENCE).unwrap(), Config::default());
        let usual = Config { limit: Some(Config::default().rate_limit()), ..Config::default() };
        assert_eq!(parse(&taken()).unwrap(), usual);
        let all = Config::default().to_toml().unwrap();
        assert!(keys(&taken()).eq(keys(&all)), "{all}");
        for line in Config::REFERENCE.lines() {
            assert!(line.is_empty() || line.starts_with('#'), "the reference sets something: {line}");
        }
    }

    #[test]
    fn what_is_printed_is_read_back() {
        let config = Config {
            limit: Some(RateLimit::per_minute(0)),
            dev: true,
            log_format: LogFormat::Json,
            drain: Duration::from_secs(90),
            ..Config::new("elsewhere")
        };
        assert_eq!(parse(&config.to_toml().unwrap()).unwrap(), config);
    }

    #[test]
    fn a_server_for_development_limits_nobody_unless_told() {
        for (text, requests) in [("", 120), ("dev = true", 0), ("dev = true\nrpm = 7", 7), ("rpm = 0", 0)] {
            let config = parse(text).unwrap();
            assert_eq!(config.rate_limit(), RateLimit::per_minute(requests), "{text}");
            assert!(config.to_toml().unwrap().contains(&format!("rpm = {requests}\n")), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line_and_what_was_meant() {
        for (text, told, expected) in [
            ("dev = true\nlisten_ = 1", "line 2", Some("listen")),
            ("drain_second = 1", "unknown field `drain_second`", Some("drain_seconds")),
            ("requests = 1", "unknown field `requests`", None),
            ("dev = 1", "expected a boolean", None),
            ("listen = \"here\"", "invalid socket address", None),
            ("rpm = -1", "invalid value", None),
            ("credits = 9223372036854775807", "gets 1000000000 credits at most", None),
            ("log_format = \"xml\"", "unknown variant `xml`", None),
            ("dev", "line 1", None),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.to_string().contains(told), "{told}: {error}");
            assert!(
                matches!(&error, ConfigError::Invalid { meant, .. } if meant.as_deref() == expected),
                "{error:?}"
            );
        }
    }
}
