//! The dependencies between crates, as `cargo` reports them, and the files at the top of the repository.

use crate::support::{cargo, repository};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Each crate of the workspace, with the crates of the workspace that it may depend on, in its build and in its tests. A new crate
/// fails the test until it has a line here.
const ARROWS: &[(&str, &[&str])] = &[
    ("clipia-api", &[]),
    ("clipia-admin", &["clipia-api"]),
    ("clipia-webhook", &["clipia-api"]),
    ("clipia-queue", &["clipia-api"]),
    ("clipia-render", &[]),
    ("clipia", &["clipia-api", "clipia-webhook"]),
    ("clipia-mcp", &["clipia"]),
    ("clipia-store", &["clipia-api", "clipia-queue"]),
    ("clipia-store-sqlite", &["clipia-api", "clipia-queue", "clipia-store"]),
    ("clipia-store-postgres", &["clipia-api", "clipia-queue", "clipia-store"]),
    ("clipia-remote", &["clipia-api"]),
    ("clipia-worker", &["clipia-api", "clipia-queue", "clipia-remote", "clipia-render"]),
    (
        "clipia-server",
        &[
            "clipia-admin",
            "clipia-api",
            "clipia-queue",
            "clipia-remote",
            "clipia-render",
            "clipia-store",
            "clipia-webhook",
            "clipia-worker",
        ],
    ),
    (
        "clipia-emulator",
        &[
            "clipia-api",
            "clipia-queue",
            "clipia-render",
            "clipia-server",
            "clipia-store",
            "clipia-store-sqlite",
            "clipia-webhook",
            "clipia-worker",
        ],
    ),
    (
        "clipia-cli",
        &[
            "clipia",
            "clipia-admin",
            "clipia-api",
            "clipia-emulator",
            "clipia-mcp",
            "clipia-queue",
            "clipia-server",
            "clipia-store",
            "clipia-store-postgres",
            "clipia-store-sqlite",
            "clipia-webhook",
            "clipia-worker",
        ],
    ),
    ("clipia-python", &["clipia", "clipia-api", "clipia-cli", "clipia-webhook"]),
    // What tests and xtask start.
    ("clipia-tests-postgres", &[]),
    // Both use the other crates, and no crate depends on them.
    (
        "clipia-tests",
        &[
            "clipia",
            "clipia-admin",
            "clipia-api",
            "clipia-queue",
            "clipia-remote",
            "clipia-tests-postgres",
            "clipia-webhook",
        ],
    ),
    (
        "xtask",
        &[
            "clipia",
            "clipia-admin",
            "clipia-queue",
            "clipia-server",
            "clipia-store-postgres",
            "clipia-store-sqlite",
            "clipia-tests-postgres",
            "clipia-webhook",
        ],
    ),
];

/// Crates that the tests of a crate may use beside those of `ARROWS`: the server is tested on a real store, the SDK on the emulator.
const ARROWS_OF_TESTS: &[(&str, &[&str])] = &[
    ("clipia", &["clipia-emulator"]),
    ("clipia-server", &["clipia-store-sqlite"]),
    ("clipia-emulator", &["clipia"]),
    ("clipia-store-postgres", &["clipia-store-sqlite", "clipia-tests-postgres"]),
];

/// Crates that a crate must not build, directly or indirectly. Pure code has no runtime and no HTTP, and xtask builds quickly.
const PURE: &[(&str, &[&str])] = &[
    ("clipia-api", &["axum", "http", "hyper", "reqwest", "rusqlite", "tokio"]),
    (
        "clipia-admin",
        &["axum", "clipia-queue", "clipia-store", "http", "hyper", "reqwest", "rusqlite", "tokio"],
    ),
    (
        "clipia-remote",
        &["axum", "clipia-queue", "clipia-store", "http", "hyper", "reqwest", "rusqlite", "tokio"],
    ),
    ("clipia-webhook", &["axum", "http", "hyper", "reqwest", "rusqlite", "tokio"]),
    ("clipia-queue", &["axum", "http", "hyper", "reqwest", "rusqlite", "tokio"]),
    ("clipia-render", &["axum", "http", "hyper", "reqwest", "rusqlite", "tokio"]),
    ("clipia", &["axum-core", "rusqlite"]),
    ("clipia-store", &["axum", "hyper", "rusqlite", "tokio-postgres"]),
    ("clipia-store-postgres", &["axum", "hyper", "rusqlite"]),
    ("clipia-store-sqlite", &["axum", "hyper", "tokio-postgres"]),
    ("clipia-worker", &["axum", "clipia-store", "image", "openh264", "rusqlite", "tiny-skia", "webp"]),
    (
        "clipia-server",
        &["clipia-render", "clipia-store-sqlite", "image", "openh264", "rusqlite", "tiny-skia", "webp"],
    ),
    ("xtask", &["clipia", "clipia-admin", "clipia-server"]),
];

/// The files at the top of the repository, without dotfiles and ignored files.
const TOP: &[&str] = &[
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "bindings",
    "clippy.toml",
    "crates",
    "deny.toml",
    "docs",
    "llms-install.md", // where agents look for it
    "packaging",
    "rustfmt.toml",
    "skills",
    "spec",
    "tests",
    "xtask",
];

#[test]
fn crates_depend_only_along_the_arrows() {
    let metadata = output(cargo().args(["metadata", "--format-version=1", "--no-deps"]));
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let names: BTreeSet<&str> = packages.iter().map(|package| package["name"].as_str().unwrap()).collect();
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let of_tests: BTreeMap<&str, &[&str]> = ARROWS_OF_TESTS.iter().copied().collect();
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let allowed = arrows.get(name).unwrap_or_else(|| panic!("{name} has no line in `ARROWS`"));
        // Dependencies of all kinds: normal, of tests, of build scripts.
        for dependency in package["dependencies"].as_array().unwrap() {
            let on = dependency["name"].as_str().unwrap();
            let in_tests =
                dependency["kind"] == "dev" && of_tests.get(name).is_some_and(|on_it| on_it.contains(&on));
            assert!(
                !names.contains(on) || allowed.contains(&on) || in_tests,
                "{name} must not depend on {on}"
            );
        }
    }
}

#[test]
fn pure_crates_build_nothing_impure() {
    for (name, forbidden) in PURE {
        // Each crate is asked for alone: in a common build, crates share their features.
        let tree = output(cargo().args(["tree", "-p", name, "-enormal", "--prefix=none"]));
        let built: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
        assert!(built.contains(name), "{tree}");
        for other in *forbidden {
            assert!(
                !built.contains(other),
                "{name} builds {other}: see `cargo tree -p {name} -e normal -i {other}`"
            );
        }
    }
}

#[test]
fn the_top_level_stays_as_designed() {
    let ignored = std::fs::read_to_string(repository().join(".gitignore")).unwrap();
    let ignored: BTreeSet<&str> = ignored.lines().filter_map(|line| line.strip_prefix('/')).collect();
    let found: Vec<String> = std::fs::read_dir(repository())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.') && !ignored.contains(name.as_str()))
        .collect();
    for name in &found {
        assert!(TOP.contains(&name.as_str()), "{name} does not belong at the top of the repository");
    }
    for name in TOP {
        assert!(found.iter().any(|found| found == name), "{name} is missing at the top of the repository");
    }
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
