//! `clipia health`: which server it asks, and how it ends.

use crate::support::{Options, Server, command, output, output_on_terminal};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

/// The command, with a proxy that nobody is at.
fn health(arguments: &[&str]) -> Command {
    let mut command = command(&[&["health"], arguments].concat());
    command.env("HTTP_PROXY", "http://127.0.0.1:1").env("http_proxy", "http://127.0.0.1:1");
    command
}

/// The exit code, stdout and stderr.
fn ended(command: &mut Command) -> (i32, String, String) {
    let output = output(command);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn in_directory(data: &Path) -> Command {
    let mut command = health(&[]);
    // As the container has it.
    command.env("CLIPIA_SERVE_DATA", data);
    command
}

#[test]
fn a_server_is_found_by_its_directory_and_by_its_url() {
    let server = Server::start(Options::default());
    let (code, stdout, stderr) = ended(&mut in_directory(server.data()));
    let printed: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert_eq!(printed, json!({ "url": server.admin_url, "ready": true, "says": "ok" }));
    let shown = output_on_terminal(&mut in_directory(server.data()));
    assert_eq!(String::from_utf8(shown.stdout).unwrap(), "ok\n");

    for url in [server.url.clone(), format!("{}/", server.url)] {
        let (code, stdout, stderr) = ended(command(&["health"]).env("CLIPIA_BASE_URL", &url));
        assert_eq!((code, stdout.contains("\"ready\": true")), (0, true), "{url}: {stderr}");
    }
    let (code, _, stderr) = ended(&mut health(&["--base-url", "queue.example"]));
    assert_eq!(code, 2, "{stderr}");
}

#[test]
fn a_server_that_hangs_or_is_gone_is_not_ready() {
    let mut server = Server::start(Options::default());
    server.signal(Signal::STOP);
    let hanging = ended(in_directory(server.data()).args(["--timeout", "200ms"]));
    server.signal(Signal::CONT);
    assert_eq!((hanging.0, hanging.1.as_str()), (6, ""));
    assert!(hanging.2.ends_with("did not respond within 200ms\n"), "{}", hanging.2);

    server.kill9();
    let (code, _, stderr) = ended(&mut in_directory(server.data()));
    assert_eq!(code, 6);
    assert!(stderr.contains("cannot be reached: Connection refused"), "{stderr}");
    let (code, _, stderr) = ended(&mut in_directory(Path::new("/none")));
    assert_eq!(code, 6);
    assert!(stderr.contains("no server runs on `/none`") && stderr.contains("hint: "), "{stderr}");
}

#[test]
fn a_response_that_is_not_of_a_ready_server_fails() {
    for (response, says) in [
        ("503 Service Unavailable\r\ncontent-length: 9\r\n\r\ndraining\n", "draining"),
        ("404 Not Found\r\ncontent-length: 0\r\n\r\n", "`/readyz` responded with 404 Not Found"),
        ("302 Found\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n", "`/readyz` responded with 302 Found"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let served = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap();
            assert!(request[..read].starts_with(b"GET /readyz HTTP/1.1\r\n"));
            stream.write_all(format!("HTTP/1.1 {response}").as_bytes()).unwrap();
        });
        let (code, stdout, stderr) = ended(&mut command(&["health", "--base-url", &url]));
        served.join().unwrap();
        let printed: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!((code, &printed), (6, &json!({ "url": url, "ready": false, "says": says })));
        assert_eq!(stderr, format!("error: the server at {url} is not ready: {says}\n"));
    }
}
