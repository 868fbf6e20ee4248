//! Tests with clients that are idle or slow, and with other clients beside them.

use super::*;
use axum::body::{Body, Bytes};
use axum::routing::{get, post};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;

/// The longest wait, enough for a busy machine. Only a failing test waits so long.
const DEADLINE: Duration = Duration::from_secs(30);

const LIMITS: Limits = Limits {
    connections: 8,
    spare: 2,
    media: 8,
    head_timeout: DEADLINE,
    head_bytes_max: 8_192,
    stall_max: DEADLINE,
    min_bytes_per_second: 1,
    grace: DEADLINE,
    slot_wait: DEADLINE,
};

const MOMENT: Duration = Duration::from_millis(50);

/// The length of a response that the system does not buffer as a whole.
const LONG_BYTES: usize = 16 * 1024 * 1024;

/// A listener with a quick response, a response that is held until it is released, and a long response.
struct Served {
    address: SocketAddr,
    metrics: Arc<Metrics>,
    release: Arc<Semaphore>,
    held: Arc<AtomicU64>,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
}

impl Served {
    async fn start(limits: Limits) -> Self {
        let listener = Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
        let address = listener.local_addr().unwrap();
        let (metrics, release) = (Arc::<Metrics>::default(), Arc::new(Semaphore::new(0)));
        let stop = CancellationToken::new();
        let (held, may_end) = (Arc::<AtomicU64>::default(), Arc::clone(&release));
        let entered = Arc::clone(&held);
        let router = Router::new()
            .route("/quick", get(async || "quick"))
            .route("/long", get(async || long()))
            .route("/media/long", get(async || long()))
            .route("/readyz", get(async || "ready"))
            .route("/reset", get(async || axum::Extension(Reset)))
            .route("/sent", post(async |body: Bytes| body))
            .route(
                "/held",
                get(async move || {
                    entered.fetch_add(1, Ordering::Relaxed);
                    may_end.acquire().await.unwrap().forget();
                    "held"
                }),
            );
        let serving = tokio::spawn(serve(listener, router, limits, Arc::clone(&metrics), stop.clone()));
        Self { address, metrics, release, held, stop, serving }
    }

    async fn send(&self, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    async fn connections(&self, wanted: i64) {
        reached(|| self.metrics.connections.get() == wanted).await;
    }

    /// Waits until so many responses are held.
    async fn held(&self, wanted: u64) {
        reached(|| self.held.load(Ordering::Relaxed) == wanted).await;
    }
}

/// A long body, in pieces as of a file.
fn long() -> Body {
    static PIECE: [u8; 32 * 1024] = [b'a'; 32 * 1024];
    let pieces = std::iter::repeat_n(Bytes::from_static(&PIECE), LONG_BYTES / PIECE.len());
    Body::from_stream(futures_util::stream::iter(pieces.map(Ok::<_, std::convert::Infallible>)))
}

async fn reached(is: impl Fn() -> bool) {
    let reached = async {
        while !is() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, reached).await.expect("the condition is reached");
}

/// A connection from another address of this machine.
#[cfg(target_os = "linux")]
async fn from(client: [u8; 4], to: SocketAddr, text: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((client, 0).into()).unwrap();
    let mut stream = socket.connect(to).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

fn ask(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")
}

/// All that arrives until the connection ends.
async fn read_to_end(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset counts as an end.
    let read = stream.read_to_end(&mut bytes);
    let _ = tokio::time::timeout(DEADLINE, read).await.expect("the connection ends");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The response on a connection that stays open.
async fn response(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let mut bytes = [0; 1_024];
        let count = tokio::time::timeout(DEADLINE, stream.read(&mut bytes)).await.unwrap().unwrap();
        assert!(count > 0, "the connection ended after {text:?}");
        text += &String::from_utf8_lossy(&bytes[..count]);
    }
    text
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let served = Served::start(Limits { head_timeout: MOMENT, ..LIMITS }).await;
    for sent in ["", "GET /quick HTTP/1.1\r\nhost: a\r\n", &ask("/quick")] {
        let received = read_to_end(served.send(sent).await).await;
        assert_eq!(received.contains("quick"), sent.ends_with("\r\n\r\n"), "{sent:?}: {received:?}");
    }
    served.connections(0).await;
}

#[tokio::test]
async fn too_long_a_head_is_refused() {
    let served = Served::start(LIMITS).await;
    let head = format!("GET /quick HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "a".repeat(10_000));
    let text = read_to_end(served.send(&head).await).await;
    assert!(text.starts_with("HTTP/1.1 431 "), "{text}");
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_favour_of_a_call() {
    let served = Served::start(LIMITS).await;
    let mut kept = served.send(&ask("/quick")).await;
    response(&mut kept, "quick").await;
    let mut silent = Vec::new();
    for number in 0..10 * LIMITS.connections {
        silent.push(served.send(["", "GET /quick HTTP/1.1\r\n"][number % 2]).await);
        if number % LIMITS.connections == 0 {
            assert!(response(&mut served.send(&ask("/quick")).await, "quick").await.contains("200 OK"));
        }
    }
    // This connection was idle for the longest, so it was closed first.
    assert_eq!(read_to_end(kept).await, "");
    assert!(served.metrics.connections.get() <= 8);
    assert!(served.metrics.connections_evicted.get() >= 72);
}

#[tokio::test]
async fn a_connection_with_a_call_under_way_is_not_closed() {
    let served = Served::start(Limits { connections: 2, ..LIMITS }).await;
    let mut held = [served.send(&ask("/held")).await, served.send(&ask("/held")).await];
    served.held(2).await;
    let mut third = served.send(&ask("/quick")).await;
    served.release.add_permits(2);
    for stream in &mut held {
        response(stream, "held").await;
    }
    // The first connection that becomes idle is closed, and frees its slot.
    response(&mut third, "quick").await;
}

#[tokio::test]
async fn a_client_may_close_its_sending_side_after_its_call() {
    let served = Served::start(LIMITS).await;
    let mut stream = served.send(&ask("/held")).await;
    stream.shutdown().await.unwrap();
    served.held(1).await;
    served.release.add_permits(1);
    let text = read_to_end(stream).await;
    assert!(text.ends_with("held"), "{text}");
    served.connections(0).await;
}

#[tokio::test]
async fn a_connection_is_reset_in_place_of_a_response() {
    let served = Served::start(LIMITS).await;
    for before in ["", "GET /quick HTTP/1.1\r\nhost: a\r\n\r\n"] {
        let mut stream = served.send(&format!("{before}GET /reset HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        let mut read = Vec::new();
        let error = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut read)).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        served.connections(0).await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_a_response_loses_its_connection() {
    let served = Served::start(Limits { stall_max: MOMENT, ..LIMITS }).await;
    let stream = served.send(&ask("/long")).await;
    served.connections(1).await;
    served.connections(0).await;
    drop(stream);
    // A client that reads gets the whole response.
    let taken = served.send("GET /long HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(read_to_end(taken).await.len() > LONG_BYTES);
}

#[tokio::test]
async fn a_stop_waits_for_calls_under_way_and_for_nothing_else() {
    let served = Served::start(LIMITS).await;
    let mut kept = served.send(&ask("/quick")).await;
    response(&mut kept, "quick").await;
    let held = served.send(&ask("/held")).await;
    served.held(1).await;
    let half = served.send("GET /quick HTTP/1.1\r\n").await;
    let silent = served.send("").await;
    served.connections(4).await;
    served.stop.cancel();
    assert_eq!(read_to_end(kept).await, "");
    served.release.add_permits(1);
    assert!(read_to_end(held).await.ends_with("held"));
    assert_eq!((read_to_end(half).await, read_to_end(silent).await), (String::new(), String::new()));
    tokio::time::timeout(DEADLINE, served.serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_slow_client_within_a_call_is_replaced_after_the_grace() {
    let served = Served::start(Limits { grace: MOMENT, ..LIMITS }).await;
    let mut held = served.send(&ask("/held")).await;
    served.held(1).await;
    let half = "POST /sent HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf";
    let mut others = Vec::new();
    for number in 1..LIMITS.connections {
        others.push(served.send([&ask("/long"), half][number % 2]).await);
    }
    // Each of these calls needs the slot of a slow client, and later that of another such call.
    for _ in 0..2 * LIMITS.connections {
        let mut asked = served.send(&ask("/quick")).await;
        response(&mut asked, "quick").await;
        others.push(asked);
    }
    assert!(served.metrics.connections.get() <= 10);
    served.release.add_permits(1);
    response(&mut held, "held").await;
}

#[tokio::test]
async fn responses_with_files_are_limited() {
    let limits = Limits { media: 2, connections: 32, ..LIMITS };
    let served = Served::start(limits).await;
    let mut unread = Vec::new();
    for _ in 0..2 {
        let mut stream = served.send(&ask("/media/long")).await;
        response(&mut stream, "a").await;
        unread.push(stream);
    }
    let mut third = served.send(&ask("/media/long")).await;
    let text = response(&mut third, "}").await;
    assert!(text.starts_with("HTTP/1.1 503 ") && text.contains("\r\nretry-after: 2\r\n"), "{text}");
    assert!(text.contains("\"service_unavailable\""), "{text}");
    assert_eq!(served.metrics.calls_refused.get(), 1);
    third.write_all(ask("/quick").as_bytes()).await.unwrap();
    response(&mut third, "quick").await;
    // After the grace, the connection that has not read for longest is closed.
    let served = Served::start(Limits { grace: MOMENT, ..limits }).await;
    let taken = "GET /media/long HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let _unread = [served.send(&ask("/media/long")).await, served.send(&ask("/media/long")).await];
    served.connections(2).await;
    let whole = async { while read_to_end(served.send(taken).await).await.len() < LONG_BYTES {} };
    tokio::time::timeout(DEADLINE, whole).await.unwrap();
    assert_eq!(served.metrics.connections_evicted.get(), 1);
}

#[tokio::test]
async fn health_checks_are_served_while_every_slot_is_taken() {
    let served = Served::start(Limits { connections: 2, slot_wait: 2 * MOMENT, ..LIMITS }).await;
    let mut held = [served.send(&ask("/held")).await, served.send(&ask("/held")).await];
    served.held(2).await;
    // Idle connections in spare slots do not block others.
    let mut silent = Vec::new();
    for _ in 0..5 {
        silent.push(served.send("").await);
    }
    for _ in 0..5 {
        let text = read_to_end(served.send(&ask("/readyz")).await).await;
        assert!(text.starts_with("HTTP/1.1 200 ") && text.ends_with("ready"), "{text}");
    }
    // Any other call waits for a slot, and is refused if none is free in time.
    let text = read_to_end(served.send(&ask("/quick")).await).await;
    assert!(text.starts_with("HTTP/1.1 503 ") && text.contains("\r\nretry-after: 2\r\n"), "{text}");
    assert!(text.contains("\r\nconnection: close\r\n"), "{text}");
    served.release.add_permits(2);
    for stream in &mut held {
        response(stream, "held").await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn connections_of_a_peer_above_its_share_are_closed_first() {
    let served = Served::start(Limits { connections: 16, ..LIMITS }).await;
    let mut quiet = from([127, 0, 0, 2], served.address, &ask("/quick")).await;
    response(&mut quiet, "quick").await;
    let mut greedy = Vec::new();
    for _ in 0..40 {
        greedy.push(from([127, 0, 0, 3], served.address, "").await);
    }
    reached(|| served.metrics.connections_evicted.get() >= 25).await;
    // This connection has been idle for longer than all of those.
    quiet.write_all(ask("/quick").as_bytes()).await.unwrap();
    response(&mut quiet, "quick").await;
}

#[test]
fn a_peer_is_an_address_or_a_network_of_ipv6() {
    let peer = |text: &str| slots::Peer::from(text.parse::<std::net::IpAddr>().unwrap());
    assert_eq!(peer("::ffff:192.0.2.1"), peer("192.0.2.1"));
    assert_ne!(peer("192.0.2.2"), peer("192.0.2.1"));
    assert_eq!(peer("2001:db8:1:2:3::4"), peer("2001:db8:1:2::"));
    assert_ne!(peer("2001:db8:1:2::"), peer("2001:db8:1:3::"));
}

#[tokio::test(start_paused = true)]
async fn a_response_must_be_read_at_a_minimum_rate() {
    // The bytes that a client reads at once, how often it reads, and whether it gets the whole response.
    for (bytes, every, gets_all) in [
        (1, Duration::from_secs(29), false),
        (1_024, Duration::from_secs(1), false),
        (5 * 1_024, Duration::from_secs(1), true),
        // In lumps, as the system reports sent data.
        (100 * 1_024, Duration::from_secs(20), true),
        (100 * 1_024, Duration::from_secs(31), false),
    ] {
        let slots = Arc::new(Slots::new(Limits::API, Arc::default()));
        let connection = Connection::new(
            &slots,
            slots::Peer::from(std::net::IpAddr::from([127, 0, 0, 1])),
            slots::Slot::None,
        );
        let (server, mut client) = tokio::io::duplex(100 * 1_024);
        let mut server = min_rate::MinRate::new(server, connection, &Limits::API);
        let sending = tokio::spawn(async move { server.write_all(&[0; 1024 * 1024]).await });
        let reading = async {
            let mut taken = vec![0; bytes];
            while client.read_exact(&mut taken).await.is_ok() {
                tokio::time::sleep(every).await;
            }
        };
        tokio::join!(reading, async {
            assert_eq!(sending.await.unwrap().is_ok(), gets_all, "{bytes} every {every:?}")
        });
    }
}
