//! A proxy between a worker and a server: it loses responses, cuts connections, and leads to another server after a restart.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What the proxy does to what it passes on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// How many of a hundred responses are lost.
    pub(crate) lost: u64,
    /// After how many bytes from the worker a connection is cut; 0: never.
    pub(crate) cut_after: usize,
}

/// A running proxy.
pub(crate) struct Proxy {
    pub(crate) url: String,
    server: Arc<Mutex<String>>,
    /// How many responses were lost, and how many connections were cut.
    pub(crate) losses: Arc<AtomicU64>,
    _connections: JoinSet<()>,
}

impl Proxy {
    pub(crate) async fn to(server: &str, faults: Faults) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = Arc::new(Mutex::new(server.to_owned()));
        let (leads, losses) = (Arc::clone(&server), Arc::new(AtomicU64::new(0)));
        let counted = Arc::clone(&losses);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            // Numbers that are the same in each run.
            let random = Arc::new(AtomicU64::new(0x9e37_79b9_7f4a_7c15));
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let address = leads.lock().unwrap().trim_start_matches("http://").to_owned();
                let (random, counted) = (Arc::clone(&random), Arc::clone(&counted));
                connections.spawn(async move {
                    // The server may be away, and either end may close the connection.
                    if let Ok(server) = TcpStream::connect(address).await {
                        let _ = pass(client, server, faults, &random, &counted).await;
                    }
                });
            }
        });
        Self { url, server, losses, _connections: tasks }
    }

    /// Leads new connections to another server.
    pub(crate) fn lead_to(&self, server: &str) {
        *self.server.lock().unwrap() = server.to_owned();
    }
}

/// The next number from 0 to 99, by xorshift.
fn next(random: &AtomicU64) -> u64 {
    let step = |mut state: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^ (state << 17)
    };
    step(random.update(Ordering::Relaxed, Ordering::Relaxed, step)) % 100
}

async fn pass(
    mut client: TcpStream,
    mut server: TcpStream,
    faults: Faults,
    random: &AtomicU64,
    losses: &AtomicU64,
) -> std::io::Result<()> {
    let (mut up, mut down, mut sent, mut is_new) = (vec![0; 65_536], vec![0; 65_536], 0, true);
    loop {
        tokio::select! {
            bytes = client.read(&mut up) => {
                let bytes = bytes?;
                is_new = true;
                sent += bytes;
                if bytes == 0 || (faults.cut_after > 0 && sent > faults.cut_after) {
                    losses.fetch_add(u64::from(bytes > 0), Ordering::Relaxed);
                    return Ok(());
                }
                server.write_all(&up[..bytes]).await?;
            }
            bytes = server.read(&mut down) => {
                let bytes = bytes?;
                // The server has done what the call asks for: its response is lost.
                let is_lost = std::mem::take(&mut is_new) && next(random) < faults.lost;
                if bytes == 0 || is_lost {
                    losses.fetch_add(u64::from(bytes > 0), Ordering::Relaxed);
                    return Ok(());
                }
                client.write_all(&down[..bytes]).await?;
            }
        }
    }
}
