//! The server that a command of the client calls, and the key that it calls with.

use crate::dev_server::DevServer;
use crate::exit::Usage;
use crate::output::say;
use crate::profiles::{Profile, Profiles};
use clap::Args;
use clipia::{Builder, Clipia};

/// The heading in the help for the options of the connection.
const HEADING: &str = "Connection";

/// The variables of a key, in the order of the SDK.
const KEY_VARIABLES: [&str; 2] = ["CLIPIA_KEY", "CLIPIA_API_KEY"];
const URL_VARIABLE: &str = "CLIPIA_BASE_URL";

/// The server to call, and the key to call it with.
#[derive(Args, Default)]
pub(crate) struct Connection {
    /// The API key [env: CLIPIA_KEY, CLIPIA_API_KEY]
    #[arg(long, help_heading = HEADING)]
    pub(crate) key: Option<String>,
    /// The server's URL; by default that of Clipia [env: CLIPIA_BASE_URL]
    #[arg(long, value_name = "URL", help_heading = HEADING)]
    pub(crate) base_url: Option<String>,
    /// The server and the key that `clipia login` kept under this name
    #[arg(long, value_name = "NAME", env = "CLIPIA_PROFILE", help_heading = HEADING)]
    pub(crate) profile: Option<String>,
    #[command(flatten)]
    pub(crate) http: Http,
}

/// Whether a key may be sent in the clear.
#[derive(Args, Default)]
pub(crate) struct Http {
    /// Allows plain http to another machine, for a network where nobody else listens [env: CLIPIA_ALLOW_HTTP]
    #[arg(long, help_heading = HEADING)]
    allow_http: bool,
}

impl Http {
    /// Whether plain http to another machine is allowed, by the option or by the variable that the SDK reads.
    pub(crate) fn is_allowed(&self) -> bool {
        let said = std::env::var("CLIPIA_ALLOW_HTTP").unwrap_or_default();
        self.allow_http || matches!(said.trim().to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on")
    }
}

impl Connection {
    /// The SDK's client. The SDK reads the environment, so that all programs built on it read the same variables.
    ///
    /// Without a key in the options and the environment, it is that of the profile; without a profile, that of the server that
    /// `clipia serve --dev` runs in this directory. A key is only sent to the server that it was kept for.
    pub(crate) fn client(self) -> anyhow::Result<Clipia> {
        Ok(self.client_and_key()?.0)
    }

    /// The SDK's client, and its key for what has to follow from the key.
    pub(crate) fn client_and_key(self) -> anyhow::Result<(Clipia, String)> {
        let kept = self.kept()?;
        let mut builder = self.builder();
        let said = self.key.or_else(|| value(key_variable()));
        let Some(Profile { base_url, key }) = kept else {
            return Ok((builder.build()?, said.unwrap_or_default()));
        };
        builder = builder.key(key.reveal());
        if let Some(url) = base_url {
            builder = builder.base_url(url);
        }
        Ok((builder.build()?, key.reveal().to_owned()))
    }

    /// The server's URL, if the options or the environment name one.
    pub(crate) fn url(&self) -> Option<String> {
        self.base_url.clone().or_else(|| value(URL_VARIABLE))
    }

    /// A client's settings from the options and the environment alone.
    pub(crate) fn builder(&self) -> Builder {
        let mut builder = Builder::from_env().user_agent(concat!("clipia-cli/", env!("CARGO_PKG_VERSION")));
        if let Some(key) = &self.key {
            builder = builder.key(key);
        }
        if let Some(url) = &self.base_url {
            builder = builder.base_url(url);
        }
        if self.http.is_allowed() {
            builder = builder.allow_http(true);
        }
        builder
    }

    /// The server and the key in place of those that neither the options nor the environment name.
    fn kept(&self) -> anyhow::Result<Option<Profile>> {
        let key_is_said = self.key.is_some() || value(key_variable()).is_some();
        if key_is_said && (self.profile.is_none() || self.key.is_some()) {
            return Ok(None);
        }
        let profiles = Profiles::read()?;
        let kept = match &self.profile {
            Some(name) => Some(profiles.get(name)?),
            None => profiles.standard()?,
        };
        match (kept, self.url()) {
            (Some(profile), None) => Ok(Some(profile)),
            (Some(profile), Some(url)) if profile.is_of(&url) => Ok(Some(profile)),
            (Some(_), Some(url)) if self.profile.is_some() => Err(Usage::new(format!(
                "the key of the profile is not for `{url}`: leave out the URL, or pass a key with `--key`"
            ))
            .into()),
            (Some(_), Some(_)) => Ok(None),
            (None, Some(_)) => Ok(None),
            (None, None) => Ok(DevServer::here().map(|server| {
                say(format_args!(
                    "note: calls {}, the server of `clipia serve --dev` in this directory",
                    server.url
                ));
                Profile { base_url: Some(server.url), key: server.key }
            })),
        }
    }
}

/// The variable that has the key; the first one where none has it.
pub(crate) fn key_variable() -> &'static str {
    let [first, ..] = KEY_VARIABLES;
    KEY_VARIABLES.into_iter().find(|name| value(name).is_some()).unwrap_or(first)
}

/// The value of an environment variable that is not blank.
fn value(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.trim().is_empty())
}
