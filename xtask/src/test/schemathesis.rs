//! Schemathesis, which compares a running server with `spec/openapi.yaml`. Its settings are in `spec/schemathesis.toml`.

use super::step::{Step, succeed};
use super::{program, target};
use crate::serve::{self, Serving};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::cell::RefCell;
use std::path::Path;
use std::process::Command;

/// The step that runs the command `schemathesis`.
pub(super) fn step(root: &Path, schemathesis: Command) -> Step {
    let (root, schemathesis) = (root.to_path_buf(), RefCell::new(schemathesis));
    Step::check("schemathesis", move || run(&root, &mut schemathesis.borrow_mut()))
}

fn run(root: &Path, schemathesis: &mut Command) -> Result<()> {
    let program = program(root);
    let place = target(root).join("schemathesis");
    // The directory of the last run.
    let _ = std::fs::remove_dir_all(&place);
    std::fs::create_dir_all(&place)?;
    let mut command = serve::command(&program, &place.join("data"));
    command.args(["--credits", "1000000000"]).env("RUST_LOG", "warn");
    let serving = Serving::spawn(command)?;
    let ready = serving.ready()?;
    let key = ready.secrets.context("the first start made no keys")?.live_key;
    let submitted = submit(&program, &ready.url, &key)?;
    let spec = root.join("spec");
    schemathesis.arg("--config-file").arg(spec.join("schemathesis.toml"));
    schemathesis.arg("run").arg(spec.join("openapi.yaml")).args(["--url", &ready.url, "--no-color"]);
    schemathesis.args(["--checks", "all", "--continue-on-failure"]);
    schemathesis.env("CLIPIA_KEY", key).env("REQUEST_ID", submitted).current_dir(&place);
    succeed(schemathesis)
}

/// Submits a generation, and returns its request id.
fn submit(program: &Path, url: &str, key: &str) -> Result<String> {
    let mut generate = Command::new(program);
    generate.args(["generate", "gemini-3-1-flash-tts", "--set", "prompt=fox"]);
    let output = generate.env("CLIPIA_BASE_URL", url).env("CLIPIA_KEY", key).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let submitted: Value = serde_json::from_slice(&output.stdout)?;
    let id = submitted["request_id"].as_str().context("the response to the submit has no id")?;
    Ok(id.to_owned())
}
