//! `clipia mcp install`: the files of clients.

use crate::support::{command, output};
use serde_json::Value;
use std::path::Path;
use std::process::Output;

const KEY: &str = "clipia_live_0123456789abk3Qz";

fn install(home: &Path, arguments: &[&str]) -> Output {
    let mut install = command(&[&["mcp", "install"], arguments].concat());
    install.current_dir(home).env("HOME", home).env_remove("XDG_CONFIG_HOME").env_remove("CODEX_HOME");
    install.env("CLIPIA_KEY", KEY).env("CLIPIA_BASE_URL", "http://127.0.0.1:4747");
    output(&mut install)
}

#[cfg(target_os = "linux")]
#[test]
fn each_client_gets_its_own_file_and_no_key() {
    for (client, file) in [
        ("claude-code", ".mcp.json"),
        ("claude-desktop", ".config/Claude/claude_desktop_config.json"),
        ("cursor", ".cursor/mcp.json"),
        ("vscode", ".config/Code/User/mcp.json"),
        ("codex", ".codex/config.toml"),
        ("gemini", ".gemini/settings.json"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let written = install(home.path(), &[client, "--yes"]);
        let said = String::from_utf8_lossy(&written.stderr);
        assert!(written.status.success(), "{client}: {said}");
        assert!(said.contains("wrote `") && said.contains("The key is not in the file"), "{said}");
        let text = std::fs::read_to_string(home.path().join(file)).unwrap();
        assert!(text.contains("clipia") && text.contains("http://127.0.0.1:4747"), "{client}: {text}");
        assert!(!text.contains(KEY) && !String::from_utf8_lossy(&written.stdout).contains(KEY), "{text}");
        // The diff shows every line of a new file.
        let shown = String::from_utf8_lossy(&written.stdout).into_owned();
        assert!(text.lines().all(|line| shown.contains(&format!("+{line}"))), "{shown}");
        let again = install(home.path(), &[client, "--yes"]);
        assert!(String::from_utf8_lossy(&again.stderr).contains("has the entry already"));
    }
}

#[test]
fn a_file_is_only_changed_with_consent_and_keeps_its_other_entries() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join(".mcp.json");
    let before = "{\n  \"mcpServers\": {\n    \"other\": { \"command\": \"other\" }\n  }\n}\n";
    std::fs::write(&file, before).unwrap();
    let asked = install(home.path(), &["claude-code"]);
    assert_eq!(asked.status.code(), Some(2), "nobody is at a terminal");
    assert!(String::from_utf8_lossy(&asked.stderr).contains("`--yes`"));
    assert!(String::from_utf8_lossy(&asked.stdout).contains("+    \"clipia\": {"), "the diff comes first");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
    assert!(install(home.path(), &["claude-code", "--yes"]).status.success());
    let after: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(after["mcpServers"]["other"]["command"], "other");
    assert_eq!(after["mcpServers"]["clipia"]["env"]["CLIPIA_KEY"], "${CLIPIA_KEY:-}");
    std::fs::write(&file, "{ broken").unwrap();
    let refused = install(home.path(), &["claude-code", "--yes"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("was not changed: it is not JSON"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "{ broken");
}
