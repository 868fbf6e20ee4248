//! Clients that hold connections open and send nothing, or slowly, while others are served.

use crate::contract::small_fox;
use crate::support::{DEADLINE, Options, Raw, Server, until};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const FOX: &str = "/v1/models/nano-banana-2";

/// More connections than the server takes at once.
const SILENT: usize = 5_000;

/// The longest time of a healthy call on a busy machine.
const PROMPTLY: Duration = Duration::from_secs(10);

async fn open(server: &Server, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

/// The bytes from the server until it closes the connection.
async fn read_to_end(mut stream: TcpStream) -> String {
    let mut said = Vec::new();
    let _ = timeout(DEADLINE, stream.read_to_end(&mut said)).await.expect("the server ends the connection");
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_silent_connections_shut_nobody_out() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    let server = Server::start(Options::default());
    let mut silent = Vec::new();
    for number in 0..SILENT {
        let text = ["", "G", "GET /v1/models HTTP/1.1\r\nhost: a\r\n", "POST"][number % 4];
        silent.push(open(&server, text).await);
        if number % 500 == 0 {
            let started = Instant::now();
            server.live().get("/v1/models").await.expect(200);
            server.sandbox().post(FOX, &small_fox()).await.expect(200);
            assert!(started.elapsed() < PROMPTLY, "{:?} beside {number}", started.elapsed());
        }
    }
    until("all are taken", async || {
        let metrics = Raw::new(&server.admin_url).get("/metrics").await.expect(200);
        let metrics = String::from_utf8(metrics.body.to_vec()).unwrap();
        let value = |name: &str| -> usize {
            let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("no {name} in {metrics}")).parse().unwrap()
        };
        assert!(value("clipia_connections") <= 4_096, "{metrics}");
        (value("clipia_connections_evicted_total") >= SILENT - 4_096).then_some(())
    })
    .await;
    assert_eq!(read_to_end(silent.remove(0)).await, "", "the first was the first to go");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_a_key_is_refused_before_its_body() {
    let server = Server::start(Options::default());
    let head = format!("POST {FOX} HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n");
    for (header, body) in [("", ""), ("authorization: Bearer clipia_live_wrong\r\n", "{\"input\"")] {
        let started = Instant::now();
        let response = read_to_end(open(&server, &format!("{head}{header}\r\n{body}")).await).await;
        assert!(response.starts_with("HTTP/1.1 401 "), "{response}");
        assert!(started.elapsed() < PROMPTLY, "{:?}", started.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_sent_too_slowly_is_cut_off() {
    let server = Server::start(Options::default());
    let mut stream = open(&server, "GET /v1/models HTTP/1.1\r\nhost: a\r\n").await;
    let started = Instant::now();
    let mut said = [0; 1_024];
    loop {
        let _ = stream.write_all(b"x: a\r\n").await;
        match timeout(Duration::from_millis(500), stream.read(&mut said)).await {
            Err(_) => assert!(started.elapsed() < DEADLINE, "the connection is still open"),
            Ok(Ok(0) | Err(_)) => break,
            Ok(Ok(count)) => panic!("{}", String::from_utf8_lossy(&said[..count])),
        }
    }
    assert!(
        started.elapsed() > PROMPTLY,
        "cut off after {:?}, which a slow link may need",
        started.elapsed()
    );
}
