//! What a worker says of its machine.

use clipia_worker::remote::About;
use std::num::NonZeroU32;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// How long the program that names the GPUs may take.
const GPUS_WITHIN: Duration = Duration::from_secs(2);

/// The most bytes of a text that a worker says of itself.
const TEXT_BYTES_MAX: usize = 200;

/// What this machine and this program are.
pub(super) async fn about(slots: usize) -> About {
    About {
        host: host(),
        gpu: gpus().await,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        slots: u32::try_from(slots).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN),
    }
}

#[cfg(unix)]
fn host() -> String {
    plain(&rustix::system::uname().nodename().to_string_lossy())
}

#[cfg(not(unix))]
fn host() -> String {
    plain(&std::env::var("COMPUTERNAME").unwrap_or_default())
}

/// The names of the GPUs; none where the driver's own program is not there, or does not answer.
async fn gpus() -> Option<String> {
    let mut names = Command::new("nvidia-smi");
    names.args(["--query-gpu=name", "--format=csv,noheader"]).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(GPUS_WITHIN, names.output()).await.ok()?.ok()?;
    output.status.success().then(|| listed(&String::from_utf8_lossy(&output.stdout)))?
}

/// The names, one a line, as one text: `2 × NVIDIA L4, Tesla T4`.
fn listed(names: &str) -> Option<String> {
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for name in names.lines().map(str::trim).filter(|name| !name.is_empty()) {
        match counted.iter_mut().find(|(other, _)| *other == name) {
            Some((_, count)) => *count += 1,
            None => counted.push((name, 1)),
        }
    }
    let listed: Vec<String> = counted
        .into_iter()
        .map(|(name, count)| if count > 1 { format!("{count} × {name}") } else { name.to_owned() })
        .collect();
    let listed = plain(&listed.join(", "));
    (!listed.is_empty()).then_some(listed)
}

/// A text without control characters, cut to its longest length.
fn plain(text: &str) -> String {
    let mut text: String = text.chars().filter(|char| !char.is_control()).collect();
    text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_gpus_are_counted() {
        assert_eq!(listed("NVIDIA L4\nTesla T4\nNVIDIA L4\n").as_deref(), Some("2 × NVIDIA L4, Tesla T4"));
        assert_eq!(listed("\n"), None);
        assert_eq!(plain(&"é\n".repeat(200)).len(), 200);
    }
}
