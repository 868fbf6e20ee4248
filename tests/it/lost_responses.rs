//! A submit whose response is lost is found again, and charged once.

use crate::support::{Options, Server, until};
use clipia::{Clipia, Error, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// The way in which a response is lost.
#[derive(Clone, Copy, Debug)]
enum Loss {
    /// The connection is reset when the response begins.
    Reset,
    /// The connection stays open, and nothing more arrives.
    Silence,
    /// The first bytes arrive, and then the connection closes.
    Half,
}

/// A proxy between client and server that loses a number of responses.
struct BadLine {
    url: String,
    to_lose: Arc<AtomicU32>,
    _lines: JoinSet<()>,
}

impl BadLine {
    async fn new(server: &Server, loss: Loss, count: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let address = server.url.strip_prefix("http://").unwrap().to_owned();
        let to_lose = Arc::new(AtomicU32::new(count));
        let left = Arc::clone(&to_lose);
        let mut lines = JoinSet::new();
        lines.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(&address).await.unwrap();
                let left = Arc::clone(&left);
                connections.spawn(async move {
                    // Either end may close the connection.
                    let _ = pass(client, server, loss, &left).await;
                });
            }
        });
        Self { url, to_lose, _lines: lines }
    }

    fn client(&self, server: &Server, retries: u32) -> Clipia {
        let builder = Clipia::builder().key(&server.live_key).base_url(&self.url);
        builder.timeout(Duration::from_secs(2)).max_retries(retries).build().unwrap()
    }

    /// Loses no further response.
    fn mend(&self) {
        self.to_lose.store(0, Ordering::SeqCst);
    }
}

async fn pass(
    mut client: TcpStream,
    mut server: TcpStream,
    loss: Loss,
    left: &AtomicU32,
) -> std::io::Result<()> {
    let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
    let is_lost = || left.try_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
    loop {
        tokio::select! {
            bytes = client.read(&mut up) => match bytes? {
                0 => return Ok(()),
                bytes => server.write_all(&up[..bytes]).await?,
            },
            bytes = server.read(&mut down) => match bytes? {
                0 => return Ok(()),
                // The server has committed: a response is sent after the commit.
                bytes if is_lost() => match loss {
                    Loss::Reset => return client.set_zero_linger(),
                    Loss::Silence => std::future::pending().await,
                    Loss::Half => return client.write_all(&down[..bytes / 2]).await,
                },
                bytes => client.write_all(&down[..bytes]).await?,
            },
        }
    }
}

/// The number of the account's requests, and its credits.
async fn account(server: &Server) -> (u64, u64) {
    let account = server.live().get("/v1/account").await.expect(200).json();
    let number = |at: &str| account.pointer(at).unwrap().as_u64().unwrap();
    (number("/usage_30d/requests"), number("/balance/credits"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submit_is_repeated_until_its_response_arrives_and_charged_once() {
    for loss in [Loss::Reset, Loss::Silence, Loss::Half] {
        let server = Server::start(Options { credits: Some(1_000), ..Options::default() });
        let line = BadLine::new(&server, loss, 2).await;
        let speech = line
            .client(&server, 5)
            .submit("gemini-3-1-flash-tts", json!({ "prompt": "once" }))
            .await
            .unwrap_or_else(|error| panic!("{loss:?}: {error}"));
        assert_eq!(line.to_lose.load(Ordering::SeqCst), 0, "{loss:?}");
        assert_eq!(account(&server).await, (1, 998), "{loss:?}");
        speech.wait().await.unwrap().completed().unwrap();
        assert_eq!(account(&server).await, (1, 998), "{loss:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submit_that_timed_out_is_found_by_the_idempotency_key_in_its_error() {
    let server = Server::start(Options { credits: Some(1_000), ..Options::default() });
    let line = BadLine::new(&server, Loss::Reset, u32::MAX).await;
    let clipia = line.client(&server, 1);
    let submit = || clipia.submit("gemini-3-1-flash-tts", json!({ "prompt": "once" }));
    let error = submit().await.unwrap_err();
    assert!(matches!(error, Error::SubmitUnanswered { .. }), "{error:?}");
    until("the charge", async || (account(&server).await == (1, 998)).then_some(())).await;

    // Another process needs only the idempotency key.
    line.mend();
    let key = error.idempotency_key().unwrap();
    let found = submit().idempotency_key(key).await.unwrap();
    found.wait().await.unwrap().completed().unwrap();
    assert_eq!(submit().idempotency_key(key).await.unwrap().id(), found.id());
    assert_eq!(account(&server).await, (1, 998));
    // Without the key, it is another submit.
    assert_ne!(submit().await.unwrap().id(), found.id());
    assert_eq!(account(&server).await, (2, 996));
}
