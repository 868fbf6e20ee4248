//! Tokens of workers on other machines: an operator creates them, and takes them back.

use crate::program::hold;
use crate::support::{Options, Server, command, output_on_terminal};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_creates_a_worker_makes_it_quiet_and_revokes_it() {
    let mut server = Server::start(Options::default());
    let run = |server: &Server, arguments: &[&str]| {
        let ran = output_on_terminal(command(arguments).arg("--data").arg(server.data()));
        let text = [ran.stdout, ran.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
        format!("$ clipia {}\n{text}--- exit code {}\n", arguments.join(" "), ran.status.code().unwrap())
    };
    let mut all = run(&server, &["workers", "list"]);
    all += &run(&server, &["workers", "create", "gpu-box-1", "--executors", "render"]);
    all += &run(&server, &["workers", "create", "gpu-box-1", "--executors", "render"]);
    all += &run(&server, &["workers", "create", "gpu box", "--executors", "render"]);
    all += &run(&server, &["workers", "create", "gpu-box-2", "--executors", "render,gpu"]);
    all += &run(&server, &["workers", "list"]);
    all += &run(&server, &["workers", "quiet", "gpu-box-1"]);
    // The store keeps all of it.
    server.kill9();
    server.restart();
    all += &run(&server, &["workers", "list"]);
    all += &run(&server, &["workers", "list", "--json"]);
    all += &run(&server, &["workers", "resume", "gpu-box-1"]);
    all += &run(&server, &["workers", "revoke", "gpu-box-1"]);
    all += &run(&server, &["workers", "revoke", "gpu-box-1"]);
    all += &run(&server, &["workers", "quiet", "gpu-box-2"]);
    all += &run(&server, &["workers", "list"]);
    all += &run(&server, &["audit"]);
    assert_eq!(server.administer(&["doctor"])["violation"], Value::Null);
    hold("program_workers", &all);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_a_worker_is_shown_once_and_kept_nowhere() {
    let server = Server::start(Options::default());
    let made = server.administer(&["workers", "create", "box", "--executors", "render,render"]);
    let token = made["token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("clipia_worker_"), "{made}");
    assert_eq!((&made["name"], &made["executors"]), (&json!("box"), &json!(["render"])));
    let listed = server.administer(&["workers", "list"]);
    assert_eq!(listed[0]["hint"], format!("clipia_worker_…{}", &token[token.len() - 4..]));
    for shown in [&listed, &server.administer(&["audit"])] {
        assert!(!shown.to_string().contains(&token));
    }
    let holds = |bytes: Vec<u8>| bytes.windows(token.len()).any(|window| window == token.as_bytes());
    for file in std::fs::read_dir(server.data()).unwrap() {
        let path = file.unwrap().path();
        assert!(!path.is_file() || !holds(std::fs::read(&path).unwrap()), "{}", path.display());
    }
    assert!(!server.log().contains(&token));
}
