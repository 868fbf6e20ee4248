//! `clipia serve` as a child process.

#[path = "../../tests/support/serving.rs"]
#[allow(dead_code, reason = "the tests read fields that only some of these tasks read")]
mod serving;

pub(crate) use serving::Ready;
#[cfg(feature = "chaos")]
pub(crate) use serving::Secrets;

use anyhow::{Context, Result};
use serving::{first_line, isolated};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// The longest start of a server.
const START_MAX: Duration = Duration::from_secs(60);

/// A running server. It is killed when this value is dropped.
pub(crate) struct Serving {
    child: Child,
    line: mpsc::Receiver<String>,
    /// The URL of its administration, once the server has printed it.
    #[cfg(feature = "chaos")]
    admin_url: Option<String>,
}

/// The command `clipia serve` on a free port and the data directory `data`. Webhooks may be on this machine, and keys have no
/// rate limit.
pub(crate) fn command(program: &Path, data: &Path) -> Command {
    command_at(program, data, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
}

/// The same on the address `listen`.
pub(crate) fn command_at(program: &Path, data: &Path, listen: SocketAddr) -> Command {
    let mut serve = isolated(program);
    serve.args(["serve", "--listen", &listen.to_string(), "--json", "--dev", "--rpm", "0", "--data"]);
    serve.arg(data);
    serve.stdout(Stdio::piped());
    serve
}

/// A counter of the server whose administration is at `admin_url`, from its metrics.
#[cfg(feature = "chaos")]
pub(crate) async fn counter(admin_url: &str, name: &str) -> Result<u64> {
    let metrics = reqwest::get(format!("{admin_url}/metrics")).await?.text().await?;
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.with_context(|| format!("the metrics have no {name}"))?
        .trim()
        .parse()
        .context("the value of a counter")
}

impl Serving {
    /// Starts the server.
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

    /// Waits until the server takes calls.
    pub(crate) fn ready(&self) -> Result<Ready> {
        let line = self.line.recv_timeout(START_MAX).unwrap_or_default();
        serde_json::from_str(&line).context("`clipia serve` did not become ready")
    }

    /// Whether the server takes calls by now. Returns `Some` once.
    #[cfg(feature = "chaos")]
    pub(crate) fn ready_now(&mut self) -> Option<Ready> {
        let ready: Ready = serde_json::from_str(&self.line.try_recv().ok()?).ok()?;
        self.admin_url = Some(ready.admin_url.clone());
        Some(ready)
    }

    /// The URL of its administration, once [`Serving::ready_now`] has returned `Some`.
    #[cfg(feature = "chaos")]
    pub(crate) fn admin_url(&self) -> Option<&str> {
        self.admin_url.as_deref()
    }

    /// Stops the process for `time`, as a suspended machine would.
    #[cfg(feature = "chaos")]
    pub(crate) async fn stop_for(&self, time: Duration) -> Result<()> {
        use rustix::process::{Pid, Signal, kill_process};
        let process = Pid::from_child(&self.child);
        kill_process(process, Signal::STOP)?;
        tokio::time::sleep(time).await;
        Ok(kill_process(process, Signal::CONT)?)
    }

    /// The number of the process.
    #[cfg(feature = "bench")]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether the process has ended.
    #[cfg(feature = "chaos")]
    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Both calls fail if the process has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
