//! What becomes of clients that ask, send or read nothing, and of those beside them.

use super::*;
use axum::body::{Body, Bytes};
use axum::routing::{get, post};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;

/// Long enough for a busy machine, and only waited for by a test that fails.
const DEADLINE: Duration = Duration::from_secs(30);

const BOUNDS: Bounds = Bounds {
    connections: 8,
    spare: 2,
    media: 8,
    head: DEADLINE,
    head_bytes: 8_192,
    stall: DEADLINE,
    pace: 1,
    grace: DEADLINE,
    seek: DEADLINE,
};

const MOMENT: Duration = Duration::from_millis(50);

/// More than the system keeps of an answer.
const LONG_BYTES: usize = 16 * 1024 * 1024;

/// A listener with a quick answer, one that comes when it is let, and a long one.
struct Served {
    address: SocketAddr,
    metrics: Arc<Metrics>,
    release: Arc<Semaphore>,
    held: Arc<AtomicU64>,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
}

impl Served {
    async fn start(bounds: Bounds) -> Self {
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
            .route("/sent", post(async |body: Bytes| body))
            .route(
                "/held",
                get(async move || {
                    entered.fetch_add(1, Ordering::Relaxed);
                    may_end.acquire().await.unwrap().forget();
                    "held"
                }),
            );
        let serving = tokio::spawn(serve(listener, router, bounds, Arc::clone(&metrics), stop.clone()));
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

    /// Waits until so many calls are under way.
    async fn held(&self, wanted: u64) {
        reached(|| self.held.load(Ordering::Relaxed) == wanted).await;
    }
}

/// In pieces, as a file is sent.
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
    tokio::time::timeout(DEADLINE, reached).await.expect("it comes to that");
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

/// What comes until the end of the connection.
async fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset is an end, too.
    let read = stream.read_to_end(&mut bytes);
    let _ = tokio::time::timeout(DEADLINE, read).await.expect("the connection ends");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// An answer on a connection that stays open.
async fn answer(stream: &mut TcpStream, end: &str) -> String {
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
    let served = Served::start(Bounds { head: MOMENT, ..BOUNDS }).await;
    for text in ["", "GET /quick HTTP/1.1\r\nhost: a\r\n", &ask("/quick")] {
        let told = rest(served.send(text).await).await;
        assert_eq!(told.contains("quick"), text.ends_with("\r\n\r\n"), "{text:?}: {told:?}");
    }
    served.connections(0).await;
}

#[tokio::test]
async fn too_long_a_head_is_refused() {
    let served = Served::start(BOUNDS).await;
    let head = format!("GET /quick HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "a".repeat(10_000));
    let told = rest(served.send(&head).await).await;
    assert!(told.starts_with("HTTP/1.1 431 "), "{told}");
}

#[tokio::test]
async fn who_asks_nothing_makes_room_for_who_asks() {
    let served = Served::start(BOUNDS).await;
    let mut kept = served.send(&ask("/quick")).await;
    answer(&mut kept, "quick").await;
    let mut silent = Vec::new();
    for number in 0..10 * BOUNDS.connections {
        silent.push(served.send(["", "GET /quick HTTP/1.1\r\n"][number % 2]).await);
        if number % BOUNDS.connections == 0 {
            assert!(answer(&mut served.send(&ask("/quick")).await, "quick").await.contains("200 OK"));
        }
    }
    // Idle for the longest, it was the first to go.
    assert_eq!(rest(kept).await, "");
    assert!(served.metrics.connections.get() <= 8);
    assert!(served.metrics.connections_evicted.get() >= 72);
}

#[tokio::test]
async fn a_call_under_way_makes_no_room() {
    let served = Served::start(Bounds { connections: 2, ..BOUNDS }).await;
    let mut held = [served.send(&ask("/held")).await, served.send(&ask("/held")).await];
    served.held(2).await;
    let mut third = served.send(&ask("/quick")).await;
    served.release.add_permits(2);
    for stream in &mut held {
        answer(stream, "held").await;
    }
    // The first that asks nothing any more gives its place.
    answer(&mut third, "quick").await;
}

#[tokio::test]
async fn who_has_said_all_may_close_that_side() {
    let served = Served::start(BOUNDS).await;
    let mut stream = served.send(&ask("/held")).await;
    stream.shutdown().await.unwrap();
    served.held(1).await;
    served.release.add_permits(1);
    let told = rest(stream).await;
    assert!(told.ends_with("held"), "{told}");
    served.connections(0).await;
}

#[tokio::test]
async fn who_takes_nothing_of_an_answer_loses_it() {
    let served = Served::start(Bounds { stall: MOMENT, ..BOUNDS }).await;
    let stream = served.send(&ask("/long")).await;
    served.connections(1).await;
    served.connections(0).await;
    drop(stream);
    // Who takes it gets all of it.
    let taken = served.send("GET /long HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(rest(taken).await.len() > LONG_BYTES);
}

#[tokio::test]
async fn a_stop_answers_what_is_under_way_and_waits_for_nobody_else() {
    let served = Served::start(BOUNDS).await;
    let mut kept = served.send(&ask("/quick")).await;
    answer(&mut kept, "quick").await;
    let held = served.send(&ask("/held")).await;
    served.held(1).await;
    let half = served.send("GET /quick HTTP/1.1\r\n").await;
    let silent = served.send("").await;
    served.connections(4).await;
    served.stop.cancel();
    assert_eq!(rest(kept).await, "");
    served.release.add_permits(1);
    assert!(rest(held).await.ends_with("held"));
    assert_eq!((rest(half).await, rest(silent).await), (String::new(), String::new()));
    tokio::time::timeout(DEADLINE, served.serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn whom_the_server_waits_for_within_a_call_makes_room_and_nobody_else() {
    let served = Served::start(Bounds { grace: MOMENT, ..BOUNDS }).await;
    let mut held = served.send(&ask("/held")).await;
    served.held(1).await;
    let half = "POST /sent HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf";
    let mut others = Vec::new();
    for number in 1..BOUNDS.connections {
        others.push(served.send([&ask("/long"), half][number % 2]).await);
    }
    // Each of these needs the place of one of them, and later of one another.
    for _ in 0..2 * BOUNDS.connections {
        let mut asked = served.send(&ask("/quick")).await;
        answer(&mut asked, "quick").await;
        others.push(asked);
    }
    assert!(served.metrics.connections.get() <= 10);
    served.release.add_permits(1);
    answer(&mut held, "held").await;
}

#[tokio::test]
async fn files_take_no_more_than_their_part() {
    let bounds = Bounds { media: 2, connections: 32, ..BOUNDS };
    let served = Served::start(bounds).await;
    let mut unread = Vec::new();
    for _ in 0..2 {
        let mut stream = served.send(&ask("/media/long")).await;
        answer(&mut stream, "a").await;
        unread.push(stream);
    }
    let mut third = served.send(&ask("/media/long")).await;
    let told = answer(&mut third, "}").await;
    assert!(told.starts_with("HTTP/1.1 503 ") && told.contains("\r\nretry-after: 2\r\n"), "{told}");
    assert!(told.contains("\"service_unavailable\""), "{told}");
    assert_eq!(served.metrics.calls_refused.get(), 1);
    third.write_all(ask("/quick").as_bytes()).await.unwrap();
    answer(&mut third, "quick").await;
    // Once they have not read for a while, the first of them gives its room.
    let served = Served::start(Bounds { grace: MOMENT, ..bounds }).await;
    let taken = "GET /media/long HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let _unread = [served.send(&ask("/media/long")).await, served.send(&ask("/media/long")).await];
    served.connections(2).await;
    let whole = async { while rest(served.send(taken).await).await.len() < LONG_BYTES {} };
    tokio::time::timeout(DEADLINE, whole).await.unwrap();
    assert_eq!(served.metrics.connections_evicted.get(), 1);
}

#[tokio::test]
async fn health_is_answered_where_every_place_is_taken() {
    let served = Served::start(Bounds { connections: 2, seek: 2 * MOMENT, ..BOUNDS }).await;
    let mut held = [served.send(&ask("/held")).await, served.send(&ask("/held")).await];
    served.held(2).await;
    // They ask nothing, and keep the spare places from nobody.
    let mut silent = Vec::new();
    for _ in 0..5 {
        silent.push(served.send("").await);
    }
    for _ in 0..5 {
        let told = rest(served.send(&ask("/readyz")).await).await;
        assert!(told.starts_with("HTTP/1.1 200 ") && told.ends_with("ready"), "{told}");
    }
    // Any other call waits for a place, and is told where there is none in time.
    let told = rest(served.send(&ask("/quick")).await).await;
    assert!(told.starts_with("HTTP/1.1 503 ") && told.contains("\r\nretry-after: 2\r\n"), "{told}");
    assert!(told.contains("\r\nconnection: close\r\n"), "{told}");
    served.release.add_permits(2);
    for stream in &mut held {
        answer(stream, "held").await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_address_with_more_than_its_share_loses_before_others() {
    let served = Served::start(Bounds { connections: 16, ..BOUNDS }).await;
    let mut quiet = from([127, 0, 0, 2], served.address, &ask("/quick")).await;
    answer(&mut quiet, "quick").await;
    let mut greedy = Vec::new();
    for _ in 0..40 {
        greedy.push(from([127, 0, 0, 3], served.address, "").await);
    }
    reached(|| served.metrics.connections_evicted.get() >= 25).await;
    // Idle for longer than any of them.
    quiet.write_all(ask("/quick").as_bytes()).await.unwrap();
    answer(&mut quiet, "quick").await;
}

#[test]
fn a_peer_is_an_address_or_a_network_of_ipv6() {
    let peer = |text: &str| places::Peer::from(text.parse::<std::net::IpAddr>().unwrap());
    assert_eq!(peer("::ffff:192.0.2.1"), peer("192.0.2.1"));
    assert_ne!(peer("192.0.2.2"), peer("192.0.2.1"));
    assert_eq!(peer("2001:db8:1:2:3::4"), peer("2001:db8:1:2::"));
    assert_ne!(peer("2001:db8:1:2::"), peer("2001:db8:1:3::"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_read_at_a_least_pace() {
    // What a client takes at once, how often, and whether it gets all.
    for (bytes, every, gets_all) in [
        (1, Duration::from_secs(29), false),
        (1_024, Duration::from_secs(1), false),
        (5 * 1_024, Duration::from_secs(1), true),
        // In lumps, as the system tells of what it has sent.
        (100 * 1_024, Duration::from_secs(20), true),
        (100 * 1_024, Duration::from_secs(31), false),
    ] {
        let places = Arc::new(Places::new(Bounds::API, Arc::default()));
        let slot = Slot::new(
            &places,
            places::Peer::from(std::net::IpAddr::from([127, 0, 0, 1])),
            places::Place::None,
        );
        let (server, mut client) = tokio::io::duplex(100 * 1_024);
        let mut server = pace::Paced::new(server, slot, &Bounds::API);
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
