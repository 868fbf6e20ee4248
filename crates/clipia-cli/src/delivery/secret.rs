//! The secret that signs deliveries.

use crate::exit::Usage;
use crate::output::say;
use clap::Args;
use clipia::webhook::{EMULATOR_SECRET, checked_secret};

/// The webhook secret.
#[derive(Args)]
pub(crate) struct SecretOption {
    /// The webhook secret that signs the delivery; by default the emulator's, whsec_ZW11bGF0b3I
    #[arg(long, value_name = "SECRET", env = "CLIPIA_WEBHOOK_SECRET", hide_env_values = true)]
    secret: Option<String>,
}

/// A secret that signs. It has no `Debug`, which would show it.
pub(crate) struct Secret {
    text: String,
    /// Whether it is the emulator's, because none was given.
    pub(crate) is_emulators: bool,
}

impl SecretOption {
    /// The secret to sign with. Says so if it is the emulator's.
    ///
    /// # Errors
    /// If the secret that was given is empty or too short.
    pub(crate) fn read(&self) -> Result<Secret, Usage> {
        let Some(text) = &self.secret else {
            say(format_args!(
                "no webhook secret was given: the emulator's signs, {EMULATOR_SECRET} (`--secret` or CLIPIA_WEBHOOK_SECRET names \
                 another)"
            ));
            return Ok(Secret { text: EMULATOR_SECRET.to_owned(), is_emulators: true });
        };
        let text = checked_secret(text)
            .map_err(|refused| Usage::new(format!("`--secret` or CLIPIA_WEBHOOK_SECRET: {refused}")))?;
        Ok(Secret { text: text.to_owned(), is_emulators: false })
    }
}

impl Secret {
    pub(crate) fn reveal(&self) -> &str {
        &self.text
    }
}
