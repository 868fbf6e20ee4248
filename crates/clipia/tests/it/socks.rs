//! A SOCKS5 proxy (RFC 1928, 1929) that leads every connection to one server.

use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A running proxy. It stops when this is dropped.
pub(crate) struct Socks {
    pub(crate) address: String,
    log: Arc<Log>,
    _serving: JoinSet<()>,
}

#[derive(Default)]
struct Log {
    asked: Mutex<Vec<String>>,
    users: Mutex<Vec<String>>,
}

impl Socks {
    pub(crate) async fn new(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let log = Arc::new(Log::default());
        let mut serving = JoinSet::new();
        let logging = Arc::clone(&log);
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (server, log) = (server.clone(), Arc::clone(&logging));
                connections.spawn(async move {
                    // Ends when either side closes.
                    let _ = serve(stream, &server, &log).await;
                });
            }
        });
        Self { address, log, _serving: serving }
    }

    /// The hosts and ports of the connections requested so far.
    pub(crate) fn requested(&self) -> Vec<String> {
        self.log.asked.lock().unwrap().clone()
    }

    /// The users and passwords received so far.
    pub(crate) fn users(&self) -> Vec<String> {
        self.log.users.lock().unwrap().clone()
    }
}

async fn serve(mut client: TcpStream, server: &str, log: &Log) -> std::io::Result<()> {
    assert_eq!(client.read_u8().await?, 5);
    let methods = counted(&mut client).await?;
    if methods.contains(&2) {
        client.write_all(&[5, 2]).await?;
        assert_eq!(client.read_u8().await?, 1);
        let (user, password) = (counted(&mut client).await?, counted(&mut client).await?);
        let user = format!("{}:{}", String::from_utf8_lossy(&user), String::from_utf8_lossy(&password));
        log.users.lock().unwrap().push(user);
        client.write_all(&[1, 0]).await?;
    } else {
        client.write_all(&[5, 0]).await?;
    }
    let mut head = [0; 4];
    client.read_exact(&mut head).await?;
    let host = match head[3] {
        1 => std::net::Ipv4Addr::from(client.read_u32().await?).to_string(),
        3 => String::from_utf8_lossy(&counted(&mut client).await?).into_owned(),
        other => panic!("no test asks for an address of type {other}"),
    };
    let port = client.read_u16().await?;
    log.asked.lock().unwrap().push(format!("{host}:{port}"));
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    copy_bidirectional(&mut client, &mut TcpStream::connect(server).await?).await?;
    Ok(())
}

/// Bytes after their number.
async fn counted(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; stream.read_u8().await?.into()];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}
