//! The parts that every harness of `clipia serve` needs: a command without the caller's settings, the line that a server prints
//! when it is ready, and a reader of its stdout. The tests and `xtask` share this file.

use serde::Deserialize;
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;

/// The line that `clipia serve --json` prints once it takes calls.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Ready {
    pub(crate) url: String,
    pub(crate) admin_url: String,
    /// Only the first start on a data directory prints them.
    #[serde(flatten)]
    pub(crate) secrets: Option<Secrets>,
}

/// The first keys and the first webhook secret of a data directory.
#[derive(Clone, Deserialize)]
pub(crate) struct Secrets {
    pub(crate) live_key: String,
    pub(crate) test_key: String,
    pub(crate) webhook_secret: String,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets { hidden }")
    }
}

/// A command of the program, without the environment variables that change its output or its server.
pub(crate) fn isolated(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CLIPIA_") {
            command.env_remove(name);
        }
    }
    command.env_remove("RUST_LOG").env("NO_COLOR", "1").stdin(Stdio::null());
    // Where `clipia login` keeps what it is told: nothing there is that of the user who runs the tests.
    command
        .env("XDG_CONFIG_HOME", std::env::temp_dir().join("no-configuration-of-clipia"))
        .env_remove("DBUS_SESSION_BUS_ADDRESS");
    command
}

/// Receives the first line of `stdout`. The rest is read and dropped, so that the child never waits for a reader.
pub(crate) fn first_line(stdout: ChildStdout) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        let _ = stdout.read_line(&mut line);
        let _ = sender.send(line);
        let _ = stdout.read_to_end(&mut Vec::new());
    });
    receiver
}
