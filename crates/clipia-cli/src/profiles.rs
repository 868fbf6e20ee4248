//! Profiles: the servers and keys that `clipia login` keeps for this user, each under a name.
//!
//! The file holds the addresses. A key is in the keyring of the system where there is one, else in the file, which only its owner
//! may read.

use crate::exit::{Hint, Usage};
use crate::keyring;
use crate::whole_file;
use anyhow::{Context, anyhow};
use clipia_admin::Secret;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;

/// The name of the profile that is used if none is named.
pub(crate) const DEFAULT: &str = "default";

/// A server and the key for it.
pub(crate) struct Profile {
    /// The URL; `None` is Clipia itself.
    pub(crate) base_url: Option<String>,
    pub(crate) key: Secret,
}

impl Profile {
    /// Whether the key is for the server at `url`.
    pub(crate) fn is_of(&self, url: &str) -> bool {
        let plain = |url: &str| url.trim_end_matches('/').to_owned();
        self.base_url.as_deref().is_some_and(|own| plain(own) == plain(url))
    }
}

/// The file of the profiles.
#[derive(Default, Deserialize, Serialize)]
pub(crate) struct Profiles {
    profiles: BTreeMap<String, Kept>,
}

/// A profile as the file has it.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Kept {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) base_url: Option<String>,
    /// The key; missing if the keyring has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl Kept {
    /// Where the key is, for people.
    pub(crate) fn place(&self) -> &'static str {
        if self.key.is_some() { "file" } else { "keyring" }
    }
}

impl Profiles {
    /// The profiles of this user.
    pub(crate) fn read() -> anyhow::Result<Self> {
        let Some(path) = path() else { return Ok(Self::default()) };
        match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).with_context(|| {
                format!("reading the profiles in `{}`: `clipia login` writes the file", path.display())
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("reading the profiles in `{}`", path.display())),
        }
    }

    /// The profile of this name.
    pub(crate) fn get(&self, name: &str) -> anyhow::Result<Profile> {
        let Some(kept) = self.profiles.get(name) else {
            return Err(Usage::new(format!("there is no profile `{name}`"))).context(Hint::new(format!(
                "`clipia login --profile {name}` makes it; `clipia profiles` lists those there are"
            )));
        };
        let key = match &kept.key {
            Some(key) => key.clone(),
            None => keyring::get(name)
                .context("reading the key from the keyring; `clipia login` keeps it again")?,
        };
        Ok(Profile { base_url: kept.base_url.clone(), key: key.into() })
    }

    /// The profile that is used if none is named.
    pub(crate) fn standard(&self) -> anyhow::Result<Option<Profile>> {
        self.profiles.contains_key(DEFAULT).then(|| self.get(DEFAULT)).transpose()
    }

    /// All of them, by name.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &Kept)> {
        self.profiles.iter().map(|(name, kept)| (name.as_str(), kept))
    }

    /// Keeps a profile, in place of one of that name. Returns where its key is.
    pub(crate) fn keep(
        &mut self,
        name: &str,
        base_url: Option<String>,
        key: &Secret,
    ) -> anyhow::Result<&'static str> {
        let in_keyring = keyring::set(name, key.reveal());
        let kept = Kept { base_url, key: (!in_keyring).then(|| key.reveal().to_owned()) };
        let place = kept.place();
        self.profiles.insert(name.to_owned(), kept);
        self.write()?;
        Ok(place)
    }

    /// Forgets a profile and its key. Returns whether there was one.
    pub(crate) fn forget(&mut self, name: &str) -> anyhow::Result<bool> {
        let Some(kept) = self.profiles.remove(name) else { return Ok(false) };
        if kept.key.is_none() {
            keyring::remove(name);
        }
        self.write()?;
        Ok(true)
    }

    fn write(&self) -> anyhow::Result<()> {
        let path = path().ok_or_else(|| anyhow!("this user has no home directory to keep profiles in"))?;
        let text = serde_json::to_vec_pretty(self)?;
        whole_file::write_private(&path, &text)
            .with_context(|| format!("writing the profiles to `{}`", path.display()))
    }
}

/// The file of the profiles, in the user's directory for configuration.
fn path() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let directory = match variable("XDG_CONFIG_HOME") {
        Some(directory) => directory,
        None if cfg!(windows) => variable("APPDATA")?,
        None => std::env::home_dir()?.join(".config"),
    };
    Some(directory.join("clipia").join("profiles.json"))
}
