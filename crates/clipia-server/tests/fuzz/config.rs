//! The parsing of `clipia.toml`.

use clipia_server::Config;
use proptest::collection::vec;
use proptest::prelude::*;
use std::sync::LazyLock;
use tempfile::TempDir;

/// Every key with its default.
static LINES: LazyLock<Vec<String>> =
    LazyLock::new(|| Config::default().to_toml().unwrap().lines().map(str::to_owned).collect());

/// A value that some key takes, or that none takes.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| format!("{number:?}")),
        "(true|false|\"(127\\.0\\.0\\.1|\\[::1\\]|localhost|0\\.0\\.0\\.0|300\\.1\\.1\\.1):[0-9]{0,6}\"|\"(auto|text|json|xml)\")",
        "\\[(\"(10|127|::1|fe80)(\\.0\\.0\\.[0-9]{1,3})?(/[0-9]{1,3})?\",? ?){0,3}\\]",
        "[ -~]{0,20}",
    ]
}

fn file() -> impl Strategy<Value = String> {
    let edit = (any::<prop::sample::Index>(), 0..4_u8, value());
    vec(edit, 0..4).prop_map(|edits| {
        let mut lines = LINES.clone();
        for (index, kind, value) in edits {
            let index = index.index(lines.len());
            match (kind, lines[index].split_once('=')) {
                (0, _) if lines.len() > 1 => drop(lines.remove(index)),
                (1, _) => lines.insert(index, value),
                (_, Some((key, _))) => lines[index] = format!("{key}= {value}"),
                _ => {}
            }
        }
        lines.join("\n")
    })
}

/// Whether a file is accepted. An accepted file must be written as it was read. A refusal must name the file.
fn taken(text: &str) -> Result<bool, TestCaseError> {
    static DIRECTORY: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());
    // Each thread has its own file.
    let name = format!("{:?}.toml", std::thread::current().id());
    let path = DIRECTORY.path().join(name);
    std::fs::write(&path, text).unwrap();
    match Config::read(&path) {
        Ok(config) => {
            std::fs::write(&path, config.to_toml().unwrap()).unwrap();
            // The written file must give the same configuration.
            let config = Config { limit: Some(config.rate_limit()), ..config };
            prop_assert_eq!(Config::read(&path).ok(), Some(config));
            Ok(true)
        }
        Err(refused) => {
            prop_assert!(refused.to_string().contains(".toml"), "{refused}");
            Ok(false)
        }
    }
}

#[test]
fn files_are_taken_and_refused() {
    for (text, expected) in [
        ("", true),
        (&*LINES.join("\n"), true),
        ("listen = \"127.0.0.1:99999\"", false),
        ("allow = [\"10.0.0.0/40\"]", false),
        ("drain_seconds = -1", false),
        ("rmp = 3", false),
    ] {
        assert_eq!(taken(text).unwrap(), expected, "{text}");
    }
}

proptest! {
    #[test]
    fn any_config_file_is_taken_or_refused(text in file()) {
        taken(&text)?;
    }
}
