//! `clipia models check`: what a server would serve with a `models.toml`, and what is wrong with the file.

use crate::program::hold;
use crate::support::{command, output, output_on_terminal};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

const GOOD: &str = r#"
[[executor]]
name = "render"
slots = 2

[[executor]]
name = "gpu"
command = ["sh", "/opt/flux/run", "-p", "{prompt}", "{out}/image.png"]
warm = true
devices = ["0", "1"]

[[model]]
slug = "flux"
executor = "gpu"
type = "image"
pricing = { credits_base = 4, billing_unit = "image", multipliers = { resolution = { "2K" = 2 } } }

[[model.input_schema.parameters]]
name = "prompt"
type = "string"

[[model.input_schema.parameters]]
name = "resolution"
type = "select"
options = ["1K", "2K"]
"#;

const WRONG: &str = r#"
[[executor]]
name = "gpu"
command = "python3 flux.py"
slot = 1

[[executor]]
name = "cpu"
command = ["no-such-program", "{promt}"]

[[model]]
slug = "flux"
executor = "gpus"
type = "image"
pricing = { credits = 4 }
input_schema = { parameters = [{ name = "prompt", type = "string" }] }

[[model]]
slug = "sketch"
executor = "cpu"
type = "image"
pricing = { credit = 4 }
input_schema = { parameters = [{ name = "prompt", type = "strin" }] }
"#;

fn said(run: impl Fn(&mut Command) -> std::process::Output, directory: &Path, arguments: &[&str]) -> String {
    let run = run(command(arguments).current_dir(directory));
    let (stdout, stderr) = (String::from_utf8(run.stdout).unwrap(), String::from_utf8(run.stderr).unwrap());
    let code = run.status.code().unwrap();
    format!("$ clipia {}\n{stdout}--- stderr\n{stderr}--- exit code {code}\n", arguments.join(" "))
}

#[test]
fn the_check_says_what_would_be_served_or_everything_that_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write("good.toml", GOOD);
    write("wrong.toml", WRONG);
    write("broken.toml", "[[model]\nslug = ");
    write("render.toml", "[[executor]]\nname = \"render\"\nslots = 1\n");
    let mut all = String::new();
    for arguments in [
        &["models", "check", "good.toml"][..],
        &["models", "check", "wrong.toml"],
        &["models", "check", "broken.toml"],
        &["models", "check", "none.toml"],
    ] {
        all += &said(output_on_terminal, directory.path(), arguments);
    }
    for arguments in
        [&["models", "check", "render.toml", "--json"][..], &["models", "check", "wrong.toml", "--json"]]
    {
        all += &said(output, directory.path(), arguments);
    }
    hold("models_check", &all);
}

#[test]
fn the_file_of_the_data_directory_is_checked_while_no_server_runs() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("models.toml"), GOOD).unwrap();
    let run = output(command(&["models", "check", "--json", "--data"]).arg(&data));
    let served: Value = serde_json::from_slice(&run.stdout).unwrap();
    let slugs: Vec<&str> =
        served["models"].as_array().unwrap().iter().map(|model| model["slug"].as_str().unwrap()).collect();
    assert!(slugs.contains(&"flux") && slugs.contains(&"nano-banana-2"), "{served}");
    assert_eq!(served["executors"][0]["devices"], serde_json::json!(["0", "1"]));
    let left: Vec<_> = std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["models.toml"], "the check leaves nothing behind");
}
