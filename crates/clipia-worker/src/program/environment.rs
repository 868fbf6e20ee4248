//! The environment of a program.

use crate::settings::ProgramSettings;
use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt;

/// What each program gets of the environment of this process.
const PASSED_ON: [&str; 4] = ["PATH", "HOME", "LANG", "TMPDIR"];

/// The shortest value that is hidden in log lines: a shorter one is a word of many lines.
const SECRET_BYTES_MIN: usize = 8;

/// The environment of a program. `Debug` shows no value.
pub(super) struct Environment {
    variables: Vec<(OsString, OsString)>,
    secrets: Secrets,
}

/// Values that must not be shown.
#[derive(Clone, Default)]
pub(super) struct Secrets(Vec<String>);

/// `env_from` names a variable that this process does not have.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the environment of the server has no `{0}`, which `env_from` names")]
pub(super) struct MissingVariable(String);

impl Environment {
    /// The environment of the program in its slot number `slot`.
    pub(super) fn new(settings: &ProgramSettings, slot: usize) -> Result<Self, MissingVariable> {
        let mut variables: Vec<(OsString, OsString)> = Vec::new();
        let own = |name: &str| std::env::var_os(name).map(|value| (OsString::from(name), value));
        variables.extend(PASSED_ON.iter().filter_map(|name| own(name)));
        variables.extend(settings.env.iter().map(|(name, value)| (name.into(), value.into())));
        let mut secrets = Vec::new();
        for name in &settings.env_from {
            let (name, value) = own(name).ok_or_else(|| MissingVariable(name.clone()))?;
            secrets.extend(value.to_str().filter(|value| value.len() >= SECRET_BYTES_MIN).map(str::to_owned));
            variables.push((name, value));
        }
        if let Some(device) = settings.devices.get(slot) {
            variables.push(("CUDA_VISIBLE_DEVICES".into(), device.into()));
        }
        Ok(Self { variables, secrets: Secrets(secrets) })
    }

    /// Adds a variable.
    pub(super) fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.variables.push((name.into(), value.into()));
    }

    /// The variables. Of two of one name, the later one counts.
    pub(super) fn variables(&self) -> impl Iterator<Item = &(OsString, OsString)> {
        self.variables.iter()
    }

    /// The values that must not be shown.
    pub(super) fn secrets(&self) -> Secrets {
        self.secrets.clone()
    }
}

impl Secrets {
    /// `text` without the secrets in it.
    pub(super) fn hidden_in<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut hidden = Cow::Borrowed(text);
        for secret in self.0.iter().filter(|secret| text.contains(*secret)) {
            hidden = Cow::Owned(hidden.replace(secret, "***"));
        }
        hidden
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.variables.iter().map(|(name, _)| name)).finish()
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_gets_what_is_named_and_nothing_else() {
        let mut settings = ProgramSettings::new(vec!["draw".to_owned()]);
        settings.env.insert("HF_HOME".to_owned(), "/models".to_owned());
        settings.devices = vec!["0".to_owned(), "3".to_owned()];
        settings.env_from = vec!["PATH".to_owned()];
        let environment = Environment::new(&settings, 1).unwrap();
        let allowed = [&PASSED_ON[..], &["HF_HOME", "CUDA_VISIBLE_DEVICES"]].concat();
        for (name, _) in environment.variables() {
            assert!(allowed.contains(&name.to_str().unwrap()), "{name:?}");
        }
        let device = environment.variables().find(|(name, _)| name == "CUDA_VISIBLE_DEVICES").unwrap();
        assert_eq!(device.1, "3");
        let path = std::env::var("PATH").unwrap();
        assert!(!format!("{environment:?}").contains(&path));
        assert_eq!(environment.secrets().hidden_in(&format!("PATH is {path}.")), "PATH is ***.");
    }

    #[test]
    fn a_variable_that_is_not_there_is_named() {
        let mut settings = ProgramSettings::new(vec!["draw".to_owned()]);
        settings.env_from = vec!["NO_SUCH_VARIABLE_HERE".to_owned()];
        let missing = Environment::new(&settings, 0).unwrap_err();
        assert_eq!(missing, MissingVariable("NO_SUCH_VARIABLE_HERE".to_owned()));
    }
}
