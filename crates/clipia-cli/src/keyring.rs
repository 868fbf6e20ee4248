//! The keyring of the system, called by the program that the system has for it: `secret-tool` of a desktop on Linux, `security` on
//! macOS. The key goes to it on stdin, since other users may read a command line.

use anyhow::{Context, ensure};
use std::io::Write;
use std::process::{Command, Output, Stdio};

/// The name of the service that the keys belong to.
const SERVICE: &str = "clipia";

/// Keeps the key of a profile. Returns false if there is no keyring, or it does not take the key.
pub(crate) fn set(profile: &str, key: &str) -> bool {
    let (mut command, said) = if cfg!(target_os = "macos") {
        let mut command = Command::new("security");
        command.arg("-i");
        // The words of the command are those of the program, and a profile and a key have no quotes.
        (command, format!("add-generic-password -U -s {SERVICE} -a \"{profile}\" -w \"{key}\"\n"))
    } else if has_secret_service() {
        let mut command = Command::new("secret-tool");
        command.args(["store", "--label", &format!("Clipia, profile {profile}")]).args(attributes(profile));
        (command, key.to_owned())
    } else {
        return false;
    };
    // What was kept is read back: `security -i` ends with success whatever happens.
    run(&mut command, &said).is_ok_and(|output| output.status.success())
        && get(profile).is_ok_and(|kept| kept == key)
}

/// The key of a profile.
pub(crate) fn get(profile: &str) -> anyhow::Result<String> {
    let mut command = if cfg!(target_os = "macos") {
        let mut command = Command::new("security");
        command.args(["find-generic-password", "-s", SERVICE, "-a", profile, "-w"]);
        command
    } else {
        let mut command = Command::new("secret-tool");
        command.arg("lookup").args(attributes(profile));
        command
    };
    let output = run(&mut command, "").context("starting the program of the keyring")?;
    ensure!(output.status.success(), "the keyring has no key of the profile `{profile}`");
    let key = String::from_utf8(output.stdout).context("the keyring has a key that is no text")?;
    Ok(key.trim_end_matches('\n').to_owned())
}

/// Removes the key of a profile. A key that is not there is no fault.
pub(crate) fn remove(profile: &str) {
    let mut command = if cfg!(target_os = "macos") {
        let mut command = Command::new("security");
        command.args(["delete-generic-password", "-s", SERVICE, "-a", profile]);
        command
    } else {
        let mut command = Command::new("secret-tool");
        command.arg("clear").args(attributes(profile));
        command
    };
    let _ = run(&mut command, "");
}

fn attributes(profile: &str) -> [&str; 4] {
    ["service", SERVICE, "profile", profile]
}

/// Whether this session has a secret service. Without its bus, `secret-tool` would try to start one.
fn has_secret_service() -> bool {
    cfg!(target_os = "linux") && std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some()
}

fn run(command: &mut Command, said: &str) -> std::io::Result<Output> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(said.as_bytes())?;
    }
    child.wait_with_output()
}
