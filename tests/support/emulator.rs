//! `clipia emulate` as a child process.

use super::serving::{Ready, first_line};
use super::{DEADLINE, Raw, program};
use std::process::{Child, Command, Stdio};

/// A running emulator. Dropping the value ends it.
pub(crate) struct Emulator {
    pub(crate) url: String,
    /// The live key that it prints. Every other key is another account.
    pub(crate) live_key: String,
    child: Child,
}

impl Emulator {
    /// Starts an emulator with these further arguments.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut emulate = program::command(&["emulate", "--listen", "127.0.0.1:0", "--json"]);
        emulate.args(arguments).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = emulate.spawn().unwrap();
        let line = first_line(child.stdout.take().unwrap()).recv_timeout(DEADLINE).unwrap();
        let ready: Ready = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let live_key = ready.secrets.expect("an emulator prints its keys").live_key;
        Self { url: ready.url, live_key, child }
    }

    /// A command of the program that calls this emulator.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program::command(arguments);
        command.env("CLIPIA_BASE_URL", &self.url).env("CLIPIA_KEY", &self.live_key);
        command
    }

    /// A client with the live key.
    pub(crate) fn live(&self) -> Raw {
        Raw::new(&self.url).key(&self.live_key)
    }

    /// The credits of the live key's account.
    pub(crate) async fn balance(&self) -> u64 {
        self.live().get("/v1/account").await.expect(200).json()["balance"]["credits"].as_u64().unwrap()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
