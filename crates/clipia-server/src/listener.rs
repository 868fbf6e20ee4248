//! Takes connections, and holds what a client may take of the server before anybody knows who it is.
//!
//! HTTP/1.1 only: each bound below is a connection's, and a proxy that takes the TLS off speaks it by default. A client that
//! sends or reads slowly holds one connection and nothing else, and loses it when others need the room.

use crate::metrics::Metrics;
use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use http::{Request, Response};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// What the clients of a listener may take together, and each of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Connections at the same time. Where there are so many, one that has asked nothing makes room for a new one.
    pub(crate) connections: usize,
    /// How long the head of a request may take from the moment the connection is free for it. So it is also how long a
    /// connection is kept that nothing is asked on.
    pub(crate) head: Duration,
    /// The longest head, in bytes.
    pub(crate) head_bytes: usize,
    /// How long a client may take nothing of an answer.
    pub(crate) stall: Duration,
}

impl Bounds {
    /// Of the API: more than the SDK's clients of a busy day, less than what a gigabyte and a common limit of open files
    /// hold. The times are those of slow mobile links, many times over.
    pub(crate) const API: Self = Self {
        connections: 4_096,
        head: Duration::from_secs(30),
        head_bytes: 64 * 1024,
        stall: Duration::from_secs(30),
    };

    /// Of the administration: a few commands, a scraper and an orchestrator's probes.
    pub(crate) const ADMINISTRATION: Self = Self { connections: 64, ..Self::API };
}

/// How long a head may still arrive once the server stops.
const LAST_HEAD: Duration = Duration::from_secs(1);

/// The pause where the system gives no connection, as when too many files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop`; the calls under way are answered first.
pub(crate) async fn serve(
    listener: Arc<TcpListener>,
    router: Router,
    bounds: Bounds,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) {
    let connections = Arc::new(Connections::new(bounds.connections, metrics));
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot take a connection");
                connections.make_room();
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let place = tokio::select! {
            () = stop.cancelled() => break,
            place = connections.place() => place,
        };
        let slot = Slot::new(&connections);
        tasks.spawn(speak(stream, router.clone(), bounds, slot, place, stop.clone()));
    }
    drop(listener);
    tasks.close();
    if tokio::time::timeout(LAST_HEAD, tasks.wait()).await.is_err() {
        while connections.make_room() {}
        tasks.wait().await;
    }
}

/// Speaks with one client until it or the server has had enough.
async fn speak(
    stream: TcpStream,
    router: Router,
    bounds: Bounds,
    slot: Arc<Slot>,
    _place: OwnedSemaphorePermit,
    stop: CancellationToken,
) {
    // Small answers go out at once, not when the kernel has gathered more.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(bounds.stall));
    let answering = Arc::clone(&slot);
    let service = service_fn(move |request: Request<Incoming>| {
        let busy = answering.busy();
        let answer = router.clone().oneshot(request.map(Body::new));
        async move {
            let response: Result<Response<Body>, Infallible> = answer.await;
            response.map(|response| response.map(|body| Answer { body, _busy: busy }))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head)
        // Who has said all may close that side. Otherwise each call that waits reads on, to see whether the client is there.
        .half_close(true)
        .max_buf_size(bounds.head_bytes)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    let mut connection = pin!(connection);
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::trace!(%error, "a connection broke off");
                }
                return;
            }
            () = slot.standing.evicted.cancelled() => return,
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// The connections of a listener.
struct Connections {
    places: Arc<Semaphore>,
    open: Mutex<HashMap<u64, Arc<Standing>>>,
    /// The latest number of a connection, and of a time that one began to wait.
    last: AtomicU64,
    /// How many seek a place.
    seekers: AtomicUsize,
    /// Says to them that a connection waits that did not.
    waits: Notify,
    metrics: Arc<Metrics>,
}

/// Whether a connection may be closed.
struct Standing {
    /// Rises with the time at which it began that nothing is asked on it; zero while something is.
    waits: AtomicU64,
    evicted: CancellationToken,
}

impl Connections {
    fn new(most: usize, metrics: Arc<Metrics>) -> Self {
        Self {
            places: Arc::new(Semaphore::new(most)),
            open: Mutex::default(),
            last: AtomicU64::new(0),
            seekers: AtomicUsize::new(0),
            waits: Notify::new(),
            metrics,
        }
    }

    /// A place for a connection. Where there is none, the one that has waited longest is closed, which costs its client a
    /// new connection at most; only calls under way are waited for.
    async fn place(&self) -> OwnedSemaphorePermit {
        loop {
            if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                return place;
            }
            self.seekers.fetch_add(1, Ordering::SeqCst);
            let _seeks = Seeks(&self.seekers);
            self.make_room();
            tokio::select! {
                // The semaphore is never closed.
                Ok(place) = Arc::clone(&self.places).acquire_owned() => return place,
                () = self.waits.notified() => {}
            }
        }
    }

    /// Closes the connection that has waited longest, if any waits.
    fn make_room(&self) -> bool {
        let open = self.open();
        loop {
            let waiting = open.values().map(|one| (one.waits.load(Ordering::SeqCst), one));
            let Some((since, first)) =
                waiting.filter(|(since, _)| *since > 0).min_by_key(|(since, _)| *since)
            else {
                return false;
            };
            // It may have been asked something meanwhile.
            if first.waits.compare_exchange(since, 0, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                first.evicted.cancel();
                self.metrics.connections_evicted.inc();
                return true;
            }
        }
    }

    fn next(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Arc<Standing>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody seeks a place, as long as this is there.
struct Seeks<'a>(&'a AtomicUsize);

impl Drop for Seeks<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A connection among the others. What each call does here takes no lock.
struct Slot {
    connections: Arc<Connections>,
    number: u64,
    standing: Arc<Standing>,
}

impl Slot {
    fn new(connections: &Arc<Connections>) -> Arc<Self> {
        connections.metrics.connections.inc();
        let standing = Arc::new(Standing { waits: AtomicU64::new(0), evicted: CancellationToken::new() });
        let number = connections.next();
        connections.open().insert(number, Arc::clone(&standing));
        let slot = Self { connections: Arc::clone(connections), number, standing };
        slot.wait();
        Arc::new(slot)
    }

    fn wait(&self) {
        self.standing.waits.store(self.connections.next(), Ordering::SeqCst);
        // Either they saw it, or it sees them.
        if self.connections.seekers.load(Ordering::SeqCst) > 0 {
            self.connections.waits.notify_one();
        }
    }

    /// A call is under way until what is returned is dropped.
    fn busy(self: &Arc<Self>) -> Busy {
        self.standing.waits.store(0, Ordering::SeqCst);
        Busy(Arc::clone(self))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.connections.open().remove(&self.number);
        self.connections.metrics.connections.dec();
    }
}

/// A call under way: its connection is not closed for another's sake.
struct Busy(Arc<Slot>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.wait();
    }
}

/// The body of an answer. The call ends with it.
struct Answer {
    body: Body,
    _busy: Busy,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Long enough for a busy machine, and only waited for by a test that fails.
    const DEADLINE: Duration = Duration::from_secs(30);

    const BOUNDS: Bounds = Bounds { connections: 8, head: DEADLINE, head_bytes: 8_192, stall: DEADLINE };

    /// A listener with a quick answer, one that comes when it is let, and one of 64 MiB.
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
                .route("/long", get(async || vec![b'a'; 64 * 1024 * 1024]))
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

    async fn reached(is: impl Fn() -> bool) {
        let reached = async {
            while !is() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(DEADLINE, reached).await.expect("it comes to that");
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
        let served = Served::start(Bounds { head: Duration::from_millis(50), ..BOUNDS }).await;
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
        let served = Served::start(Bounds { stall: Duration::from_millis(50), ..BOUNDS }).await;
        let stream = served.send(&ask("/long")).await;
        served.connections(1).await;
        served.connections(0).await;
        drop(stream);
        // Who takes it gets all of it.
        let taken = served.send("GET /long HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
        assert!(rest(taken).await.len() > 64 * 1024 * 1024);
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
}
