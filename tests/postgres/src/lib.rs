//! PostgreSQL servers of the tests' own, started from installed programs: `initdb` and `postgres`, and PgBouncer.
//!
//! Where they are not installed, a test says so and is left out; never so in CI.

#![allow(clippy::unwrap_used)] // test code: a failed expectation stops the test

mod pooler;
mod server;

pub use pooler::Pooler;
pub use server::{Database, Server, Stop};

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A program that a script started. It ends when this value is dropped or this process ends, since its input ends then.
struct Running {
    child: Child,
    said: BufReader<ChildStdout>,
    /// The directory of its socket.
    directory: String,
}

impl Running {
    /// Starts a program by a script, which prints the directory of the socket first. Nothing where the program is not installed.
    fn start(script: &str, arguments: &[&str], package: &str) -> Option<Self> {
        // Not in the process group of the tests: an interrupt from the terminal would come to it before they end.
        let mut command = Command::new("setsid");
        if is_root() {
            command.args(["runuser", "-u", "nobody", "--"]);
        }
        command.args(["sh", "-c", script, "sh"]).args(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        let mut running = Self { child, said, directory: String::new() };
        let directory = running.line();
        if directory == "none" {
            running.child.wait().unwrap();
            assert!(
                std::env::var_os("CI").is_none(),
                "{package} is not installed: `apt-get install {package}`"
            );
            eprintln!("left out: {package} is not installed (`apt-get install {package}`)");
            return None;
        }
        Some(Self { directory, ..running })
    }

    /// The next line that the script prints.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        let line = line.trim().to_owned();
        assert!(!line.is_empty(), "it did not start: see above");
        line
    }
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout.trim_ascii() == b"0"
}
