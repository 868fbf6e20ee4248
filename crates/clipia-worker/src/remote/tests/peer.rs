//! A peer on a real socket, which answers each call as a test says.

use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// A call as the peer got it.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// The method, and the path with its query.
    pub(super) target: String,
    head: String,
    pub(super) body: Vec<u8>,
}

impl Call {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(super) fn is(&self, target: &str) -> bool {
        self.target.starts_with(target)
    }
}

/// What the peer does with a call.
#[derive(Clone)]
pub(super) enum Answer {
    /// A response with these header lines.
    Says(u16, &'static str, Vec<u8>),
    /// The same after a time.
    Later(Duration, Box<Self>),
    /// No response for ever.
    Hangs,
    /// The connection is closed: the response is lost.
    Lost,
    /// The connection is closed after so many bytes of the body of the response, which announces all of them.
    Cut(u16, String, Vec<u8>, usize),
}

impl Answer {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::Says(status, "content-type: application/json\r\n", body.to_string().into_bytes())
    }

    pub(super) fn ok(body: &Value) -> Self {
        Self::json(200, body)
    }

    pub(super) fn refused(status: u16, message: &str) -> Self {
        Self::json(status, &json!({ "error": { "code": "refused", "message": message } }))
    }

    /// What a proxy says whose server is away.
    pub(super) fn bad_gateway() -> Self {
        Self::Says(502, "content-type: text/html\r\n", b"<html>502 Bad Gateway</html>".to_vec())
    }
}

/// The peer. Its calls are kept.
pub(super) struct Peer {
    pub(super) url: String,
    calls: Arc<Mutex<Vec<Call>>>,
    _serves: AbortOnDropHandle<()>,
}

impl Peer {
    pub(super) async fn start(answer: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> Self {
        Self::that_cuts_at(usize::MAX, answer).await
    }

    /// A peer that closes the connection of a call whose body is longer, after so many bytes of it.
    pub(super) async fn that_cuts_at(
        body_max: usize,
        answer: impl Fn(&Call) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let (kept, answer) = (Arc::clone(&calls), Arc::new(answer));
        let serves = async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                tokio::spawn(async move { serve(stream, body_max, &kept, answer.as_ref()).await });
            }
        };
        Self { url, calls, _serves: AbortOnDropHandle::new(tokio::spawn(serves)) }
    }

    /// The calls of a target so far.
    pub(super) fn calls(&self, target: &str) -> Vec<Call> {
        self.calls.lock().unwrap().iter().filter(|call| call.is(target)).cloned().collect()
    }
}

/// Serves a connection until it is closed.
async fn serve(
    mut stream: TcpStream,
    body_max: usize,
    kept: &Mutex<Vec<Call>>,
    answer: &(dyn Fn(&Call) -> Answer + Send + Sync),
) -> Option<()> {
    loop {
        let call = read(&mut stream, body_max).await?;
        kept.lock().unwrap().push(call.clone());
        let mut answer = answer(&call);
        while let Answer::Later(pause, then) = answer {
            tokio::time::sleep(pause).await;
            answer = *then;
        }
        match answer {
            Answer::Says(status, head, body) => {
                let length = body.len();
                let head = format!("HTTP/1.1 {status} S\r\n{head}content-length: {length}\r\n\r\n");
                stream.write_all(&[head.as_bytes(), &body].concat()).await.ok()?;
            }
            Answer::Cut(status, head, body, at) => {
                let length = body.len();
                let head = format!("HTTP/1.1 {status} S\r\n{head}content-length: {length}\r\n\r\n");
                stream.write_all(&[head.as_bytes(), &body[..at]].concat()).await.ok()?;
                return None;
            }
            Answer::Hangs => std::future::pending().await,
            Answer::Lost | Answer::Later(..) => return None,
        }
    }
}

async fn read(stream: &mut TcpStream, body_max: usize) -> Option<Call> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let mut body = bytes.split_off(end);
    let head = String::from_utf8(bytes).unwrap();
    let target = head.split(" HTTP/").next().unwrap().to_owned();
    let mut call = Call { target, head, body: Vec::new() };
    let length = call.header("content-length").map_or(0, |length| length.parse::<usize>().unwrap());
    while body.len() < length {
        if body.len() > body_max || stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    call.body = body;
    Some(call)
}
