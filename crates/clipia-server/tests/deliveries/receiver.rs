//! The far side: a receiver that keeps what arrives and answers as told, down to the bytes.

use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long anything may take that must happen.
pub(crate) const DEADLINE: Duration = Duration::from_secs(40);

/// What becomes of a call.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// These bytes, then the end of the connection.
    Bytes(Vec<u8>),
    /// An answer whose body never ends.
    Endless,
    /// The end of the connection.
    Close,
    /// Nothing, for ever.
    Hang,
}

impl Answer {
    /// An answer of this status, more header lines and body.
    pub(crate) fn status(status: u16, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::Bytes(
            format!(
                "HTTP/1.1 {status} \r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
            )
            .into_bytes(),
        )
    }
}

/// One call as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_else(|| panic!("no {name} in {}", self.head))
    }
}

/// Listens on a port of its own until it is dropped.
pub(crate) struct Receiver {
    pub(crate) port: u16,
    answer: Arc<Mutex<Answer>>,
    calls: watch::Sender<Vec<Call>>,
    task: JoinHandle<()>,
}

impl Receiver {
    pub(crate) async fn start(answer: Answer) -> Self {
        Self::at("127.0.0.1:0", answer).await
    }

    pub(crate) async fn at(address: &str, answer: Answer) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (answer, calls) = (Arc::new(Mutex::new(answer)), watch::Sender::new(Vec::new()));
        let task = {
            let (answer, calls) = (Arc::clone(&answer), calls.clone());
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&answer), calls.clone()));
                }
            })
        };
        Self { port, answer, calls, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// What becomes of later calls.
    pub(crate) fn answer(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.borrow().clone()
    }

    /// The calls so far, once there are `count`.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Call> {
        let mut arrived = self.calls.subscribe();
        let enough = timeout(DEADLINE, arrived.wait_for(|calls| calls.len() >= count)).await;
        assert!(enough.is_ok(), "{} of {count} calls arrived", self.calls().len());
        self.calls()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, answer: Arc<Mutex<Answer>>, calls: watch::Sender<Vec<Call>>) {
    let mut bytes = Vec::new();
    let (head, length) = loop {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Some(end) = text.find("\r\n\r\n") {
            let head = text[..end].to_owned();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
            break (head.clone(), length.parse::<usize>().unwrap());
        }
    };
    let mut body = bytes.split_off(head.len() + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let answer = answer.lock().unwrap().clone();
    calls.send_modify(|calls| calls.push(Call { head, body }));
    match answer {
        Answer::Bytes(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Answer::Endless => {
            let _ = stream.write_all(b"HTTP/1.1 200 \r\ntransfer-encoding: chunked\r\n\r\n").await;
            while stream.write_all(b"4\r\nmore\r\n").await.is_ok() {}
        }
        Answer::Close => {}
        Answer::Hang => std::future::pending().await,
    }
}
