//! The configuration of a server, and its file. A key is declared in one place: in [`Config`].

mod database_url;
mod declare;
mod key;
mod path_prefix;
mod public_url;
mod roles;
mod suggestion;
mod value;

pub use database_url::{DatabaseUrl, DatabaseUrlInvalid};
pub use key::{ConfigKey, ValueForm};
pub use path_prefix::{PathPrefix, PathPrefixInvalid};
pub use public_url::{PublicUrl, PublicUrlInvalid};
pub use roles::{Role, Roles, RolesInvalid};
pub use value::ConfigValueError;

use crate::admin::GRANT_MAX;
use crate::media::MediaLocation;
use crate::outbound::IpNet;
use clipia_queue::Credits;
use clipia_queue::limits::{REQUESTS_PER_MINUTE, RateLimit};
use clipia_queue::retention::{Keep, Retention};
use declare::keys;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use strum::{EnumString, VariantNames};
use suggestion::suggest;
use value::Value;

keys! {
    /// The configuration of a server.
    ///
    /// Each field is a key of `clipia.toml`, an environment variable and an option of `clipia serve`: see [`Config::KEYS`].
    pub struct Config {
        /// The address where clients call. Port 0 is any free port. For TLS, put a proxy in front. It must pass on `Host`, and set
        /// `X-Forwarded-Proto`.
        #[key("listen", "ADDR", "Where to listen; default {default}; port 0 is any free one")]
        pub listen: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 4747)),

        /// The address that clients call, where it is not the one that each call names: that of a proxy, which may have a path, such
        /// as `https://example.com/queue`. The URLs in responses begin with it. The proxy may take the path off.
        #[key("public_url", "URL", "The address that clients call, such as https://example.com/queue; default: the one that a call names")]
        pub public_url: PublicUrl = PublicUrl::default(),

        /// The address of the administration, which `clipia keys` and other commands call, and of `/metrics`. The administration
        /// needs a token that only this user can read. `/metrics` needs none, so keep this address private. Port 0 is any free
        /// port; a scraper needs a fixed one.
        #[key(
            "admin_listen",
            "ADDR",
            "Where administration and `/metrics` listen; default: any free port of this machine"
        )]
        pub admin_listen: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),

        /// Whether the administration shows the dashboard. `clipia dashboard` opens it.
        #[key("dashboard", "BOOL", "Whether the administration shows the dashboard; default {default}")]
        pub dashboard: bool = true,

        /// Whether the dashboard changes nothing.
        #[key("dashboard_read_only", "BOOL", "Whether the dashboard changes nothing; default {default}")]
        pub dashboard_read_only: bool = false,

        /// The path at which a proxy shows the dashboard, such as "/queue": its pages are then below "/queue/dashboard". The proxy
        /// must pass on `Host`, and may take the path off.
        #[key("dashboard_prefix", "PATH", "The path at which a proxy shows the dashboard, such as /queue; default: none")]
        pub dashboard_prefix: PathPrefix = PathPrefix::default(),

        /// Whether agents find tools at /mcp of the address where clients call, by the Model Context Protocol. They call with an API
        /// key as `Authorization: Bearer`, and are charged and limited as every other client of it.
        #[key("mcp", "BOOL", "Whether agents find tools at /mcp (Model Context Protocol); default {default}")]
        pub mcp: bool = false,

        /// The data directory. This key may only stand in a file that `--config` names. A relative path begins at the working
        /// directory.
        #[key("data", "DIR", "Where everything is kept; default {default}")]
        pub data: PathBuf = PathBuf::from(Config::DATA),

        /// The URL of a PostgreSQL database that several servers share, or of a pooler before it. Without one, everything is kept in
        /// the data directory, which then belongs to one server. `clipia migrate` makes the store in the database. A password is best
        /// left to the environment.
        #[key(
            "database_url",
            "URL",
            "The PostgreSQL database that several servers share; default: the data directory keeps everything",
            env = "CLIPIA_DATABASE_URL"
        )]
        pub database_url: DatabaseUrl = DatabaseUrl::default(),

        /// The URL of the database itself, where `database_url` is that of a pooler. There a server hears at once what the others
        /// do. Without it, it looks five times a second.
        #[key(
            "database_listen_url",
            "URL",
            "The same database without a pooler, to hear at once what the other servers do",
            env = "CLIPIA_DATABASE_LISTEN_URL"
        )]
        pub database_listen_url: DatabaseUrl = DatabaseUrl::default(),

        /// What this server does, where several share a database: "api" takes calls, "workers" runs the executors of
        /// `models.toml`, "deliveries" sends webhooks. Each role needs one server at least.
        #[key("roles", "ROLE", "What this server does of api, workers and deliveries; default: all")]
        pub roles: Roles = Roles::default(),

        /// Where the files of generations and uploads are: a directory, such as one that several servers mount, or an S3-compatible
        /// store as "s3://bucket/prefix". A relative path begins at the data directory. The address of the store and the credentials
        /// are read from the environment alone, from AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the
        /// like. Let the bucket remove incomplete uploads after a day.
        #[key("media", "PLACE", "Where files are: a directory or s3://bucket/prefix; default {default} in the data directory")]
        pub media: MediaLocation = MediaLocation::default(),

        /// Whether webhooks and images may be on this machine, and without TLS. For development only.
        #[key("dev", "BOOL", "Allows webhooks and images on this machine and without TLS")]
        pub dev: bool = false,

        /// Address ranges that webhooks and images may use in addition to public addresses, such as "10.0.0.0/8". They may do so
        /// without TLS.
        #[key("allow", "RANGE", "Addresses that webhooks and images may be at besides public ones, such as 10.0.0.0/8")]
        pub allow: Vec<IpNet> = Vec::new(),

        /// Requests per minute of a key; 0 is no limit. With `dev`, there is no limit unless this key is set. A quarter of the
        /// requests may come at once. Servers that share a database tell each other twice a second what keys have used: together they
        /// allow as many requests as one, and beside these at most what came within about a second.
        #[key("rpm", "N", "Requests a minute of a key; default {default}; 0 lifts the limit, as does `--dev`")]
        ///
        /// `None` where the key is not set: [`Config::rate_limit`] is the limit in force.
        #[serde(with = "per_minute", skip_serializing_if = "Option::is_none")]
        pub limit: Option<RateLimit> = None,

        /// Credits of the first account, which the first start creates.
        #[key("credits", "N", "Credits of the first account at the first start; default {default}")]
        ///
        /// At most [`clipia_admin::GRANT_MAX`].
        #[serde(deserialize_with = "first_credits")]
        pub credits: Credits = Credits::new(10_000),

        /// How long running generations may go on after SIGTERM or SIGINT. A generation that has not ended by then goes back
        /// to the front of its queue, and spends no attempt. Open calls get up to 12 s more. Whatever sends the signal should
        /// wait longer than both together.
        #[key("drain_seconds", "N", "Seconds that generations may go on after the signal to stop; default {default}")]
        ///
        /// In whole seconds.
        #[serde(with = "seconds")]
        pub drain: Duration = Duration::from_secs(8),

        /// How long a request is kept after it has ended and its webhook was delivered or given up: "90d", "12h", "45s" or
        /// "forever". Its credit movements are carried forward in the account's books. A request with an idempotency key is kept
        /// for at least 25 h, so that a repeated submit finds it.
        #[key("keep_requests", "TIME", "How long requests that ended are kept, such as 12h or forever; default {default}")]
        pub keep_requests: Keep = Keep::days(90),

        /// How long the files of a request are kept; never longer than the request. A result whose files are gone has an
        /// `expired_at`.
        #[key("keep_media", "TIME", "How long their files are kept; default {default}")]
        pub keep_media: Keep = Keep::days(30),

        /// How long the input of a request is kept; never longer than the request.
        #[key("keep_inputs", "TIME", "How long their inputs are kept; default {default}")]
        pub keep_inputs: Keep = Keep::days(90),

        /// How long the attempts at a request, their log lines and the attempts at its webhook are kept; never longer than the request.
        #[key("keep_attempts", "TIME", "How long the attempts at them, their log lines and the attempts at their webhooks are kept; default {default}")]
        pub keep_attempts: Keep = Keep::days(90),

        /// The format of the log on stderr: "text", "json", or "auto", which is text on a terminal and JSON elsewhere. `RUST_LOG`
        /// sets the level.
        #[key("log_format", "FORMAT", "The log on stderr: default: text on a terminal and JSON elsewhere")]
        pub log_format: LogFormat = LogFormat::Auto,
    }
}

/// The format of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, EnumString, VariantNames)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    #[default]
    Auto,
    /// One line of text for each event.
    Text,
    /// One JSON object for each event.
    Json,
}

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read `{}`: {source}", .path.display())]
    File {
        /// The path of the file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file is not TOML, has an unknown key, or has a value that its key does not accept.
    #[error("`{}`: {source}", .path.display())]
    Invalid {
        /// The path of the file.
        path: PathBuf,
        /// The error, with its line.
        source: Box<toml::de::Error>,
        /// The key that is most like the unknown one.
        suggestion: Option<String>,
    },
    /// The file is in a data directory and names another data directory.
    #[error("`{}`: `data` has no place in the data directory's own file: start with `--data` or `--config`", .0.display())]
    Elsewhere(PathBuf),
}

impl Config {
    /// The name of the configuration file in a data directory.
    pub const FILE: &str = "clipia.toml";

    /// The default data directory.
    pub const DATA: &str = "clipia-data";

    /// The commented file: each key with its comment and its default, commented out.
    pub fn reference() -> String {
        key::reference()
    }

    /// The default configuration with the data directory `data`.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self { data: data.into(), ..Self::default() }
    }

    /// The rate limit of a key: [`REQUESTS_PER_MINUTE`] where none is set. With `dev` there is none unless one is set, since a
    /// limit only slows down development.
    pub fn rate_limit(&self) -> RateLimit {
        let usual = if self.dev { 0 } else { REQUESTS_PER_MINUTE };
        self.limit.unwrap_or_else(|| RateLimit::per_minute(usual))
    }

    /// How long each part of an ended request is kept.
    pub fn retention(&self) -> Retention {
        Retention::new(self.keep_requests, self.keep_media, self.keep_inputs, self.keep_attempts)
    }

    /// Reads the file at `path`. A missing key has its default.
    ///
    /// # Errors
    /// [`ConfigError`], also for an unknown key.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let file = |source| ConfigError::File { path: path.to_owned(), source };
        Self::parse(path, &std::fs::read_to_string(path).map_err(file)?)
    }

    /// Reads [`Config::FILE`] in the directory `data`. Without a file, each key has its default.
    ///
    /// # Errors
    /// [`ConfigError`], also where the file names another data directory.
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

    /// Writes [`Config::reference`] to the data directory, if there is no such file, for an operator to find.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn leave_reference(data: &Path) -> io::Result<()> {
        use io::Write;
        match crate::private::create_new(&data.join(Self::FILE)) {
            Ok(mut file) => file.write_all(Self::reference().as_bytes()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The configuration as TOML, with every key. Passwords are hidden.
    ///
    /// # Errors
    /// If a path is not UTF-8.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(&Self { limit: Some(self.rate_limit()), ..self.clone() })
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let read = toml::from_str(text).and_then(|config: Self| {
            let urls = [&config.database_url, &config.database_listen_url];
            urls.into_iter().try_for_each(DatabaseUrl::check).map_err(toml::de::Error::custom)?;
            Ok(config)
        });
        read.map_err(|source| ConfigError::Invalid {
            path: path.to_owned(),
            source: Box::new(source),
            suggestion: keys(text).find_map(|key| suggest(&key)).map(str::to_owned),
        })
    }
}

/// The keys of a file; none where the file is not TOML.
fn keys(text: &str) -> impl Iterator<Item = String> {
    text.parse::<toml::Table>().unwrap_or_default().into_iter().map(|(key, _)| key)
}

/// The form of a rate limit in the file: requests per minute; 0 is no limit.
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

/// The credits of the first account, at most [`GRANT_MAX`].
fn first_credits<'de, D: Deserializer<'de>>(from: D) -> Result<Credits, D::Error> {
    granted(Credits::deserialize(from)?).map_err(D::Error::custom)
}

/// `credits`, if they are at most [`GRANT_MAX`].
fn granted(credits: Credits) -> Result<Credits, String> {
    if credits > GRANT_MAX {
        return Err(format!("the first account gets {GRANT_MAX} credits at most"));
    }
    Ok(credits)
}

/// The form of a duration in the file: whole seconds.
mod seconds {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::time::Duration;

    pub(super) fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(duration.as_secs())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        // Nobody means a longer time. The bound keeps sums of times in range.
        u32::deserialize(from).map(|seconds| Duration::from_secs(seconds.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reference with every key uncommented.
    fn uncommented() -> String {
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
        assert_eq!(parse(&uncommented()).unwrap(), usual);
        let all = Config::default().to_toml().unwrap();
        assert!(keys(&uncommented()).eq(keys(&all)), "{all}");
        // `keys` gives them in alphabetical order.
        let mut declared: Vec<&str> = Config::KEYS.iter().map(ConfigKey::name).collect();
        declared.sort_unstable();
        assert!(keys(&all).eq(declared), "{all}");
        for line in Config::reference().lines() {
            assert!(line.is_empty() || line.starts_with('#'), "the reference sets something: {line}");
        }
    }

    #[test]
    fn each_key_has_a_comment_and_a_line_of_help() {
        let reference = Config::reference();
        for key in Config::KEYS {
            let line = key.comment.last().unwrap();
            assert!(reference.contains(&format!("#{line}\n#: {} = ", key.name())), "{reference}");
            assert!(!key.help().is_empty() && !key.help().contains(['{', '}', '\n']), "{}", key.help());
        }
        let help = |name| Config::KEYS.iter().find(|key| key.name() == name).unwrap().help();
        assert!(help("listen").contains("; default 127.0.0.1:4747"));
        assert!(help("rpm").contains("; default 120"));
    }

    #[test]
    fn a_value_outside_the_file_equals_the_same_value_in_the_file() {
        let path = "/clipia \u{fffd}";
        for (name, words, line) in [
            ("listen", &["[::1]:80"][..], "listen = \"[::1]:80\""),
            ("database_url", &["postgres://db/clipia"], "database_url = \"postgres://db/clipia\""),
            ("roles", &["deliveries", "api"], "roles = [\"api\", \"deliveries\"]"),
            ("data", &[path], &format!("data = \"{path}\"")),
            ("media", &["s3://clipia/media"], "media = \"s3://clipia/media\""),
            ("media", &[path], &format!("media = \"{path}\"")),
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
    fn a_printed_configuration_is_read_back() {
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
    fn a_server_for_development_has_no_rate_limit_unless_one_is_set() {
        for (text, requests) in [("", 120), ("dev = true", 0), ("dev = true\nrpm = 7", 7), ("rpm = 0", 0)] {
            let config = parse(text).unwrap();
            assert_eq!(config.rate_limit(), RateLimit::per_minute(requests), "{text}");
            assert!(config.to_toml().unwrap().contains(&format!("rpm = {requests}\n")), "{text}");
        }
    }

    #[test]
    fn an_error_has_its_line_and_a_suggestion() {
        for (text, message, expected) in [
            ("dev = true\nlisten_ = 1", "line 2", Some("listen")),
            ("drain_second = 1", "unknown field `drain_second`", Some("drain_seconds")),
            ("requests = 1", "unknown field `requests`", None),
            ("dev = 1", "expected a boolean", None),
            ("listen = \"here\"", "invalid socket address", None),
            ("database_url = \"mysql://me:hunter2@db\"", "a database has a URL such as", None),
            ("roles = []", "some of api, workers, deliveries", None),
            ("rpm = -1", "invalid value", None),
            ("credits = 9223372036854775807", "gets 1000000000 credits at most", None),
            ("log_format = \"xml\"", "unknown variant `xml`", None),
            ("dev", "line 1", None),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.to_string().contains(message), "{message}: {error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
            assert!(
                matches!(&error, ConfigError::Invalid { suggestion, .. } if suggestion.as_deref() == expected),
                "{error:?}"
            );
        }
    }
}
