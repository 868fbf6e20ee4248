//! The commands of the client: what they keep between calls, wait for, save, and show to people.

use crate::support::{Options, Server, command, output, output_on_terminal};
use serde_json::{Value, json};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A command that keeps its profiles below `home`.
fn at_home(home: &Path, arguments: &[&str]) -> Command {
    let mut command = command(arguments);
    command.env("XDG_CONFIG_HOME", home).current_dir(home);
    command
}

fn with_stdin(mut command: Command, said: &str) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(said.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn texts(output: &Output) -> (String, String) {
    (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// A shell that only reads.
fn bash_n() -> Command {
    let mut bash = Command::new("bash");
    bash.arg("-n");
    bash
}

/// The output of the command, which must end with this exit code.
fn ended(mut command: Command, code: i32) -> (String, String) {
    let ended = output(&mut command);
    let (stdout, stderr) = texts(&ended);
    assert_eq!(ended.status.code(), Some(code), "{command:?}: {stdout}{stderr}");
    (stdout, stderr)
}

#[test]
fn a_login_serves_the_commands_that_follow_and_only_its_own_server() {
    let (server, other) = (Server::start(Options::default()), Server::start(Options::default()));
    let home = tempfile::tempdir().unwrap();
    let at_home = |arguments: &[&str]| at_home(home.path(), arguments);
    // A key that the server does not know is not kept.
    let wrong = with_stdin(at_home(&["login", "--base-url", &server.url]), "clipia_live_0123456789abk3Qz\n");
    assert_eq!(wrong.status.code(), Some(3), "{wrong:?}");
    assert!(!home.path().join("clipia").exists());

    let login = with_stdin(at_home(&["login", "--base-url", &server.url]), &format!("{}\n", server.live_key));
    let (kept, said) = texts(&login);
    assert!(login.status.success(), "{said}");
    assert!(!kept.contains(&server.live_key) && !said.contains(&server.live_key), "{kept}{said}");
    let kept: Value = serde_json::from_str(&kept).unwrap();
    assert_eq!((&kept["base_url"], &kept["key_kept_in"]), (&json!(server.url), &json!("file")));
    let file = home.path().join("clipia/profiles.json");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let account: Value = serde_json::from_str(&ended(at_home(&["account"]), 0).0).unwrap();
    assert_eq!(account["balance"]["credits"], 10_000);

    // The key never goes to another server.
    let mut elsewhere = at_home(&["account"]);
    elsewhere.env("CLIPIA_BASE_URL", &other.url);
    assert!(ended(elsewhere, 2).1.contains("no API key"));
    let mut named = at_home(&["account", "--profile", "default"]);
    named.env("CLIPIA_BASE_URL", &other.url);
    assert!(ended(named, 2).1.contains("the key of the profile is not for"));
    // The environment is used in place of the profile, unless the profile is named.
    let mut variables = at_home(&["account"]);
    variables.env("CLIPIA_BASE_URL", &other.url).env("CLIPIA_KEY", &other.live_key);
    ended(variables, 0);

    let said = ended(at_home(&["account", "--profile", "work"]), 2).1;
    assert!(said.contains("no profile `work`") && said.contains("clipia login --profile work"), "{said}");
    let second = ["login", "--profile", "work", "--base-url", &other.url, "--key", &other.test_key];
    ended(at_home(&second), 0);
    ended(at_home(&["account", "--profile", "work"]), 0);
    let listed: Value = serde_json::from_str(&ended(at_home(&["profiles"]), 0).0).unwrap();
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|profile| profile["profile"].clone()).collect();
    assert_eq!(names, ["default", "work"]);

    ended(at_home(&["logout"]), 0);
    let said = ended(at_home(&["account"]), 2).1;
    assert!(said.contains("clipia login"), "{said}");
    assert!(!std::fs::read_to_string(&file).unwrap().contains(&server.live_key));
    ended(at_home(&["logout"]), 2);
}

#[test]
fn commands_beside_a_dev_server_need_no_key() {
    let server = Server::start(Options::default());
    let home = tempfile::tempdir().unwrap();
    symlink(server.data(), home.path().join("clipia-data")).unwrap();
    let kept = server.data().join("dev-client.json");
    assert_eq!(std::fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    let (account, said) = ended(at_home(home.path(), &["account"]), 0);
    assert!(account.contains("10000") && said.contains(&server.url), "{account}{said}");
    // A command that names a server calls that one.
    let elsewhere = ["account", "--base-url", "http://127.0.0.1:1"];
    ended(at_home(home.path(), &elsewhere), 2);
    drop(server);
    let said = ended(at_home(home.path(), &["account"]), 2).1;
    assert!(said.contains("no API key"), "{said}");

    let server = Server::start(Options { dev: false, ..Options::default() });
    assert!(!server.data().join("dev-client.json").exists(), "only a server for development keeps its key");
}

#[test]
fn generations_are_waited_for_saved_and_canceled_by_their_ids() {
    let server = Server::start(Options::default());
    let home = tempfile::tempdir().unwrap();
    let data = server.data().to_str().unwrap().to_owned();
    let client = |arguments: &[&str]| {
        let mut command = at_home(home.path(), arguments);
        command.env("CLIPIA_KEY", &server.live_key).env("CLIPIA_BASE_URL", &server.url);
        command
    };
    let submit = || {
        let fox = ["generate", "nano-banana-2", "-p", "fox", "--set", "resolution=0.5K"];
        let submitted: Value = serde_json::from_str(&ended(client(&fox), 0).0).unwrap();
        submitted["request_id"].as_str().unwrap().to_owned()
    };
    let (first, second) = (submit(), submit());
    let (_, said) = ended(client(&["wait", &first, &second, "-o", "out"]), 0);
    assert_eq!(said.matches("saved out/").count(), 2, "{said}");
    assert_eq!(std::fs::read_dir(home.path().join("out")).unwrap().count(), 2);
    let (result, said) = ended(client(&["result", &first, "-o", "again"]), 0);
    assert!(result.contains("COMPLETED") && said.contains("saved again/"), "{result}{said}");

    let listed: Value =
        serde_json::from_str(&ended(client(&["queues", "list", "--data", &data]), 0).0).unwrap();
    for queue in listed.as_array().unwrap() {
        ended(client(&["queues", "pause", queue["queue"].as_str().unwrap(), "--data", &data]), 0);
    }
    let waiting = submit();
    let (_, said) = ended(client(&["wait", &waiting, "--timeout", "1s"]), 5);
    assert!(said.contains(&waiting), "{said}");
    ended(client(&["result", &waiting, "-o", "out"]), 5);
    let (canceled, _) = ended(client(&["cancel", &waiting, "--data", &data]), 0);
    assert!(canceled.contains(&waiting), "{canceled}");
    let (result, said) = ended(client(&["wait", &waiting]), 4);
    assert!(result.contains("CANCELED"), "{result}{said}");

    let fox = ["generate", "nano-banana-2", "-p", "fox", "--timeout", "1s", "-o", "out"];
    let (_, said) = ended(client(&fox), 5);
    assert!(
        said.contains("gave up") && said.contains("`clipia wait ") && !said.contains("client."),
        "{said}"
    );
    // The first of several that has no output gives the exit code, and the others are still saved.
    ended(client(&["wait", &first, &waiting, "-o", "both"]), 4);
    assert_eq!(std::fs::read_dir(home.path().join("both")).unwrap().count(), 1);
}

#[test]
fn a_misspelt_model_gets_a_suggestion() {
    let server = Server::start(Options::default());
    for arguments in [
        &["generate", "nano-banana2", "-p", "fox"][..],
        &["models", "nano-bananna-2"],
        &["estimate", "nanobanana-2", "-p", "a"],
    ] {
        let mut command = command(arguments);
        command.env("CLIPIA_KEY", &server.live_key).env("CLIPIA_BASE_URL", &server.url);
        let said = ended(command, 3).1;
        assert!(said.contains("did you mean `nano-banana-2`?"), "{said}");
    }
}

#[test]
fn people_read_tables_that_fit_their_terminal() {
    let server = Server::start(Options::default());
    let shown = |arguments: &[&str], colours: bool| {
        let mut command = command(arguments);
        command.env("CLIPIA_KEY", &server.test_key).env("CLIPIA_BASE_URL", &server.url);
        if colours {
            command.env_remove("NO_COLOR");
        }
        String::from_utf8(output_on_terminal(&mut command).stdout).unwrap()
    };
    let models = shown(&["models"], false);
    assert!(models.starts_with("MODEL") && models.contains("nano-banana-2"), "{models}");
    // The terminal of the tests has 100 columns.
    assert!(models.lines().all(|line| line.chars().count() <= 100), "{models}");
    let model = shown(&["models", "nano-banana-2"], false);
    assert!(model.contains("aspect_ratio") && model.contains("required"), "{model}");
    assert!(shown(&["estimate", "nano-banana-2", "-p", "fox"], false).contains(" credits"));
    assert!(shown(&["account"], false).starts_with("account "));
    let fox = ["generate", "nano-banana-2", "-p", "fox", "--wait"];
    let plain = shown(&fox, false);
    assert!(plain.contains("status") && plain.contains("file") && !plain.contains('\u{1b}'), "{plain}");
    assert!(shown(&fox, true).contains("\u{1b}[32mCOMPLETED\u{1b}[0m"));
    assert!(shown(&["account", "--json"], false).starts_with('{'));
}

#[test]
fn completions_and_manual_pages_know_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (script, _) = ended(command(&["completions", shell]), 0);
        for word in ["generate", "webhooks", "max-cost"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
        if shell == "bash" {
            let checked = with_stdin(bash_n(), &script);
            assert!(checked.status.success(), "{checked:?}");
        }
    }
    let directory = tempfile::tempdir().unwrap();
    ended(command(&["man", directory.path().to_str().unwrap()]), 0);
    for page in ["clipia.1", "clipia-generate.1", "clipia-webhooks-send.1"] {
        let page = std::fs::read_to_string(directory.path().join(page)).unwrap();
        assert!(page.contains(".TH clipia"), "{page}");
    }
}
