//! How a server is to run, and the file that says so. [`Config`] is where a key is declared, in one place.

mod declare;
mod key;
mod meant;
mod value;

pub use key::{ConfigKey, ValueForm};
pub use value::ConfigValueError;

use crate::admin::GRANT_MAX;
use crate::outbound::IpNet;
use clipia_queue::Credits;
use clipia_queue::limits::{REQUESTS_PER_MINUTE, RateLimit};
use clipia_queue::retention::{Keep, Retention};
use declare::keys;
use meant::meant;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use strum::{EnumString, VariantNames};
use value::Value;

keys! {
    /// How a server is to run.
    ///
    /// Each field is a key of `clipia.toml`, a variable of the environment and an option of `clipia serve`: see
    /// [`Config::KEYS`].
    pub struct Config {
        /// Where clients call. Port 0 is any free one. TLS is a proxy's task; let it pass `Host` on and set `X-Forwarded-Proto`.
        #[key("listen", "ADDR", "Where to listen, {default} unless told; port 0 is any free one")]
        pub listen: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 4747)),

        /// Where `clipia keys` and the like call, with a token that only this user can read, and where `/metrics` is, with none.
        /// Port 0 is any free one: name a port for a scraper. Keep it from the public.
        #[key(
            "admin_listen",
            "ADDR",
            "Where administration and `/metrics` listen, any free port of this machine unless told"
        )]
        pub admin_listen: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),

        /// Where everything is kept; only in a file that `--config` names. A relative path begins at the working directory.
        #[key("data", "DIR", "Where everything is kept, {default} unless told")]
        pub data: PathBuf = PathBuf::from(Config::DATA),

        /// Whether webhooks and images may be on this machine and without TLS. For development.
        #[key("dev", "BOOL", "Allows webhooks and images on this machine and without TLS")]
        pub dev: bool = false,

        /// Ranges of addresses that webhooks and images may be at besides public ones, such as "10.0.0.0/8"; also without TLS.
        #[key("allow", "RANGE", "Addresses that webhooks and images may be at besides public ones, such as 10.0.0.0/8")]
        pub allow: Vec<IpNet> = Vec::new(),

        /// Requests a minute of a key; 0 lifts the limit, and so does `dev` unless a number stands here. A quarter of it may come
        /// at once.
        #[key("rpm", "N", "Requests a minute of a key, {default} unless told; 0 lifts the limit, as does `--dev`")]
        ///
        /// None where nothing is said: [`Config::rate_limit`] tells what is in force.
        #[serde(with = "per_minute", skip_serializing_if = "Option::is_none")]
        pub limit: Option<RateLimit> = None,

        /// Credits of the first account, which is made at the first start.
        #[key("credits", "N", "Credits of the first account at the first start, {default} unless told")]
        ///
        /// At most [`GRANT_MAX`].
        #[serde(deserialize_with = "first_credits")]
        pub credits: Credits = Credits::new(10_000),

        /// How long generations may go on once the server is told to stop (SIGTERM, SIGINT or SIGHUP). What has not ended then is
        /// given back, keeps its place and costs no attempt. Answers under way get up to 12 s more: let whatever sends the signal
        /// wait longer than both.
        #[key("drain_seconds", "N", "Seconds that generations may go on once the server is told to stop, {default} unless told")]
        ///
        /// In whole seconds.
        #[serde(with = "seconds")]
        pub drain: Duration = Duration::from_secs(8),

        /// How long a request is kept once it has ended and its webhook has arrived or was given up: "90d", "12h", "45s" or
        /// "forever". Credits that moved are carried forward in the account's books. A request that was submitted with an
        /// idempotency key is kept for 25 h at least, so that a repeated submit finds it.
        #[key("keep_requests", "TIME", "How long requests that ended are kept, such as 12h or forever; {default} unless told")]
        pub keep_requests: Keep = Keep::days(90),

        /// How long the files of a request are kept, and no longer than the request. A result whose files are gone says so in
        /// `expired_at`.
        #[key("keep_media", "TIME", "How long their files are kept, {default} unless told")]
        pub keep_media: Keep = Keep::days(30),

        /// How long the input of a request is kept, and no longer than the request.
        #[key("keep_inputs", "TIME", "How long their inputs are kept, {default} unless told")]
        pub keep_inputs: Keep = Keep::days(90),

        /// How long the attempts at a request and at its webhook are kept, and no longer than the request.
        #[key("keep_attempts", "TIME", "How long the attempts at them and at their webhooks are kept, {default} unless told")]
        pub keep_attempts: Keep = Keep::days(90),

        /// The log on stderr: "text", "json", or "auto", which is text on a terminal and JSON elsewhere. `RUST_LOG` sets how much.
        #[key("log_format", "FORMAT", "The log on stderr: text on a terminal and JSON elsewhere unless told")]
        pub log_format: LogFormat = LogFormat::Auto,
    }
}

/// How a program writes its log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, EnumString, VariantNames)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
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

impl Config {
    /// The name of the file in a data directory.
    pub const FILE: &str = "clipia.toml";

    /// The data directory unless another is named.
    pub const DATA: &str = "clipia-data";

    /// What [`Config::FILE`] may hold: each key with its comment and its default, commented out.
    pub fn reference() -> String {
        key::reference()
    }

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

    /// Leaves [`Config::reference`] in the data directory where no such file is, for an operator to find.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn leave_reference(data: &Path) -> io::Result<()> {
        use io::Write;
        match crate::private::create_new(&data.join(Self::FILE)) {
            Ok(mut file) => file.write_all(Self::reference().as_bytes()),
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
            meant: keys(text).find_map(|key| meant(&key)).map(str::to_owned),
        })
    }
}

/// The keys of a file; none where it is no TOML.
fn keys(text: &str) -> impl Iterator<Item = String> {
    text.parse::<toml::Table>().unwrap_or_default().into_iter().map(|(key, _)| key)
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
    granted(Credits::deserialize(from)?).map_err(D::Error::custom)
}

/// `credits`, where one grant may give as many.
fn granted(credits: Credits) -> Result<Credits, String> {
    if credits > GRANT_MAX {
        return Err(format!("the first account gets {GRANT_MAX} credits at most"));
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
        let reference = Config::reference();
        let lines = reference.lines().filter_map(|line| line.strip_prefix("#: "));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(Path::new(Config::FILE), text)
    }

    #[test]
    fn the_reference_names_every_key_with_its_default() {
        assert_eq!(parse(&Config::reference()).unwrap(), Config::default());
        let usual = Config { limit: Some(Config::default().rate_limit()), ..Config::default() };
        assert_eq!(parse(&taken()).unwrap(), usual);
        let all = Config::default().to_toml().unwrap();
        assert!(keys(&taken()).eq(keys(&all)), "{all}");
        // `keys` gives them in alphabetical order.
        let mut declared: Vec<&str> = Config::KEYS.iter().map(ConfigKey::name).collect();
        declared.sort_unstable();
        assert!(keys(&all).eq(declared), "{all}");
        for line in Config::reference().lines() {
            assert!(line.is_empty() || line.starts_with('#'), "the reference sets something: {line}");
        }
    }

    #[test]
    fn a_comment_and_a_line_of_help_tell_each_key_apart() {
        let reference = Config::reference();
        for key in Config::KEYS {
            let line = key.comment.last().unwrap();
            assert!(reference.contains(&format!("#{line}\n#: {} = ", key.name())), "{reference}");
            assert!(!key.help().is_empty() && !key.help().contains(['{', '}', '\n']), "{}", key.help());
        }
        let help = |name| Config::KEYS.iter().find(|key| key.name() == name).unwrap().help();
        assert!(help("listen").contains(", 127.0.0.1:4747 unless told"));
        assert!(help("rpm").contains(", 120 unless told"));
    }

    #[test]
    fn a_value_outside_the_file_is_what_the_file_says_too() {
        let path = "/clipia \u{fffd}";
        for (name, words, line) in [
            ("listen", &["[::1]:80"][..], "listen = \"[::1]:80\""),
            ("data", &[path], &format!("data = \"{path}\"")),
            ("dev", &["true"], "dev = true"),
            ("allow", &["10.0.0.0/8", "::1/128"], "allow = [\"10.0.0.0/8\", \"::1/128\"]"),
            ("rpm", &["0"], "rpm = 0"),
            ("credits", &["1000000000"], "credits = 1000000000"),
            ("drain_seconds", &["4294967295"], "drain_seconds = 4294967295"),
            ("keep_media", &["36h"], "keep_media = \"36h\""),
            ("keep_requests", &["forever"], "keep_requests = \"forever\""),
        ] {
            let key = Config::KEYS.iter().find(|key| key.name() == name).unwrap();
            let mut config = Config::default();
            key.set(&mut config, &words.iter().map(Into::into).collect::<Vec<_>>()).unwrap();
            assert_eq!(config, parse(line).unwrap(), "{line}");
        }
        for key in Config::KEYS {
            let mut config = Config::default();
            match key.form() {
                ValueForm::Number { max } => {
                    key.set(&mut config, &[(max + 1).to_string().into()]).unwrap_err();
                    key.set(&mut config, &[max.to_string().into()]).unwrap();
                    assert_eq!(config, parse(&format!("{} = {max}", key.name())).unwrap());
                    parse(&format!("{} = {}", key.name(), max + 1)).unwrap_err();
                }
                ValueForm::OneOf(names) => {
                    for name in names {
                        key.set(&mut config, &[name.into()]).unwrap();
                        assert_eq!(config, parse(&format!("{} = \"{name}\"", key.name())).unwrap());
                    }
                }
                _ => {}
            }
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
