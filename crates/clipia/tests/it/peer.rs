//! The peer: an HTTP/1.1 server on a raw socket, so that it can also break the rules. It is for what the emulator cannot do: bytes that
//! are not HTTP, responses that no server of ours gives, and tests whose clock stands still, since a clock of Tokio jumps while a
//! server elsewhere responds.

use clipia::{Clipia, RequestId, json};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub(crate) const KEY: &str = "clipia_live_0123456789abk3Qz";
pub(crate) const ID: &str = "0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de";

/// The headers of a server without a limit, so that only the policy decides when polls are sent.
pub(crate) const NO_LIMIT: [(&str, &str); 3] =
    [("ratelimit-limit", "4294967295"), ("ratelimit-remaining", "4294967295"), ("ratelimit-reset", "0")];
pub(crate) fn id() -> RequestId {
    ID.into()
}

/// A new id each time.
pub(crate) fn another_id() -> RequestId {
    uuid::Uuid::new_v4().to_string().into()
}

/// A request as it was received.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// The idempotency key of a submit.
pub(crate) fn key_of(seen: &Seen) -> &str {
    &seen.headers["idempotency-key"]
}

/// The reply of the peer to a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Sends these bytes; `true` keeps the connection open.
    Bytes(Vec<u8>, bool),
    /// Sends these bytes, and then hangs.
    Stall(Vec<u8>),
    /// Sends these bytes, then resets the connection.
    Torn(Vec<u8>),
    /// Sends the first bytes, then the second ones again and again.
    Endless(Vec<u8>, Vec<u8>),
    /// Resets the connection without a reply.
    Reset,
    /// Hangs without a reply.
    Hang,
}

/// JSON with this status.
pub(crate) fn json_reply(status: u16, body: Value) -> Reply {
    with_headers(status, &[], body)
}

/// JSON with this status and more headers.
pub(crate) fn with_headers(status: u16, headers: &[(&str, &str)], body: Value) -> Reply {
    let mut all = vec![("content-type", "application/json")];
    all.extend_from_slice(headers);
    body_reply(status, &all, body.to_string().as_bytes())
}

/// A body of any kind, with its true length.
pub(crate) fn body_reply(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let mut head = format!("HTTP/1.1 {status} Whatever\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    Reply::Bytes([head.as_bytes(), b"\r\n", body].concat(), true)
}

/// The same reply, cut after `bytes` bytes of its body.
pub(crate) fn cut(reply: Reply, bytes: usize) -> Reply {
    let (head, body) = parts(reply);
    Reply::Bytes([head, body[..bytes].to_vec()].concat(), false)
}

/// Head and body of a reply.
pub(crate) fn parts(reply: Reply) -> (Vec<u8>, Vec<u8>) {
    let Reply::Bytes(mut all, _) = reply else { panic!("it has no body") };
    let head = all.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let body = all.split_off(head);
    (all, body)
}

/// The same reply, silent after `bytes` bytes of its body.
pub(crate) fn stalled(reply: Reply, bytes: usize) -> Reply {
    let Reply::Bytes(all, _) = cut(reply, bytes) else { panic!("nothing to send") };
    Reply::Stall(all)
}

/// An error envelope.
pub(crate) fn error_reply(status: u16, code: &str, headers: &[(&str, &str)]) -> Reply {
    let error =
        json!({ "error": { "type": "api_error", "code": code, "message": format!("because of {code}") } });
    with_headers(status, headers, error)
}

/// The response to a submit.
pub(crate) fn submitted() -> Reply {
    with_headers(
        200,
        &NO_LIMIT,
        json!({
            "request_id": ID, "status": "IN_QUEUE", "queue_position": 0, "cost": 12,
            "status_url": "x", "response_url": "y",
            "warnings": [{ "code": "unknown_parameter", "parameter": "promt", "message": "not applied" }],
        }),
    )
}

/// The account.
pub(crate) fn account() -> Reply {
    json_reply(200, json!({ "account_id": "acc", "balance": { "credits": 35 }, "plan": "of a newer API" }))
}

/// The status of a generation.
pub(crate) fn state(status: &str, more: Value) -> Reply {
    state_with(200, status, more)
}

/// The status of a generation, with this HTTP status.
pub(crate) fn state_with(http: u16, status: &str, more: Value) -> Reply {
    let mut body = json!({ "request_id": ID, "status": status });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    with_headers(http, &NO_LIMIT, body)
}

/// A running peer. It stops when this is dropped.
pub(crate) struct Peer {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    _serving: JoinSet<()>,
}

impl Peer {
    /// Replies to the n-th request (from 0) with `respond`.
    pub(crate) async fn new(respond: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::resetting(Vec::new(), respond).await
    }

    /// The same, but resets each of the first connections once this many bytes were read.
    pub(crate) async fn resetting(
        after: Vec<usize>,
        respond: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (seen, respond) = (Arc::new(Mutex::new(Vec::new())), Arc::new(respond));
        let mut serving = JoinSet::new();
        let log = Arc::clone(&seen);
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            let mut resets = after.into_iter();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (log, respond, reset) = (Arc::clone(&log), Arc::clone(&respond), resets.next());
                connections.spawn(async move {
                    let _ = match reset {
                        Some(bytes) => break_off(stream, bytes).await,
                        None => serve(stream, &log, &*respond).await,
                    };
                });
            }
        });
        Self { url, seen, _serving: serving }
    }

    /// Replies in this order, with the last reply again and again.
    pub(crate) async fn script(replies: Vec<Reply>) -> Self {
        Self::new(move |n, _| replies[n.min(replies.len() - 1)].clone()).await
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// A client with at most two retries.
    pub(crate) fn client(&self) -> Clipia {
        self.builder().max_retries(2).build().unwrap()
    }

    pub(crate) fn builder(&self) -> clipia::Builder {
        Clipia::builder().key(KEY).base_url(&self.url)
    }
}

async fn break_off(mut stream: TcpStream, bytes: usize) -> std::io::Result<()> {
    stream.read_exact(&mut vec![0; bytes]).await?;
    stream.set_zero_linger()
}

async fn serve(
    stream: TcpStream,
    log: &Mutex<Vec<Seen>>,
    respond: &(impl Fn(usize, &Seen) -> Reply + Send + Sync),
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(seen) = read(&mut stream).await? {
        let number = {
            let mut log = log.lock().unwrap();
            log.push(seen.clone());
            log.len() - 1
        };
        match respond(number, &seen) {
            Reply::Bytes(bytes, keep) => {
                stream.get_mut().write_all(&bytes).await?;
                if !keep {
                    return Ok(());
                }
            }
            Reply::Stall(bytes) => {
                stream.get_mut().write_all(&bytes).await?;
                std::future::pending().await
            }
            Reply::Torn(bytes) => {
                stream.get_mut().write_all(&bytes).await?;
                return stream.get_ref().set_zero_linger();
            }
            Reply::Endless(first, then) => {
                stream.get_mut().write_all(&first).await?;
                loop {
                    stream.get_mut().write_all(&then).await?;
                }
            }
            Reply::Reset => return stream.get_ref().set_zero_linger(),
            Reply::Hang => std::future::pending().await,
        }
    }
    Ok(())
}

async fn read(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<Seen>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some(Seen { method, path, headers, body }))
}
