//! Tells the program the commit that it is built from.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=CLIPIA_COMMIT");
    let version = env!("CARGO_PKG_VERSION");
    let commit = std::env::var("CLIPIA_COMMIT").ok().or_else(commit);
    let text = commit.map_or_else(|| version.to_owned(), |commit| format!("{version} ({commit})"));
    println!("cargo::rustc-env=CLIPIA_VERSION={text}");
}

/// The commit of the sources. Only a release asks: otherwise each commit would build the program again.
fn commit() -> Option<String> {
    if std::env::var("PROFILE").as_deref() != Ok("release") {
        return None;
    }
    let git = |arguments: &[&str]| {
        let output =
            Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
        String::from_utf8(output.stdout).ok().map(|text| text.trim().to_owned())
    };
    for file in ["HEAD", "logs/HEAD"] {
        println!("cargo::rerun-if-changed={}", git(&["rev-parse", "--git-path", file])?);
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}
