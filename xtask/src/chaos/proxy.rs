//! A proxy before the socket of PostgreSQL, which can delay what the servers send.

use anyhow::Result;
use rand::RngExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};

/// The name of the socket in its directory.
const SOCKET: &str = ".s.PGSQL.5432";

/// The most bytes that are passed on at once: the statements of a round trip are mostly fewer.
const PASSED_MAX: usize = 64 * 1024;

/// A proxy. It passes on as long as the runtime runs.
pub(super) struct Proxy {
    directory: TempDir,
    /// The mean delay of a round trip, in milliseconds.
    delay: Arc<AtomicU64>,
}

impl Proxy {
    /// A proxy before the server whose socket is in `server`.
    pub(super) fn start(server: &str) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let listener = UnixListener::bind(directory.path().join(SOCKET))?;
        let (delay, server) = (Arc::<AtomicU64>::default(), PathBuf::from(server).join(SOCKET));
        let delayed = Arc::clone(&delay);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, delay) = (server.clone(), Arc::clone(&delayed));
                tokio::spawn(async move {
                    // A session that ends on one side ends on the other, whatever the reason.
                    if let Ok(server) = UnixStream::connect(server).await {
                        pass_on(client, server, &delay).await;
                    }
                });
            }
        });
        Ok(Self { directory, delay })
    }

    /// The URL of a database behind the proxy.
    pub(super) fn url(&self, database: &str) -> String {
        format!("postgres:///{database}?host={}&user=clipia", self.directory.path().display())
    }

    /// Sets the mean delay of a round trip.
    pub(super) fn delay(&self, mean: Duration) {
        self.delay.store(mean.as_millis().try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

async fn pass_on(client: UnixStream, server: UnixStream, delay: &AtomicU64) {
    let (from_client, mut to_client) = client.into_split();
    let (mut from_server, to_server) = server.into_split();
    tokio::select! {
        () = requests(from_client, to_server, delay) => {}
        _ = tokio::io::copy(&mut from_server, &mut to_client) => {}
    }
}

async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: &AtomicU64) {
    let mut chunk = vec![0; PASSED_MAX];
    while let Ok(count @ 1..) = from.read(&mut chunk).await {
        let mean = delay.load(Ordering::Relaxed);
        if mean > 0 {
            let drawn = rand::rng().random_range(0..2 * mean);
            tokio::time::sleep(Duration::from_millis(drawn)).await;
        }
        if to.write_all(&chunk[..count]).await.is_err() {
            return;
        }
    }
}
