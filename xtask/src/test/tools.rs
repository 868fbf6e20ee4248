//! The programs that must be installed before anything can be tested.

use super::step::Step;
use anyhow::bail;
use std::process::{Command, Stdio};

/// A program that must run, and how to install it.
struct Tool {
    name: &'static str,
    probe: Vec<String>,
    hint: &'static str,
}

pub(super) fn step() -> Step {
    Step::check("tools", || {
        let missing: Vec<Tool> = tools().into_iter().filter(|tool| !runs(&tool.probe)).collect();
        for tool in &missing {
            println!("missing: {}\nhint: {}", tool.name, tool.hint);
        }
        if !missing.is_empty() {
            bail!("{} missing; the steps that need them will fail", missing.len());
        }
        Ok(())
    })
}

fn tools() -> Vec<Tool> {
    let tool = |name, probe: &[&str], hint| Tool {
        name,
        probe: probe.iter().map(|&word| word.into()).collect(),
        hint,
    };
    let named =
        |variable: &str, default: &str| std::env::var(variable).unwrap_or_else(|_| default.to_owned());
    vec![
        tool("rustfmt", &["cargo", "fmt", "--version"], "rustup component add rustfmt"),
        tool("clippy", &["cargo", "clippy", "--version"], "rustup component add clippy"),
        // `CC` and `CXX` name the compilers that the C and C++ in dependencies are built with.
        tool("a C compiler", &[&named("CC", "cc"), "--version"], "apt-get install gcc, or similar"),
        tool("a C++ compiler", &[&named("CXX", "c++"), "--version"], "apt-get install g++, or similar"),
        // The commands of the README use `curl` and `jq`, and a test runs these commands.
        tool("curl", &["curl", "--version"], "apt-get install curl, or similar"),
        tool("jq", &["jq", "--version"], "apt-get install jq, or similar"),
        tool("Python 3", &["python3", "--version"], "apt-get install python3, or similar"),
        // Debian's `python3` lacks half of the module.
        tool(
            "Python's venv",
            &["python3", "-c", "import ensurepip, venv"],
            "apt-get install python3-venv, or similar",
        ),
    ]
}

fn runs(probe: &[String]) -> bool {
    let [program, arguments @ ..] = probe else {
        return false;
    };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
