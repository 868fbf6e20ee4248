//! A test binary that `cargo test` has built, to run it once more. `cargo test --test` would choose other features for it, and
//! build most of the workspace again.

use super::everything;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};

/// The test binary `target` of a package, as Cargo would run it.
pub(super) fn of_tests(root: &Path, package: &str, target: &str) -> Result<Command> {
    let mut build = everything(root, "test", &["--no-run", "--quiet", "--message-format=json"]);
    let built = build.stderr(Stdio::inherit()).output().context("building the tests")?;
    ensure!(built.status.success(), "building the tests ended with {}", built.status);
    let messages = String::from_utf8_lossy(&built.stdout);
    let (executable, manifest) = messages
        .lines()
        .find_map(|message| executable(message, package, target))
        .with_context(|| format!("Cargo has built no tests `{target}` of `{package}`"))?;
    let mut command = Command::new(executable);
    if let Some(directory) = Path::new(&manifest).parent() {
        command.current_dir(directory);
    }
    Ok(command)
}

/// The executable and the manifest, if the message of Cargo is about this test binary.
fn executable(message: &str, package: &str, target: &str) -> Option<(String, String)> {
    let message: Value = serde_json::from_str(message).ok()?;
    let is_package = |id: &str| id.contains(&format!("{package}@")) || id.contains(&format!("/{package}#"));
    let is_it = message["reason"] == "compiler-artifact"
        && message["target"]["name"] == target
        && message["target"]["kind"][0] == "test"
        && message["package_id"].as_str().is_some_and(is_package);
    let text = |field: &str| message[field].as_str().map(str::to_owned);
    is_it.then(|| Some((text("executable")?, text("manifest_path")?)))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_of_a_package_is_found_among_those_of_others() {
        let message = |package: &str, kind: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","package_id":"path+file:///w/{package}","manifest_path":"/w/tests/Cargo.toml",
                "target":{{"kind":["{kind}"],"name":"it"}},"executable":"/w/target/it-1"}}"#
            )
        };
        let found = Some(("/w/target/it-1".to_owned(), "/w/tests/Cargo.toml".to_owned()));
        let of = |package: &str, kind: &str| executable(&message(package, kind), "clipia-tests", "it");
        assert_eq!(of("tests#clipia-tests@0.1.0", "test"), found);
        assert_eq!(of("tests#clipia@0.1.0", "test"), None);
        assert_eq!(of("tests#clipia-tests@0.1.0", "lib"), None);
        assert_eq!(executable("Compiling", "clipia-tests", "it"), None);
    }
}
