//! The noisy account, on a thread of its own, so that its work does not delay the measurement.

use anyhow::{Context, Result, anyhow};
use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use futures_util::future::{pending, try_join_all};
use futures_util::stream;
use reqwest::{Body, Client, Response};
use serde_json::{Value, json};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio::time::sleep;
use uuid::Uuid;

/// The number of keys of each kind.
pub(super) const KEYS: usize = 4;

/// The number of generations whose image never arrives.
const HANGING: usize = 80;

/// The time between two submits with a webhook, or two unread files.
const EVERY: Duration = Duration::from_millis(10);

/// The response time of slow receivers, just below the time limit of a delivery.
const SLOW: Duration = Duration::from_secs(9);

/// The number of connections that send bodies, and the pause of each after a body.
const SENDING: usize = 4;
const REST: Duration = Duration::from_millis(400);

/// The largest body that a server accepts.
const BODY_BYTES: usize = 6 * 1024 * 1024;

/// The address of the unread sockets. The server shares its places for files by address, and the quiet account has another.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

const PIECE_BYTES: usize = 16 * 1024;

const PICTURE: &str = "/v1/models/nano-banana-2";
const CLIP: &str = "/v1/models/seedance-2-fast-i2v";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Noise {
    SlowImages,
    SilentNames,
    SlowReceivers,
    Bodies,
    UnreadMedia,
    Nobody,
}

/// The account's keys.
#[derive(Clone, Default)]
pub(super) struct Keys {
    pub(super) live: Vec<String>,
    pub(super) test: Vec<String>,
}

/// A noise that continues until [`Neighbour::end`].
pub(super) struct Neighbour {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Result<()>>,
    did: Arc<AtomicUsize>,
}

impl Neighbour {
    /// Ends the noise, and returns how much it did.
    pub(super) fn end(self) -> Result<usize> {
        // A noise that failed has ended already.
        let _ = self.stop.send(());
        self.thread.join().map_err(|_| anyhow!("the noise panicked"))??;
        Ok(self.did.load(Ordering::Relaxed))
    }
}

#[derive(Clone)]
struct Noisy {
    url: String,
    keys: Keys,
    http: Client,
    did: Arc<AtomicUsize>,
}

impl Noise {
    pub(super) const ALL: [Self; 6] = [
        Self::SlowImages,
        Self::SilentNames,
        Self::SlowReceivers,
        Self::Bodies,
        Self::UnreadMedia,
        Self::Nobody,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SlowImages => "slow image hosts",
            Self::SilentNames => "silent DNS",
            Self::SlowReceivers => "slow receivers",
            Self::Bodies => "6 MiB bodies",
            Self::UnreadMedia => "unread media",
            Self::Nobody => "nobody",
        }
    }

    /// What the noise counts.
    pub(super) fn counted(self) -> &'static str {
        match self {
            Self::SlowImages => "generations",
            Self::SilentNames | Self::SlowReceivers => "webhooks",
            Self::Bodies => "bodies",
            Self::UnreadMedia => "sockets",
            Self::Nobody => "calls",
        }
    }

    /// Starts the noise on the server at `url`, once the samples of the sandbox are drawn: all accounts share them.
    pub(super) async fn begin(self, url: &str, keys: Keys) -> Result<Neighbour> {
        let did = Arc::new(AtomicUsize::new(0));
        let noisy = Noisy { url: url.to_owned(), keys, http: Client::new(), did: Arc::clone(&did) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let ((stop, stopped), (report, begun)) = (oneshot::channel(), oneshot::channel());
        let thread = std::thread::spawn(move || {
            give_way();
            let noise = async {
                noisy.samples().await?;
                let _ = report.send(());
                noisy.make(self).await
            };
            runtime.block_on(async {
                tokio::select! {
                    made = noise => made.context("the noise"),
                    _ = stopped => Ok(()),
                }
            })
        });
        // If the noise has failed by now, `end` returns the error.
        let _ = begun.await;
        Ok(Neighbour { stop, thread, did })
    }
}

impl Noisy {
    /// Lets the server draw the samples.
    async fn samples(&self) -> Result<()> {
        let body = json!({ "input": { "prompt": "fox", "image_url": "data:image/png;base64,AAAA" } });
        for model in [PICTURE, CLIP] {
            self.submit(&self.keys.test[0], model, body.to_string()).await?.error_for_status()?;
        }
        Ok(())
    }

    /// Makes the noise for ever.
    async fn make(&self, noise: Noise) -> Result<()> {
        match noise {
            Noise::SlowImages => self.slow_images().await,
            Noise::SilentNames => {
                self.webhooks(|| format!("http://{}.silent.example/", Uuid::new_v4())).await
            }
            Noise::SlowReceivers => {
                let receiver = slow_receiver().await?;
                self.webhooks(|| receiver.clone()).await
            }
            Noise::Bodies => {
                try_join_all((0..SENDING).map(|number| self.bodies(number))).await?;
                Ok(())
            }
            Noise::UnreadMedia => self.unread_media().await,
            Noise::Nobody => pending().await,
        }
    }

    async fn submit(&self, key: &str, model: &str, body: impl Into<Body>) -> Result<Response> {
        let request = self.http.post(format!("{}{model}", self.url)).bearer_auth(key).body(body);
        let request = request.header("content-type", "application/json");
        Ok(request.header("idempotency-key", Uuid::new_v4().to_string()).send().await?)
    }

    fn did_one(&self) -> usize {
        self.did.fetch_add(1, Ordering::Relaxed)
    }

    /// Generations whose images a host never sends.
    async fn slow_images(&self) -> Result<()> {
        let host = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let image = format!("http://{}/fox.png", host.local_addr()?);
        let body = json!({ "input": { "prompt": "fox", "image_url": image } }).to_string();
        let submits = async {
            for key in self.keys.live.iter().cycle().take(HANGING) {
                self.submit(key, CLIP, body.clone()).await?.error_for_status()?;
                self.did_one();
            }
            anyhow::Ok(())
        };
        let hold = async {
            let mut held = Vec::new();
            while let Ok(connection) = host.accept().await {
                held.push(connection);
            }
        };
        tokio::join!(submits, hold).0
    }

    /// Sandbox generations with these webhooks. They end at once.
    async fn webhooks(&self, webhook: impl Fn() -> String) -> Result<()> {
        for key in self.keys.test.iter().cycle() {
            let body = json!({ "input": { "prompt": "fox" }, "webhook_url": webhook() });
            self.submit(key, PICTURE, body.to_string()).await?.error_for_status()?;
            self.did_one();
            sleep(EVERY).await;
        }
        Ok(())
    }

    /// The largest bodies: some have an image and are accepted, others have as many JSON nodes as fit and are refused.
    async fn bodies(&self, number: usize) -> Result<()> {
        let head = r#"{"input": {"prompt": "fox", "image_url": "data:image/png;base64,"#;
        let image = format!("{head}{}\"}}}}", "A".repeat((BODY_BYTES - head.len() - 3) / 4 * 4));
        let nodes = format!("[{}0]", r#"{"":0},"#.repeat((BODY_BYTES - 3) / 7));
        let key = &self.keys.test[number];
        for body in [image, nodes].map(Bytes::from).iter().cycle() {
            // The response does not matter.
            self.submit(key, CLIP, in_pieces(body)).await?.bytes().await?;
            self.did_one();
            sleep(REST).await;
        }
        Ok(())
    }

    /// Sockets that request a file and do not read it.
    async fn unread_media(&self) -> Result<()> {
        let made = self.submit(&self.keys.test[0], PICTURE, r#"{"input": {"prompt": "fox"}}"#.to_owned());
        let id: Value = made.await?.error_for_status()?.json().await?;
        let id = id["request_id"].as_str().context("no request_id")?;
        let result = self.http.get(format!("{}/v1/requests/{id}", self.url)).bearer_auth(&self.keys.test[0]);
        let result: Value = result.send().await?.error_for_status()?.json().await?;
        // The largest file of the sandbox, which is larger than the buffers of a connection.
        let file = result["output"]["images"][0]["original_url"].as_str().context("no picture")?;
        let path = file.strip_prefix(&self.url).context("media are elsewhere")?;
        let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        let server: SocketAddr = self.url.trim_start_matches("http://").parse()?;
        let mut unread = Vec::new();
        loop {
            let socket = TcpSocket::new_v4()?;
            socket.bind((ELSEWHERE, 0).into())?;
            let mut socket = socket.connect(server).await?;
            socket.write_all(head.as_bytes()).await?;
            unread.push(socket);
            self.did_one();
            sleep(EVERY).await;
        }
    }
}

/// A body in pieces, as a network delivers it. Written at once, it would occupy a core of this machine for milliseconds.
fn in_pieces(body: &Bytes) -> Body {
    let mut left = body.clone();
    let pieces = std::iter::from_fn(move || {
        let piece = left.split_to(PIECE_BYTES.min(left.len()));
        (!piece.is_empty()).then_some(io::Result::Ok(piece))
    });
    Body::wrap_stream(stream::iter(pieces))
}

/// Gives the server and the quiet account the processor first: in reality the noisy account would run on another machine.
/// A low priority is not enough, since such a thread still finishes its time slice of some milliseconds.
fn give_way() {
    #[cfg(target_os = "linux")]
    {
        let thread = rustix::thread::gettid().as_raw_nonzero().to_string();
        // If this fails, the figures get worse, never better.
        let _ = Command::new("chrt").args(["--idle", "--pid", "0", &thread]).status();
    }
}

/// Starts a receiver that responds after [`SLOW`], and returns its URL.
async fn slow_receiver() -> Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}/", listener.local_addr()?);
    let app = Router::new().route(
        "/",
        post(async || {
            sleep(SLOW).await;
            StatusCode::OK
        }),
    );
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(url)
}
