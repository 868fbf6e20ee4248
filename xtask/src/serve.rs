//! `clipia serve` as a child process.

use anyhow::{Context, Result};
use serde::Deserialize;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long a start may take.
const START_MAX: Duration = Duration::from_secs(60);

/// A server that runs until this value ends.
pub(crate) struct Serving {
    child: Child,
    line: mpsc::Receiver<String>,
    /// Where its administration listens, once it has said so.
    #[cfg(feature = "chaos")]
    admin_url: Option<String>,
}

/// The line that `clipia serve --json` prints once it takes calls.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Ready {
    pub(crate) url: String,
    #[cfg(feature = "chaos")]
    admin_url: String,
    /// What the first start of a data directory makes.
    #[serde(flatten)]
    pub(crate) secrets: Option<Secrets>,
}

#[derive(Clone, Deserialize)]
pub(crate) struct Secrets {
    pub(crate) live_key: String,
    #[cfg_attr(not(feature = "chaos"), expect(dead_code, reason = "only chaos has a use for it"))]
    pub(crate) test_key: String,
    #[cfg_attr(not(feature = "chaos"), expect(dead_code, reason = "only chaos has a use for it"))]
    pub(crate) webhook_secret: String,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets { hidden }")
    }
}

/// `clipia serve` on any free port, keeping everything in `data`, for webhooks on this machine and without a limit.
pub(crate) fn command(program: &Path, data: &Path) -> Command {
    let mut serve = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CLIPIA_") {
            serve.env_remove(name);
        }
    }
    serve.args(["serve", "--listen", "127.0.0.1:0", "--json", "--dev", "--rpm", "0", "--data"]).arg(data);
    serve.env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::piped());
    serve
}

impl Serving {
    /// Starts it.
    pub(crate) fn spawn(mut command: Command) -> Result<Self> {
        let mut child = command.spawn().with_context(|| format!("running {command:?}"))?;
        let stdout = child.stdout.take().context("its output is not captured")?;
        Ok(Self {
            child,
            line: first_line(stdout),
            #[cfg(feature = "chaos")]
            admin_url: None,
        })
    }

    /// Waits until it takes calls.
    pub(crate) fn ready(&self) -> Result<Ready> {
        let line = self.line.recv_timeout(START_MAX).unwrap_or_default();
        serde_json::from_str(&line).context("`clipia serve` did not become ready")
    }

    /// Whether it takes calls by now; told once.
    #[cfg(feature = "chaos")]
    pub(crate) fn ready_now(&mut self) -> Option<Ready> {
        let ready: Ready = serde_json::from_str(&self.line.try_recv().ok()?).ok()?;
        self.admin_url = Some(ready.admin_url.clone());
        Some(ready)
    }

    /// Where its administration listens, once [`Serving::ready_now`] has told that it takes calls.
    #[cfg(feature = "chaos")]
    pub(crate) fn admin_url(&self) -> Option<&str> {
        self.admin_url.as_deref()
    }

    /// Has it stand still, as if its machine did.
    #[cfg(feature = "chaos")]
    pub(crate) async fn stop_for(&self, time: Duration) -> Result<()> {
        use rustix::process::{Pid, Signal, kill_process};
        let process = Pid::from_child(&self.child);
        kill_process(process, Signal::STOP)?;
        tokio::time::sleep(time).await;
        Ok(kill_process(process, Signal::CONT)?)
    }

    /// Whether it has ended.
    #[cfg(feature = "chaos")]
    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Both fail where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The first line; after it, stdout is drained, so that the child never waits for a reader.
fn first_line(stdout: ChildStdout) -> mpsc::Receiver<String> {
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
