//! A receiver that records calls and responds with given bytes.

use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// The longest wait for an expected event.
pub(crate) const DEADLINE: Duration = Duration::from_secs(40);

/// What a receiver does with a call.
#[derive(Clone, Debug)]
pub(crate) enum Behaviour {
    /// Sends these bytes and closes the connection.
    Bytes(Vec<u8>),
    /// Sends a response whose body never ends.
    Endless,
    /// Closes the connection.
    Close,
    /// Sends nothing.
    Hang,
}

impl Behaviour {
    /// Sends a response with this status, with these further header lines, and with this body.
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

/// A receiver, which listens until it is dropped.
pub(crate) struct Receiver {
    pub(crate) port: u16,
    behaviour: Arc<Mutex<Behaviour>>,
    calls: watch::Sender<Vec<Call>>,
    task: JoinHandle<()>,
}

impl Receiver {
    pub(crate) async fn start(behaviour: Behaviour) -> Self {
        Self::at("127.0.0.1:0", behaviour).await
    }

    pub(crate) async fn at(address: &str, behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (behaviour, calls) = (Arc::new(Mutex::new(behaviour)), watch::Sender::new(Vec::new()));
        let task = {
            let (behaviour, calls) = (Arc::clone(&behaviour), calls.clone());
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&behaviour), calls.clone()));
                }
            })
        };
        Self { port, behaviour, calls, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// Sets what happens to later calls.
    pub(crate) fn set_behaviour(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap() = behaviour;
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

async fn serve(mut stream: TcpStream, behaviour: Arc<Mutex<Behaviour>>, calls: watch::Sender<Vec<Call>>) {
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
    let behaviour = behaviour.lock().unwrap().clone();
    calls.send_modify(|calls| calls.push(Call { head, body }));
    match behaviour {
        Behaviour::Bytes(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Behaviour::Endless => {
            let _ = stream.write_all(b"HTTP/1.1 200 \r\ntransfer-encoding: chunked\r\n\r\n").await;
            while stream.write_all(b"4\r\nmore\r\n").await.is_ok() {}
        }
        Behaviour::Close => {}
        Behaviour::Hang => std::future::pending().await,
    }
}
